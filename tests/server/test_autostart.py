"""Cameras that are watched all the time, and what they see, for a list."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from aiohttp.test_utils import TestClient, TestServer

from server import autostart
from server.app import serve
from server.settings import Settings
from tests.cameras.camera import H264, camera
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, problem, until_async
from tests.server.test_cameras import add


async def running(api: Api, source_id: str) -> list[str]:
    """Sessions on a source that have not ended, oldest first."""
    found = (await (await api.http.get("/sessions")).json())["sessions"]
    return [each["sessionId"] for each in found if each["sourceId"] == source_id and each["endedAt"] is None]


async def is_live(api: Api, source_id: str) -> bool:
    now = await (await api.http.get(f"/sources/{source_id}")).json()
    return bool(now["state"] == "live" and now["autostart"])


async def test_a_camera_is_watched_after_a_restart(tmp_path: Path) -> None:
    """Without anybody asking for it; and the session before has ended with the server."""
    settings = Settings(data_dir=tmp_path, source_hosts=("127.0.0.1",))
    made: dict[str, str] = {}
    async with camera(H264) as each:
        before = ""
        for _ in range(2):
            serving = serve(
                settings,
                load=lambda choice, **options: BrightDetector(),
                load_asr=lambda choice, **options: BeepAsr(),
                vad=LoudVad(),
            )
            async with serving as server, TestClient(TestServer(server.app)) as http:
                api = Api(server, http)
                made = made or await add(api, each, autostart=True)

                await until_async(partial(is_live, api, made["sourceId"]))
                (session_id,) = await running(api, made["sourceId"])
                assert session_id != before
                before = session_id


async def test_a_session_that_ended_begins_anew(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while; at once when the source was changed; and not any more when that is not wanted."""
    monkeypatch.setattr(autostart, "AGAIN_S", 0.3)
    monkeypatch.setattr(autostart, "LOOK_S", 0.05)
    async with camera(H264) as each:
        made = await add(api, each, autostart=True)
        one, seen = f"/sources/{made['sourceId']}", set()
        for change in (None, {"transport": "udp"}, None):

            async def another() -> bool:
                return bool(set(await running(api, made["sourceId"])) - seen)

            await until_async(another)
            (session_id,) = await running(api, made["sourceId"])
            seen.add(session_id)
            if change is None:
                await api.http.delete(f"/sessions/{session_id}")
            else:
                assert (await api.http.patch(one, json=change)).status == 200
        await until_async(another)
        assert (await (await api.http.patch(one, json={"autostart": False})).json())["autostart"] is False
        for session_id in await running(api, made["sourceId"]):
            await api.http.delete(f"/sessions/{session_id}")
        assert await running(api, made["sourceId"]) == []


async def picture(api: Api, source_id: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    response = await api.http.get(f"/sources/{source_id}/preview")
    assert (response.status, response.content_type) == (200, "image/jpeg")
    decoded = cv2.imdecode(np.frombuffer(await response.read(), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded  # type: ignore[return-value]


async def test_what_a_source_sees_can_be_looked_at(api: Api) -> None:
    """With which a camera was found, or a new one of it; of others, what their session shows."""
    async with camera(H264) as each:
        made = await add(api, each)
        assert (await picture(api, made["sourceId"])).shape == (180, 320, 3)
    assert (await picture(api, made["sourceId"])).shape == (180, 320, 3)  # kept
    webcam = await (await api.http.post("/sources", json={"kind": "webcam"})).json()
    refused = await api.http.get(f"/sources/{webcam['sourceId']}/preview")
    assert (await problem(refused))[:2] == (409, "conflict")
    assert (await problem(await api.http.get("/sources/nowhere/preview")))[:2] == (404, "not_found")
    await api.http.delete(f"/sources/{made['sourceId']}")
    assert (await problem(await api.http.get(f"/sources/{made['sourceId']}/preview")))[:2] == (404, "not_found")
