"""`POST /analyze/audio`: recordings in, words out, and nothing left behind."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from server.transcription import MAX_AT_ONCE
from tests.fakes_speech import sound
from tests.server.clients import problem
from tests.server.earshot import CLIP, TEXT, Earshot, earshot
from tests.tracks.media.clips import encoded, video, wav
from tests.waiting import until
from tracks.media.limits import Limits


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Earshot]:
    async with earshot(tmp_path, Limits(max_bytes=1_000_000, max_duration_s=20.0)) as server:
        yield server


@pytest.fixture
async def http(here: Earshot) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(here.url) as session:
        yield session


async def test_a_body_becomes_words(here: Earshot, http: aiohttp.ClientSession) -> None:
    """The file as the body gives text, words with times and probability, segments, language, duration and engine."""
    async with http.post("/analyze/audio", data=CLIP) as response:
        assert response.status == 200
        body: dict[str, Any] = await response.json()
    assert body["text"] == TEXT
    assert (body["language"], body["duration"], body["engine"]) == ("en", 6.5, "beeps")
    assert [round(word["start"], 1) for word in body["words"]] == [0.5, 1.3, 5.2]
    assert body["words"][0].keys() == {"text", "start", "end", "probability"}
    assert [(each["text"], each["speaker"]) for each in body["segments"]] == [("b3 b4", None), ("b6", None)]
    assert 0 < body["realTimeFactor"] < 10
    assert here.left() == []


async def test_a_form_becomes_words_in_any_order(here: Earshot, http: aiohttp.ClientSession) -> None:
    """Fields before and after the file count, and the model is the one that is named."""
    form = aiohttp.FormData()
    form.add_field("language", "German")
    form.add_field("file", CLIP, filename="../../etc/passwd.wav", content_type="text/html")
    form.add_field("prompt", "Beeps:")
    form.add_field("model", "org/other")
    async with http.post("/analyze/audio", data=form) as response:
        assert (await response.json())["text"] == TEXT
    assert (here.asr.hints[0].language, here.asr.hints[0].prompt) == ("de", "Beeps:")
    assert here.ears.asked == ["org/other"]


@pytest.mark.parametrize(
    ("accept", "media_type", "expected"),
    [
        (
            "text/vtt",
            "text/vtt",
            "WEBVTT\n\n00:00:00.500 --> 00:00:01.700\nb3 b4\n\n00:00:05.200 --> 00:00:05.800\nb6\n\n",
        ),
        (
            "application/x-subrip;q=1, */*",
            "application/x-subrip",
            "1\n00:00:00,500 --> 00:00:01,700\nb3 b4\n\n2\n00:00:05,200 --> 00:00:05,800\nb6\n\n",
        ),
    ],
)
async def test_subtitles_are_had_for_the_asking(
    http: aiohttp.ClientSession, accept: str, media_type: str, expected: str
) -> None:
    """`Accept` chooses WebVTT or SubRip."""
    async with http.post("/analyze/audio", data=CLIP, headers={"Accept": accept}) as response:
        assert response.content_type == media_type
        assert await response.text() == expected


async def test_silence_is_an_empty_transcript(here: Earshot, http: aiohttp.ClientSession) -> None:
    """A silent recording is no error, has no words, and is not given to the engine."""
    async with http.post("/analyze/audio", data=wav(sound(3.0))) as response:
        body = await response.json()
    assert (response.status, body["text"], body["words"], body["segments"]) == (200, "", [], [])
    assert here.asr.heard == []


async def test_any_container_is_taken(here: Earshot, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """Telephone WAV and stereo WebM give the same words."""
    for name, container, codec, rate, layout in (
        ("a", "wav", "pcm_mulaw", 8_000, "mono"),
        ("b", "webm", "libopus", 48_000, "stereo"),
    ):
        path = encoded(tmp_path / name, container, codec, sound(0.5, 0.3, 0.5, rate=rate), rate, layout)
        async with http.post("/analyze/audio", data=path.read_bytes()) as response:
            assert (await response.json())["text"] == "b3"


@pytest.mark.parametrize(
    ("data", "status", "code", "message"),
    [
        (b"", 415, "unsupported_media", "0 bytes"),
        (b"hello " * 1000, 415, "unsupported_media", "readable are wav"),
        (CLIP[:-20_000], 415, "unsupported_media", "cut off"),
        (wav(sound(21.0)), 413, "payload_too_large", "at most 20 s"),
        (bytes(1_000_001), 413, "payload_too_large", "larger than"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", 415, "unsupported_media", "format is not taken"),
    ],
)
async def test_what_cannot_be_heard_is_refused(
    here: Earshot, http: aiohttp.ClientSession, data: bytes, status: int, code: str, message: str
) -> None:
    """Each with its stable code and the reason, and nothing left on the disk."""
    async with http.post("/analyze/audio", data=data) as response:
        found = await problem(response)
    assert found[:2] == (status, code)
    assert message in found[2]
    assert here.left() == []


async def test_a_video_without_sound_is_refused(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """With what there is instead."""
    data = video(tmp_path / "mute.mp4", "mp4", "mpeg4").read_bytes()
    async with http.post("/analyze/audio", data=data) as response:
        assert await problem(response) == (415, "unsupported_media", "there is no audio in it, only video")


async def test_an_unknown_codec_is_refused_by_name(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """What FFmpeg could read, and this server does not let it."""
    data = encoded(tmp_path / "a.mkv", "matroska", "wavpack", sound(0.5, 0.3, rate=16_000), 16_000).read_bytes()
    async with http.post("/analyze/audio", data=data) as response:
        status, code, text = await problem(response)
    assert (status, code) == (415, "unsupported_media")
    assert "'wavpack' is not taken" in text


async def test_a_missing_model_is_told(here: Earshot, http: aiohttp.ClientSession) -> None:
    """Which it is, with the code that says that trying again at once is of no use; nothing is left on the disk."""
    here.ears.missing = "whisper-large"
    async with http.post("/analyze/audio", data=CLIP) as response:
        assert await problem(response) == (503, "model_unavailable", "whisper-large is missing")
    assert here.left() == []


async def test_a_model_that_is_not_in_the_registry_is_not_found(http: aiohttp.ClientSession) -> None:
    """With those that are."""
    async with http.post("/analyze/audio?model=gpt-9", data=CLIP) as response:
        status, code, text = await problem(response)
    assert (status, code) == (404, "not_found")
    assert "have: beeps, org/other" in text


@pytest.mark.parametrize(
    ("query", "message"),
    [("?language=klingon", "'klingon'"), ("?loud=yes", "have: hotwords, language"), ("?prompt=" + "x" * 4001, "4000")],
)
async def test_wrong_fields_are_named(http: aiohttp.ClientSession, query: str, message: str) -> None:
    """A field that is wrong or unknown is an invalid request."""
    async with http.post(f"/analyze/audio{query}", data=CLIP) as response:
        status, code, text = await problem(response)
    assert (status, code) == (400, "invalid_request")
    assert message in text


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nRIFF',
        b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nabc\r\n--x--\r\n',
        b"nonsense",
        b"",
    ],
)
async def test_a_broken_form_is_an_invalid_request(here: Earshot, http: aiohttp.ClientSession, body: bytes) -> None:
    """One that breaks off, has no file, or is none."""
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    async with http.post("/analyze/audio", data=body, headers=headers) as response:
        assert (await problem(response))[:2] == (400, "invalid_request")
    assert here.left() == []


async def test_a_cut_upload_leaves_nothing(here: Earshot) -> None:
    """A client that goes in the middle of its file takes it along."""
    for head in (b"", b"Content-Type: multipart/form-data; boundary=x\r\n"):
        host, port = here.url.removeprefix("http://").rstrip("/").split(":")
        _, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
        lines = b"POST /analyze/audio HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500000\r\n" + head + b"\r\n"
        writer.write(lines + b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + bytes(100_000))
        await writer.drain()
        await until(here.left)
        writer.close()
        await until(lambda: not here.left())


async def test_who_leaves_is_not_worked_for(here: Earshot, http: aiohttp.ClientSession) -> None:
    """A client that goes while its recording is heard ends the work, and what others sent goes on."""
    here.asr.endless = True
    asking = asyncio.create_task(http.post("/analyze/audio", data=CLIP))
    await until(here.asr.entered.is_set)
    asking.cancel()
    await until(lambda: here.asr.cancelled)
    await until(lambda: not here.left())
    here.asr.endless = False
    async with http.post("/analyze/audio", data=CLIP) as response:
        assert (await response.json())["text"] == TEXT


async def test_only_so_many_at_once(here: Earshot, http: aiohttp.ClientSession) -> None:
    """One more than there is room for is refused, with when to come back."""
    here.asr.gate.clear()
    asking = [asyncio.create_task(http.post("/analyze/audio", data=CLIP)) for _ in range(MAX_AT_ONCE)]
    await until(lambda: len(here.left()) == MAX_AT_ONCE)
    async with http.post("/analyze/audio", data=CLIP) as response:
        assert (await problem(response))[:2] == (503, "overloaded")
        assert response.headers["Retry-After"] == "5"
    here.asr.gate.set()
    for each in await asyncio.gather(*asking):
        assert each.status == 200
        each.release()
