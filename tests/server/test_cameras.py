"""Cameras as sources: looked at first, shown without their credentials, and watched whatever becomes of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from server.logs import QUIETED
from tests.cameras.camera import H264, OPUS, SMALL, Camera, answer, asked, camera, kill_readers, scripted
from tests.server.clients import Api, Browser, has_state, problem, until_async
from tests.waiting import until


async def add(api: Api, each: Camera, **fields: Any) -> dict[str, Any]:
    response = await api.http.post("/sources", json={"kind": "rtsp", "url": each.url, **fields})
    assert response.status == 201, await response.text()
    made: dict[str, Any] = await response.json()
    return made


async def watch(api: Api, source: dict[str, Any], **options: Any) -> str:
    response = await api.http.post("/sessions", json={"sourceId": source["sourceId"], **options})
    assert response.status == 201, await response.text()
    return str((await response.json())["sessionId"])


async def states(api: Api, session_id: str) -> list[str]:
    return [event["data"]["state"] for event in await api.events(session_id, kind="session")]


async def test_a_camera_becomes_a_source(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Once a picture of it was seen, with what was found; its credentials are in no answer and in no log."""
    caplog.set_level(logging.DEBUG)
    async with camera(H264 + OPUS, "admin", "hunter2") as each:
        made = await add(api, each, name="Door")
        assert (made["kind"], made["name"], made["transport"], made["autostart"]) == ("rtsp", "Door", "tcp", False)
        assert made["url"] == f"rtsp://***@127.0.0.1:{each.port}/live"
        assert made["media"]["video"] == {"codec": "h264", "width": 320, "height": 180, "fps": 15.0}
        assert (made["media"]["format"], made["media"]["duration"]) == ("rtsp", None)
        assert (made["state"], made["sessionId"], made["pictureAge"]) == (None, None, None)
        one = f"/sources/{made['sourceId']}"
        assert await (await api.http.get(one)).json() == made
        changed = await api.http.patch(one, json={"url": made["url"], "name": "Gate"})
        assert (await changed.json()) == {**made, "name": "Gate"}
        session_id = await watch(api, made)
        await until_async(lambda: has_state(api, session_id, "live"))
        now = await (await api.http.get(one)).json()
        assert (now["state"], now["sessionId"]) == ("live", session_id)
        assert 0 <= now["pictureAge"] < 1
        wrong = await api.http.patch(one, json={"url": each.url.replace("hunter2", "hunter3")})
        assert await problem(wrong) == (
            502,
            "source_unreachable",
            "the camera wants other credentials (401 Unauthorized)",
        )
        assert (await has_state(api, session_id, "live"), (await api.http.delete(one)).status) == (True, 204)
        assert (await api.session(session_id))["reason"] == "source removed"
    told = [record.getMessage() for record in caplog.records if record.name.partition(".")[0] not in QUIETED]
    assert told
    assert "hunter" not in "\n".join(told)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"url": "http://192.0.2.1/"}, 403, "forbidden_url"),
        ({"url": "file:///etc/passwd"}, 403, "forbidden_url"),
        ({"url": "rtsp://2130706433/"}, 403, "forbidden_url"),
        ({"url": "rtsp://0x7f.1/"}, 403, "forbidden_url"),
        ({"url": "rtsp://[::ffff:169.254.169.254]/"}, 403, "forbidden_url"),
        ({"url": "rtsp://127.0.0.2/"}, 403, "forbidden_url"),
        ({"url": "rtsp://169.254.1.1/"}, 403, "forbidden_url"),
        ({"url": "not a url"}, 400, "invalid_request"),
        ({"url": "rtsp://u:hunter2/3@h/"}, 400, "invalid_request"),
        ({}, 400, "invalid_request"),
        ({"kind": "webcam", "url": "rtsp://h/"}, 400, "invalid_request"),
        ({"kind": "demo", "autostart": True}, 400, "invalid_request"),
        ({"url": "rtsp://h/", "transport": "carrier pigeon"}, 400, "invalid_request"),
        ({"url": "rtsp://no-such-host.invalid/"}, 502, "source_unreachable"),
        ({"url": "rtsp://127.0.0.1:1/"}, 502, "source_unreachable"),
    ],
)
async def test_what_may_be_no_camera_is_none(api: Api, body: dict[str, Any], status: int, code: str) -> None:
    """Told apart by code, and nothing is kept of it. Loopback is open to these tests by one address alone."""
    refused = await api.http.post("/sources", json={"kind": "rtsp", **body})
    assert (await problem(refused))[:2] == (status, code)
    assert "hunter2" not in await refused.text()
    assert (await (await api.http.get("/sources")).json())["sources"] == []


