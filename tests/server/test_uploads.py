"""Files as sources: received, examined, kept and removed; and played in real time, on one clock."""

from __future__ import annotations

import asyncio
import itertools
import socket
import statistics
from pathlib import Path
from typing import Any

import pytest
from aiohttp import FormData
from aiohttp.test_utils import TestClient, TestServer

from server.app import serve
from server.settings import Settings
from server.source_files import SourceFiles
from tests.children import decoders
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, Browser, has_state, problem, until_async
from tests.tracks.media.clips import encoded, movie, silent_flac, tone, video
from tests.waiting import until
from tracks.errors import Overloaded, StorageFull
from tracks.media.film import examine

BOTH = ["vision", "audio"]


def form(data: bytes, filename: str = "clip.mp4", **fields: str) -> FormData:
    made = FormData({"kind": "upload", **fields})
    made.add_field("file", data, filename=filename)
    return made


def contents(path: Path) -> bytes:
    return path.read_bytes()


async def upload(api: Api, path: Path, **fields: str) -> dict[str, Any]:
    response = await api.http.post("/sources", data=form(contents(path), **fields))
    assert response.status == 201, await response.text()
    made: dict[str, Any] = await response.json()
    assert response.headers["Location"] == f"/sources/{made['sourceId']}"
    return made


async def play(api: Api, source: dict[str, Any], **options: Any) -> str:
    response = await api.http.post("/sessions", json={"sourceId": source["sourceId"], **options})
    assert response.status == 201, await response.text()
    return str((await response.json())["sessionId"])


def on_disk(tmp_path: Path) -> list[str]:
    """Files of uploads, those under way included, without what is said of them."""
    found = [each for folder in ("uploads", "sources") for each in (tmp_path / folder).iterdir()]
    return sorted(each.name for each in found if each.suffix != ".json")


async def test_a_file_becomes_a_source(api: Api, tmp_path: Path) -> None:
    """With what was found in it, under a name that the server chose; it is gone with its source."""
    made = await upload(api, movie(tmp_path / "clip.mp4", seconds=2.0), name="Door")
    assert (made["kind"], made["name"]) == ("upload", "Door")
    assert made["media"]["duration"] == pytest.approx(2.0, abs=0.03)
    assert made["media"]["video"] == {"codec": "h264", "width": 320, "height": 180, "fps": 25.0}
    assert made["media"]["audio"] == {"codec": "aac", "rate": 48_000, "channels": 2}
    assert await (await api.http.get(f"/sources/{made['sourceId']}")).json() == made
    assert on_disk(tmp_path) == [made["sourceId"]]
    assert (await api.http.delete(f"/sources/{made['sourceId']}")).status == 204
    assert list((tmp_path / "sources").iterdir()) == []


async def test_what_is_seen_and_heard_of_a_file_has_one_time(api: Api, browsers: list[Browser], tmp_path: Path) -> None:
    """Over WebRTC: a flash and a beep that begin at once in the file do so in the events, at the file's own times."""
    path = movie(tmp_path / "clip.mp4", seconds=6.0, every_s=2.0, first_s=1.0)
    session_id = await play(api, await upload(api, path), pipelines=BOTH, profile="accurate")
    viewer = Browser(api, session_id, publish=False, listen=True)
    browsers.append(viewer)
    await viewer.connect()
    await until_async(lambda: has_state(api, session_id, "ended"))
    assert (await api.session(session_id))["reason"] == "source ended"
    assert viewer.pictures
    assert max(viewer.loudness) > 0.05
    events = await api.events(session_id, limit="1000")
    seen = [(each["mediaTime"], bool(each["data"]["objects"])) for each in viewer.live_kinds("detection")]
    flashes = [now for (_, before), (now, after) in itertools.pairwise(seen) if after and not before]
    beeps = [word["start"] for each in events if each["kind"] == "transcript" for word in each["data"]["words"]]
    assert len(beeps) == 3
    apart = [min((beep - flash for flash in flashes), key=abs) for beep in beeps]
    assert abs(statistics.median(apart)) <= 0.1
    assert [min((at_s - near_s for near_s in (1.0, 3.0, 5.0)), key=abs) for at_s in beeps] == pytest.approx(
        [0.0] * 3, abs=0.1
    )


