"""Artifacts over HTTP and from a running session: snapshots, thumbnails, ranges, removal."""

from __future__ import annotations

import asyncio
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from server.artifact_files import FileBlobs
from server.artifacts import Artifacts
from tests.fakes import SIZE
from tests.server.clients import Api, Browser, problem
from tests.waiting import until
from tracks.errors import StorageFull

NOWHERE = "019a0000-0000-7000-8000-000000000000"


@pytest.fixture
async def filmed(api: Api, browsers: list[Browser]) -> Browser:
    """A session that has entered an object."""
    browser = Browser(api, await api.make_session())
    browsers.append(browser)
    await browser.connect()
    await until(lambda: browser.kinds("object"))
    return browser


async def snapshot(browser: Browser, **body: Any) -> dict[str, Any]:
    response = await browser.api.http.post(f"/sessions/{browser.session_id}/snapshot", json=body)
    assert response.status == 201, await response.text()
    made: dict[str, Any] = await response.json()
    assert response.headers["Location"] == made["url"] == f"/artifacts/{made['artifactId']}"
    return made


async def listed(browser: Browser, **query: str) -> list[dict[str, Any]]:
    response = await browser.api.http.get(f"/sessions/{browser.session_id}/artifacts", params=query)
    found: list[dict[str, Any]] = (await response.json())["artifacts"]
    return found


async def image(api: Api, url: str) -> Image.Image:
    response = await api.http.get(url)
    assert response.status == 200
    return Image.open(io.BytesIO(await response.read())).convert("RGB")


def greens(picture: Image.Image) -> int:
    """Pixels of the box's colour, of which there are none in the camera's grey picture."""
    return int((np.ptp(np.asarray(picture), axis=2) > 60).sum())