async def test_a_redirect_makes_no_source(api: Api) -> None:
    """Wherever it leads."""

    async def redirecting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, number = await asked(reader)
            writer.write(answer(number, "302 Found", Location="rtsp://169.254.169.254/"))

    async with scripted(redirecting) as port:
        refused = await api.http.post("/sources", json={"kind": "rtsp", "url": f"rtsp://127.0.0.1:{port}/"})
    assert (await problem(refused))[:2] == (403, "forbidden_url")


async def test_only_cameras_have_what_cameras_have(api: Api) -> None:
    """Another source cannot be given a url, and nothing is no change."""
    made = await (await api.http.post("/sources", json={"kind": "webcam"})).json()
    for body in ({"url": "rtsp://h/"}, {"transport": "udp"}, {"autostart": True}, {}):
        refused = await api.http.patch(f"/sources/{made['sourceId']}", json=body)
        assert (await problem(refused))[:2] == (400, "invalid_request")


async def test_viewers_see_a_camera_through_its_absence(api: Api, browsers: list[Browser]) -> None:
    """Annotated pictures; then a still, once a second, with its age; then pictures again. One session, one track."""
    async with camera(H264 + OPUS) as each:
        session_id = await watch(api, await add(api, each), pipelines=["vision", "audio"])
        viewer = Browser(api, session_id, publish=False, listen=True)
        browsers.append(viewer)
        await viewer.connect()
        await until(lambda: len(viewer.pictures) > 10 and viewer.loudness and viewer.kinds("detection"))
        await each.kill()
        await until_async(lambda: has_state(api, session_id, "reconnecting"))
        seen = len(viewer.pictures)
        await until(lambda: len(viewer.pictures) >= seen + 2)
        detected = (await (await api.http.get(f"/sessions/{session_id}/stats")).json())["fpsDetected"]
        assert detected < 5
        await each.start()
        await until_async(lambda: has_state(api, session_id, "live"))
        heard, seen = len(viewer.loudness), len(viewer.pictures)
        await until(lambda: len(viewer.pictures) > seen + 20 and len(viewer.loudness) > heard + 20)
        assert viewer.pictures == sorted(set(viewer.pictures))
        told = [event["data"] for event in await api.events(session_id, kind="session")]
    assert [each["state"] for each in told] == ["connecting", "live", "reconnecting", "live"]
    reconnecting = told[2]
    assert "connection" in reconnecting["reason"]  # closed, or reset
    text = await (await api.http.get("/metrics")).text()
    assert f'vedette_session_reconnects_total{{session="{session_id}"}}' in text


async def test_a_camera_is_watched_without_viewers(api: Api) -> None:
    """Objects are seen, and nothing waits for anybody."""
    # A ball that moves on a dark wall, large enough for the detector of these tests.
    async with camera(SMALL.replace("pattern=ball", "pattern=white") + H264.removeprefix(SMALL)) as each:
        session_id = await watch(api, await add(api, each))

        async def entered() -> bool:
            return bool(await api.events(session_id, kind="object"))

        await until_async(entered)
        assert (await api.session(session_id))["peers"] == 0


async def test_a_camera_whose_reader_dies_again_and_again_fails(api: Api) -> None:
    """The session has failed, with an error that has the code; a new one is the way to try again."""
    async with camera(H264) as each:
        source = await add(api, each)
        session_id = await watch(api, source)
        live = api.server.live.find(session_id)
        assert live is not None
        camera_source: Any = live._parts.source
        camera_source._backoff.next = lambda healthy_s: 0.0
        await kill_readers(camera_source)
        await until_async(lambda: has_state(api, session_id, "failed"))

        async def told() -> list[str]:
            return [event["data"]["code"] for event in await api.events(session_id, kind="error")]

        await until_async(told)
        assert await told() == ["source_unreachable"]
        again = await watch(api, source)
        await until_async(lambda: has_state(api, again, "live"))