async def test_a_session_lasts_as_long_as_either_of_the_two(api: Api, tmp_path: Path) -> None:
    """Sound that goes on after the last picture is heard to its end; so is a file that only has sound."""
    spoken = await upload(api, encoded(tmp_path / "a.flac", "flac", "flac", tone(1.5, 48_000, 0.8), 48_000))
    session_id = await play(api, spoken, pipelines=["audio"])
    await until_async(lambda: has_state(api, session_id, "ended"))
    (said,) = await api.events(session_id, kind="transcript")
    assert said["data"]["words"][0]["start"] == pytest.approx(0.8, abs=0.05)


async def test_what_a_file_lacks_cannot_be_asked_of_it(api: Api, tmp_path: Path) -> None:
    """A pipeline without anything to work on is refused, with those that have."""
    mute = await upload(api, video(tmp_path / "mute.mp4", "mp4", "mpeg4", frames=5))
    response = await api.http.post("/sessions", json={"sourceId": mute["sourceId"], "pipelines": BOTH})
    assert await problem(response) == (
        400,
        "invalid_request",
        "the file has nothing for pipeline 'audio', have: vision",
    )


async def test_a_file_that_is_lost_makes_no_session(api: Api, tmp_path: Path) -> None:
    """The client is told, and nothing is left behind."""
    made = await upload(api, movie(tmp_path / "clip.mp4", seconds=0.5))
    (tmp_path / "sources" / made["sourceId"]).unlink()
    response = await api.http.post("/sessions", json={"sourceId": made["sourceId"]})
    assert (await problem(response))[:2] == (502, "source_unreachable")
    assert (await (await api.http.get("/sessions")).json())["sessions"] == []


async def test_removing_a_source_ends_what_plays_it(api: Api, tmp_path: Path) -> None:
    """Its sessions first, then its file."""
    made = await upload(api, movie(tmp_path / "clip.mp4", seconds=5.0))
    session_id = await play(api, made)
    assert (await api.http.delete(f"/sources/{made['sourceId']}")).status == 204
    assert (await api.session(session_id))["state"] == "ended"
    assert on_disk(tmp_path) == []


def too_large(path: Path) -> bytes:
    return video(path / "a", "mp4", "mpeg4", (7680, 4320), 1).read_bytes()