async def test_an_object_comes_with_its_picture(filmed: Browser) -> None:
    """When the event arrives its thumbnail can be fetched: the bright rectangle, nothing drawn on it."""
    entered = filmed.kinds("object")[0]["data"]
    artifact_id = entered["thumbnail"]
    picture = await image(filmed.api, f"/artifacts/{artifact_id}")
    assert max(picture.size) < 320
    width, height = picture.size
    assert picture.getpixel((width // 2, height // 2)) == pytest.approx((230, 230, 230), abs=12)
    assert picture.getpixel((2, 2)) == pytest.approx((30, 30, 30), abs=12)
    assert greens(picture) == 0
    (thumbnail,) = await listed(filmed, kind="thumbnail")
    assert (thumbnail["artifactId"], thumbnail["kind"], thumbnail["sessionId"]) == (
        artifact_id,
        "thumbnail",
        filmed.session_id,
    )
    assert (thumbnail["width"], thumbnail["height"], thumbnail["mediaType"]) == (width, height, "image/jpeg")
    await filmed.api.http.delete(f"/sessions/{filmed.session_id}")
    stored = await filmed.api.events(filmed.session_id, kind="object")
    assert [event["data"]["phase"] for event in stored] == ["entered", "left"]
    kept = {artifact["artifactId"] for artifact in await listed(filmed)}
    assert {event["data"]["thumbnail"] for event in stored} <= kept


async def test_a_stuck_disk_costs_pictures_and_no_events(
    api: Api, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches is told of everything before a session that ends lets go, though nothing can be written."""
    works, asked = asyncio.Event(), asyncio.Event()
    put = FileBlobs.put

    async def stuck(self: FileBlobs, key: str, content: bytes) -> None:
        asked.set()
        await works.wait()
        await put(self, key, content)

    monkeypatch.setattr(FileBlobs, "put", stuck)
    browser = Browser(api, await api.make_session())
    browsers.append(browser)
    await browser.connect()
    async with asyncio.timeout(30):
        await asked.wait()
    await api.http.delete(f"/sessions/{browser.session_id}")
    told = [event["data"] for event in browser.kinds("object")]
    assert [(data["phase"], "thumbnail" in data) for data in told] == [("entered", False), ("left", False)]
    assert browser.kinds("session")[-1]["data"]["state"] == "ended"
    works.set()


async def test_a_snapshot_is_the_picture_as_shown_or_as_filmed(filmed: Browser) -> None:
    """By default with its boxes, else without; full size, and told of in the list."""
    shown, raw = await snapshot(filmed), await snapshot(filmed, annotated=False)
    assert (shown["width"], shown["height"], shown["kind"], shown["mediaType"]) == (*SIZE, "snapshot", "image/jpeg")
    assert shown["mediaTime"] > 0
    with_boxes, without = await image(filmed.api, shown["url"]), await image(filmed.api, raw["url"])
    assert with_boxes.size == without.size == SIZE
    assert greens(with_boxes) > 100
    assert greens(without) == 0
    assert await listed(filmed, kind="snapshot") == [shown, raw]
    assert await listed(filmed, kind="snapshot", limit="1") == [shown]
    assert await listed(filmed, kind="snapshot", after=shown["artifactId"]) == [raw]


async def test_a_snapshot_by_command(filmed: Browser) -> None:
    """The data channel's command says where the picture is; wrong arguments are named."""
    assert filmed.channel is not None
    command = '{{"type": "command", "id": "{}", "name": "snapshot", "args": {}}}'
    filmed.channel.send(command.format("good", '{"annotated": false}'))
    filmed.channel.send(command.format("bad", '{"colour": 1}'))
    replies: dict[str, Any] = {}
    await until(
        lambda: replies.update({m["id"]: m for m in filmed.messages if m.get("type") == "reply"}) or len(replies) == 2
    )
    assert replies["good"]["ok"]
    result = replies["good"]["result"]
    assert result["url"] == f"/artifacts/{result['artifactId']}"
    assert (await image(filmed.api, result["url"])).size == SIZE
    assert not replies["bad"]["ok"]
    assert replies["bad"]["error"]["code"] == "invalid_request"
    assert "colour" in replies["bad"]["error"]["message"]


async def test_no_picture_no_snapshot(api: Api) -> None:
    """Before the first picture it is a conflict, of an unknown session not found; without a body there are defaults."""
    session_id = await api.make_session()
    status, code, message = await problem(await api.http.post(f"/sessions/{session_id}/snapshot"))
    assert (status, code) == (409, "conflict")
    assert "no picture yet" in message
    wrong = await api.http.post(f"/sessions/{session_id}/snapshot", json={"annotated": "maybe"})
    assert (await problem(wrong))[:2] == (400, "invalid_request")
    assert (await problem(await api.http.post(f"/sessions/{NOWHERE}/snapshot")))[:2] == (404, "not_found")
    await api.http.delete(f"/sessions/{session_id}")
    assert (await problem(await api.http.post(f"/sessions/{session_id}/snapshot")))[:2] == (409, "conflict")


async def test_a_full_disk_refuses_snapshots(filmed: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code says what is wrong."""

    async def full(*_: object) -> None:
        raise StorageFull("the disk is full")

    monkeypatch.setattr(Artifacts, "_reserve", full)
    response = await filmed.api.http.post(f"/sessions/{filmed.session_id}/snapshot", json={})
    assert (await problem(response))[:2] == (507, "storage_full")


async def test_an_artifact_is_served_safely_and_for_good(filmed: Browser) -> None:
    """Its type is its row's, its name harmless, its hash the ETag; it is never run, guessed or asked for again."""
    made = await snapshot(filmed)
    response = await filmed.api.http.get(made["url"])
    body = await response.read()
    headers = response.headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Length"] == str(made["bytes"]) == str(len(body))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Disposition"] == f'inline; filename="vedette-snapshot-{made["artifactId"]}.jpg"'
    assert headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
    assert headers["Accept-Ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f]{64}"', headers["ETag"])
    head = await filmed.api.http.head(made["url"], headers={"Range": "bytes=0-9"})
    assert (head.status, await head.read()) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-Control"):
        assert head.headers[name] == headers[name]


async def test_an_unchanged_artifact_is_not_sent_again(filmed: Browser) -> None:
    """If-None-Match takes the ETag, weak or in a list, or a star; If-Match refuses another."""
    made = await snapshot(filmed)
    etag = (await filmed.api.http.get(made["url"])).headers["ETag"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        response = await filmed.api.http.get(made["url"], headers={"If-None-Match": given})
        assert (response.status, await response.read(), response.headers["ETag"]) == (304, b"", etag), given
        assert "immutable" in response.headers["Cache-Control"]
    assert (await filmed.api.http.get(made["url"], headers={"If-None-Match": '"other"'})).status == 200
    for given, status in ((etag, 200), ("*", 200), (f"W/{etag}", 412), ('"other"', 412)):
        assert (await filmed.api.http.get(made["url"], headers={"If-Match": given})).status == status


async def test_parts_are_served(filmed: Browser) -> None:
    """One range is a part; one past the end cannot be had; several, malformed or foreign ones are ignored."""
    made = await snapshot(filmed)
    whole = await (await filmed.api.http.get(made["url"])).read()
    size = len(whole)
    parts = {
        "bytes=0-9": (0, 10),
        "bytes=10-10": (10, 11),
        f"bytes={size - 5}-": (size - 5, size),
        "bytes=-7": (size - 7, size),
        f"bytes=-{size * 2}": (0, size),
        f"bytes=5-{size * 2}": (5, size),
        "BYTES=0-0": (0, 1),
    }
    for given, (start, stop) in parts.items():
        response = await filmed.api.http.get(made["url"], headers={"Range": given})
        assert response.status == 206, given
        assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert await response.read() == whole[start:stop]
    for given in (f"bytes={size}-", f"bytes={size + 5}-{size + 9}", "bytes=-0"):
        response = await filmed.api.http.get(made["url"], headers={"Range": given})
        assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}"), given
        assert (await problem(response))[1:] == ("invalid_request", f"the artifact ends at byte {size}")
    for given in (
        "bytes=0-1,4-5",
        "bytes=9-2",
        "bytes=a-b",
        "bytes=-",
        "lines=1-2",
        "bytes 0-1",
        "bytes=" + "9" * 30 + "-",
    ):
        response = await filmed.api.http.get(made["url"], headers={"Range": given})
        assert (response.status, await response.read()) == (200, whole), given


async def test_a_part_is_only_of_what_the_client_has(filmed: Browser) -> None:
    """If-Range with the ETag gives the part; with another one, a weak one or a date, all of it."""
    made = await snapshot(filmed)
    etag = (await filmed.api.http.get(made["url"])).headers["ETag"]
    given = {etag: 206, '"other"': 200, f"W/{etag}": 200, "Wed, 21 Oct 2015 07:28:00 GMT": 200}
    for condition, status in given.items():
        headers = {"Range": "bytes=0-9", "If-Range": condition}
        assert (await filmed.api.http.get(made["url"], headers=headers)).status == status, condition


async def test_artifacts_can_be_removed(filmed: Browser) -> None:
    """One by one, or all with the session if asked; the session itself stays to be looked at."""
    first, second = await snapshot(filmed), await snapshot(filmed)
    http = filmed.api.http
    assert (await http.delete(first["url"])).status == 204
    assert (await http.delete(first["url"])).status == 204
    for response in (
        await http.get(first["url"]),
        await http.get(f"/artifacts/{NOWHERE}"),
        await http.delete(f"/artifacts/{NOWHERE}"),
    ):
        assert (await problem(response))[:2] == (404, "not_found")
    for query in ({"artifacts": "maybe"}, {"everything": "true"}):
        refused = await http.delete(f"/sessions/{filmed.session_id}", params=query)
        assert (await problem(refused))[:2] == (400, "invalid_request")
    assert (await http.delete(f"/sessions/{filmed.session_id}")).status == 204
    assert second in await listed(filmed)
    assert (await http.delete(f"/sessions/{filmed.session_id}", params={"artifacts": "true"})).status == 204
    assert await listed(filmed) == []
    assert (await http.get(second["url"])).status == 404
    assert (await filmed.api.session(filmed.session_id))["state"] == "ended"


async def test_what_is_asked_of_artifacts_is_checked(filmed: Browser) -> None:
    """Unknown kinds, limits and names are errors; so are ids that are none, and sessions that are unknown."""
    http = filmed.api.http
    for query in ({"kind": "gossip"}, {"limit": "0"}, {"limit": "x"}, {"page": "1"}):
        response = await http.get(f"/sessions/{filmed.session_id}/artifacts", params=query)
        assert (await problem(response))[:2] == (400, "invalid_request")
    assert (await problem(await http.get(f"/sessions/{NOWHERE}/artifacts")))[:2] == (404, "not_found")
    for path in ("..%2fvedette.db", "x", "%00", "a" * 500):
        assert (await problem(await http.get(f"/artifacts/{path}")))[:2] == (404, "not_found")
    evil = await http.get(f"/artifacts/{NOWHERE}", headers={"Origin": "https://evil.example"})
    assert (await problem(evil))[:2] == (403, "forbidden")


async def test_artifacts_are_counted(filmed: Browser) -> None:
    """/metrics tells how many there are, by kind, and how large they are."""
    await snapshot(filmed)
    text = await (await filmed.api.http.get("/metrics")).text()
    assert 'vedette_artifacts{kind="thumbnail"} 1.0' in text
    assert 'vedette_artifacts{kind="snapshot"} 1.0' in text
    kept = sum(artifact["bytes"] for artifact in await listed(filmed))
    assert f"vedette_artifacts_bytes {float(kept)}" in text
    assert "vedette_artifacts_removed_total 0.0" in text
    assert "vedette_artifacts_failed_total 0.0" in text