def half(path: Path) -> bytes:
    data = movie(path / "a", "avi", ("mpeg4", "mp3")).read_bytes()
    return data[: len(data) // 2]


REFUSED = {
    "empty": (lambda path: b"", 415, "unsupported_media", "0 bytes"),
    "text": (lambda path: b"hello " * 1000, 415, "unsupported_media", "readable are"),
    "playlist": (lambda path: b"ffconcat version 1.0\nfile '/etc/passwd'\n", 415, "unsupported_media", "not taken"),
    "hls": (lambda path: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", 415, "unsupported_media", "readable are"),
    "cut off": (half, 415, "unsupported_media", "cut off"),
    "codec": (
        lambda path: movie(path / "a", "matroska", ("ffv1", "flac"), 0.5).read_bytes(),
        415,
        "unsupported_media",
        "'ffv1' is not taken; readable are h264",
    ),
    "8K": (too_large, 413, "payload_too_large", "7680x4320, at most 8294400 pixels"),
    "too long": (lambda path: silent_flac(700, length_stated=False), 413, "payload_too_large", "at most 600 s"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_cannot_be_played_is_refused(api: Api, tmp_path: Path, case: str) -> None:
    """With its stable code, within 5 s, and nothing is left: neither a file nor a source."""
    make, status, code, message = REFUSED[case]
    async with asyncio.timeout(5.0):
        response = await api.http.post("/sources", data=form(make(tmp_path), "clip.mp4"))
    found = await problem(response)
    assert found[:2] == (status, code)
    assert message in found[2]
    if code == "unsupported_media":
        assert "h264" in (await response.json())["error"]["details"]["videoCodecs"]
    assert on_disk(tmp_path) == []
    assert (await (await api.http.get("/sources")).json())["sources"] == []


async def test_names_are_only_names(api: Api, tmp_path: Path) -> None:
    """What a client calls its file leads nowhere."""
    data = movie(tmp_path / "clip.mp4", seconds=0.5).read_bytes()
    response = await api.http.post("/sources", data=form(data, "../../../etc/passwd", name="../../evil"))
    made = await response.json()
    assert on_disk(tmp_path) == [made["sourceId"]]
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [({"kind": "rtsp"}, "kind"), ({"name": ""}, "name"), ({"name": "x" * 201}, "name"), ({"colour": "red"}, "colour")],
)
async def test_wrong_fields_are_named(api: Api, tmp_path: Path, fields: dict[str, str], message: str) -> None:
    """And nothing is kept."""
    data = movie(tmp_path / "clip.mp4", seconds=0.2).read_bytes()
    found = await problem(await api.http.post("/sources", data=form(data, **fields)))
    assert found[:2] == (400, "invalid_request")
    assert message in found[2]
    assert on_disk(tmp_path) == []


async def test_a_client_that_leaves_takes_its_file_along(api: Api, tmp_path: Path) -> None:
    """In the midst of sending it."""
    port = api.http.port
    _, writer = await asyncio.open_connection("127.0.0.1", port, family=socket.AF_INET)
    writer.write(
        b"POST /sources HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + bytes(100_000)
    )
    await writer.drain()
    await until(lambda: on_disk(tmp_path))
    writer.close()
    await until(lambda: not on_disk(tmp_path))


@pytest.mark.usefixtures("_imported")
async def test_files_survive_a_restart_and_leftovers_do_not(tmp_path: Path) -> None:
    """Uploads are kept; files without a source, half-received ones and sessions of before are not."""

    def serving() -> Any:
        return serve(
            Settings(data_dir=tmp_path),
            load=lambda choice, **options: BrightDetector(),
            load_asr=lambda choice, **options: BeepAsr(),
            vad=LoudVad(),
        )

    async with serving() as server, TestClient(TestServer(server.app)) as http:
        made = await upload(Api(server, http), movie(tmp_path / "clip.mp4", seconds=0.5))
    for left in ("sources/stray", "sources/stray.json", "uploads/tmpabc"):
        (tmp_path / left).write_bytes(b"{}")
    async with serving() as server, TestClient(TestServer(server.app)) as http:
        api = Api(server, http)
        assert await (await http.get(f"/sources/{made['sourceId']}")).json() == made
        assert on_disk(tmp_path) == [made["sourceId"]]
        session_id = await play(api, made)
        await until_async(lambda: has_state(api, session_id, "ended"))


async def test_the_quota_is_kept(tmp_path: Path) -> None:
    """A file for which there is no room is refused before and after it is sent, and room comes back."""
    path = movie(tmp_path / "clip.mp4", seconds=0.5)
    size, media = path.stat().st_size, await examine(path)
    files = SourceFiles(tmp_path / "sources", size + 10)
    await files.start([])
    await files.keep("one", path, media)
    assert files.bytes == size
    with pytest.raises(StorageFull, match="remove sources first"), files.place(11):
        pass
    again = movie(tmp_path / "again.mp4", seconds=0.5)
    with pytest.raises(StorageFull):
        await files.keep("two", again, media)
    assert again.exists()
    await files.remove("one")
    await files.keep("two", again, media)


async def test_only_so_many_files_at_once(tmp_path: Path) -> None:
    """One more is refused, with when to come back."""
    files = SourceFiles(tmp_path / "sources", 1000)
    with files.place(0), files.place(0), files.place(0), files.place(0):
        with pytest.raises(Overloaded) as caught, files.place(0):
            pass
        assert caught.value.details == {"retryAfter": 5.0}
    with files.place(0):
        pass


async def test_a_decoder_that_dies_ends_the_session_with_the_reason(api: Api, tmp_path: Path) -> None:
    """As an `error` event with its code, and in the session's reason; the server goes on."""
    made = await upload(api, movie(tmp_path / "clip.mp4", seconds=8.0))
    session_id = await play(api, made, pipelines=BOTH)
    await until_async(lambda: has_state(api, session_id, "live"))
    decoders()[-1].kill()
    await until_async(lambda: has_state(api, session_id, "ended"))
    assert (await api.session(session_id))["reason"].startswith("source failed: the system has killed the decoder")
    (told,) = await api.events(session_id, kind="error")
    assert told["data"]["code"] == "overloaded"
