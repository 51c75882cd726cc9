"""`/v1/audio/transcriptions` and `/v1/models`, with OpenAI's own client and by hand."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from server.openai_audio import ALIASES
from tests.fakes_speech import sound
from tests.server.earshot import CLIP, TEXT, Earshot, earshot
from tests.tracks.asr.conftest import read
from tests.tracks.asr.words.fixture import CLIP as SPOKEN
from tests.tracks.asr.words.fixture import load_words, sentences
from tests.tracks.media.clips import encoded, video, wav
from tests.waiting import until
from tracks.errors import ModelUnavailable, Overloaded
from tracks.media.limits import Limits
from tracks.types import SAMPLE_RATE
from tracks.vad.silero import SileroVad

SEGMENT = {
    *("id", "seek", "start", "end", "text", "tokens", "temperature"),
    *("avg_logprob", "compression_ratio", "no_speech_prob"),
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Earshot]:
    async with earshot(tmp_path, Limits(max_bytes=1_000_000, max_duration_s=20.0)) as server:
        yield server


@pytest.fixture
async def client(here: Earshot) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{here.url}/v1", api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def http(here: Earshot) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(here.url) as session:
        yield session


def form(*fields: tuple[str, str], file: bytes | None = CLIP) -> aiohttp.FormData:
    made = aiohttp.FormData()
    for name, value in fields:
        made.add_field(name, value)
    if file is not None:
        made.add_field("file", file, filename="clip.bin")
    return made


async def test_the_client_transcribes(client: openai.AsyncOpenAI, here: Earshot) -> None:
    """The default is json: the text, and the seconds that were used."""
    heard = await client.audio.transcriptions.create(model="whisper-1", file=("clip.wav", CLIP))
    assert heard.text == TEXT
    assert heard.usage is not None
    assert heard.usage.to_dict() == {"type": "duration", "seconds": 7}
    assert here.left() == []


async def test_the_synchronous_client_transcribes(here: Earshot) -> None:
    """From a thread of its own, as scripts do."""

    def ask() -> str:
        with openai.OpenAI(base_url=f"{here.url}/v1", api_key="any", max_retries=0) as made:
            return made.audio.transcriptions.create(model="beeps", file=("clip.wav", CLIP)).text

    assert await asyncio.to_thread(ask) == TEXT
    assert here.ears.asked == ["beeps"]


async def test_the_synchronous_client_streams(here: Earshot) -> None:
    """Events are those of OpenAI's types."""

    def ask() -> list[str]:
        with openai.OpenAI(base_url=f"{here.url}/v1", api_key="any", max_retries=0) as made:
            events = made.audio.transcriptions.create(model="whisper-1", file=("c.wav", CLIP), stream=True)
            return [event.type for event in events]

    assert await asyncio.to_thread(ask) == ["transcript.text.delta"] * 2 + ["transcript.text.done"]


async def test_the_client_streams(client: openai.AsyncOpenAI) -> None:
    """What the deltas say together is what the last event says, with what was used."""
    events = [
        event
        async for event in await client.audio.transcriptions.create(
            model="gpt-4o-mini-transcribe", file=("clip.wav", CLIP), stream=True, response_format="json"
        )
    ]
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert deltas == ["b3 b4", " b6"]
    done = events[-1]
    assert done.type == "transcript.text.done"
    assert done.text == "".join(deltas)
    assert done.to_dict()["usage"] == {"type": "duration", "seconds": 7}


async def test_a_stream_is_events_and_ends_with_done(http: aiohttp.ClientSession) -> None:
    """On the wire: server-sent events, the last of them `[DONE]`."""
    async with http.post("/v1/audio/transcriptions", data=form(("model", "whisper-1"), ("stream", "true"))) as response:
        assert response.content_type == "text/event-stream"
        text = await response.text()
    assert text.startswith('data: {"type": "transcript.text.delta", "delta": "b3 b4"}\n\n')
    assert text.endswith("data: [DONE]\n\n")


async def test_a_failure_after_the_first_byte_raises_in_the_client(client: openai.AsyncOpenAI, here: Earshot) -> None:
    """It is an event with an error, which the client knows."""
    here.asr.gate.clear()
    stream = await client.audio.transcriptions.create(model="whisper-1", file=("clip.wav", CLIP), stream=True)
    here.asr.failure = ModelUnavailable("out of order")
    here.asr.gate.set()
    with pytest.raises(openai.APIError, match="out of order"):
        async for _ in stream:
            pass


async def test_verbose_json_has_segments_with_all_their_fields(client: openai.AsyncOpenAI) -> None:
    """Language by name, duration as a number, and ten fields in a segment, none of them null; words only when asked."""
    heard = await client.audio.transcriptions.create(
        model="whisper-1", file=("clip.wav", CLIP), response_format="verbose_json"
    )
    body: dict[str, Any] = heard.to_dict()
    assert (body["task"], body["language"], body["duration"], body["text"]) == ("transcribe", "english", 6.5, TEXT)
    assert [set(each) for each in body["segments"]] == [SEGMENT, SEGMENT]
    assert all(value is not None for each in body["segments"] for value in each.values())
    assert (body["segments"][1]["id"], body["segments"][1]["seek"], body["segments"][1]["tokens"]) == (1, 520, [])
    assert "words" not in body


async def test_words_are_had_for_the_asking(client: openai.AsyncOpenAI) -> None:
    """`word` alone gives words, both give both; a word has no blank before it."""
    heard = await client.audio.transcriptions.create(
        model="whisper-1", file=("c.wav", CLIP), response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert heard.segments is None
    assert heard.words is not None
    assert [word.word for word in heard.words] == ["b3", "b4", "b6"]
    assert [round(word.start, 1) for word in heard.words] == [0.5, 1.3, 5.2]
    both = await client.audio.transcriptions.create(
        model="whisper-1",
        file=("c.wav", CLIP),
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    assert both.segments
    assert both.words


async def test_a_real_recording_has_its_words(tmp_path: Path) -> None:
    """Real voice detector and recogniser: what is said, in which language, and where the words of a sentence are."""
    said = [each for each in sentences() if each.language == "en"]
    words = [word for each in said for word in each.words]
    clip = read(SPOKEN)[: round((words[-1].end_s + 0.6) * SAMPLE_RATE)]
    async with (
        earshot(tmp_path, Limits(), load_words, SileroVad()) as here,
        openai.AsyncOpenAI(base_url=f"{here.url}/v1", api_key="any", max_retries=0) as client,
    ):
        heard = await client.audio.transcriptions.create(
            model="whisper-1",
            file=("clip.wav", wav(clip)),
            response_format="verbose_json",
            timestamp_granularities=["word", "segment"],
        )
    assert (heard.text, heard.language) == (" ".join(each.text for each in said), "english")
    assert heard.words is not None
    assert heard.segments is not None
    assert [word.word for word in heard.words] == [word.text for word in words]
    # Attention of so small a model strays into the pause between the two.
    timed = list(zip(heard.words, words, strict=True))[len(said[0].words) :]
    assert [word.start for word, _ in timed] == pytest.approx([word.start_s for _, word in timed], abs=0.2)
    assert [word.end for word, _ in timed] == pytest.approx([word.end_s for _, word in timed], abs=0.2)
    assert [segment.text.strip() for segment in heard.segments] == [each.text for each in said]


@pytest.mark.parametrize(
    ("response_format", "start"),
    [("text", TEXT + "\n"), ("srt", "1\n00:00:00,500 -->"), ("vtt", "WEBVTT\n\n00:00:00.500")],
)
async def test_bare_formats_are_bare(client: openai.AsyncOpenAI, response_format: Any, start: str) -> None:
    """The body is the text, the SubRip or the WebVTT itself."""
    heard = await client.audio.transcriptions.create(
        model="whisper-1", file=("clip.wav", CLIP), response_format=response_format
    )
    assert str(heard).startswith(start)


async def test_what_the_client_says_of_the_recording_is_heeded(client: openai.AsyncOpenAI, here: Earshot) -> None:
    """Language, prompt and temperature reach the engine; what there is no use for is taken and left."""
    await client.audio.transcriptions.create(
        model="whisper-1",
        file=("clip.wav", CLIP),
        language="de",
        prompt="Beeps:",
        temperature=0.4,
        chunking_strategy="auto",
        include=["logprobs"],
    )
    hints = here.asr.hints[0]
    assert (hints.language, hints.prompt, hints.temperature) == ("de", "Beeps:", 0.4)


@pytest.mark.parametrize("brackets", ["", "[]"])
async def test_arrays_come_with_brackets_or_without(http: aiohttp.ClientSession, here: Earshot, brackets: str) -> None:
    """And in any order, before the file or after it."""
    data = form(
        (f"timestamp_granularities{brackets}", "segment"),
        (f"timestamp_granularities{brackets}", "word"),
        (f"keywords{brackets}", "beep"),
        (f"keywords{brackets}", "boop"),
        (f"languages{brackets}", "fr"),
    )
    data.add_field("response_format", "verbose_json")
    data.add_field("model", "whisper-1")
    async with http.post("/v1/audio/transcriptions", data=data) as response:
        body = await response.json()
    assert {"words", "segments"} <= body.keys()
    assert (here.asr.hints[0].language, here.asr.hints[0].hotwords) == ("fr", "beep, boop")


@pytest.mark.parametrize(
    ("fields", "status", "code", "param"),
    [
        ([], 400, "invalid_request", "model"),
        ([("model", "gpt-9")], 404, "model_not_found", "model"),
        ([("model", "whisper-1"), ("response_format", "diarized_json")], 400, "invalid_request", "response_format"),
        ([("model", "whisper-1"), ("response_format", "xml")], 400, "invalid_request", "response_format"),
        (
            [("model", "whisper-1"), ("timestamp_granularities[]", "word")],
            *(400, "invalid_request", "timestamp_granularities"),
        ),
        (
            [("model", "whisper-1"), ("timestamp_granularities", "letter")],
            *(400, "invalid_request", "timestamp_granularities"),
        ),
        ([("model", "whisper-1"), ("temperature", "hot")], 400, "invalid_request", "temperature"),
        ([("model", "whisper-1"), ("temperature", "nan")], 400, "invalid_request", "temperature"),
        ([("model", "whisper-1"), ("language", "klingon")], 400, "invalid_request", "language"),
        ([("model", "whisper-1"), ("stream", "maybe")], 400, "invalid_request", "stream"),
        ([("model", "whisper-1"), ("model", "beeps")], 400, "invalid_request", "model"),
    ],
)
async def test_wrong_fields_are_errors_in_openais_shape(
    http: aiohttp.ClientSession, fields: list[tuple[str, str]], status: int, code: str, param: str
) -> None:
    """Message, type, parameter and code, and the id of the request."""
    async with http.post("/v1/audio/transcriptions", data=form(*fields)) as response:
        error = (await response.json())["error"]
        assert response.status == status
        assert response.headers["X-Request-Id"]
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", code, param)
    assert error["message"]


@pytest.mark.parametrize(
    ("file", "raised", "code"),
    [
        (b"\0", openai.APIStatusError, "unsupported_media"),
        (b"", openai.APIStatusError, "unsupported_media"),
        (CLIP[:-20_000], openai.APIStatusError, "unsupported_media"),
        (wav(sound(21.0)), openai.APIStatusError, "payload_too_large"),
        (bytes(1_000_001), openai.APIStatusError, "payload_too_large"),
    ],
)
async def test_what_cannot_be_heard_raises_in_the_client(
    client: openai.AsyncOpenAI, here: Earshot, file: bytes, raised: type[openai.APIStatusError], code: str
) -> None:
    """By its code, streamed or not, and nothing is left on the disk."""
    for stream in (False, True):
        with pytest.raises(raised) as caught:
            await client.audio.transcriptions.create(model="whisper-1", file=("a.wav", file), stream=stream)  # type: ignore[call-overload]
        assert caught.value.code == code
    assert here.left() == []


async def test_what_has_no_sound_that_is_known_raises_in_the_client(
    client: openai.AsyncOpenAI, here: Earshot, tmp_path: Path
) -> None:
    """A video without sound, and a codec that is not taken."""
    for path, message in (
        (video(tmp_path / "mute.mp4", "mp4", "mpeg4"), "no audio in it"),
        (encoded(tmp_path / "a.mkv", "matroska", "wavpack", sound(0.5, 0.3), 16_000), "'wavpack' is not taken"),
    ):
        with pytest.raises(openai.APIStatusError, match=message) as caught:
            await client.audio.transcriptions.create(model="whisper-1", file=path)
        assert (caught.value.status_code, caught.value.code) == (415, "unsupported_media")
    assert here.left() == []


async def test_a_missing_model_raises_in_the_client(client: openai.AsyncOpenAI, here: Earshot) -> None:
    """Unlike one that is unknown, it is the server's trouble, and the client is told not to try again."""
    here.ears.missing = "whisper-large"
    with pytest.raises(openai.InternalServerError, match="whisper-large is missing") as caught:
        await client.audio.transcriptions.create(model="whisper-1", file=("clip.wav", CLIP))
    assert (caught.value.status_code, caught.value.code) == (503, "model_unavailable")
    assert caught.value.response.headers["x-should-retry"] == "false"


async def test_a_form_without_a_file_and_what_is_no_form(http: aiohttp.ClientSession) -> None:
    """Both are invalid requests."""
    async with http.post(
        "/v1/audio/transcriptions", data=form(("model", "whisper-1"), ("x", "y"), file=None)
    ) as response:
        assert response.status == 400
    async with http.post("/v1/audio/transcriptions", json={"model": "whisper-1"}) as response:
        error = (await response.json())["error"]
        assert (response.status, error["type"], error["code"]) == (400, "invalid_request_error", "invalid_request")


async def test_the_client_is_told_whether_to_try_again(http: aiohttp.ClientSession, here: Earshot) -> None:
    """A busy engine: in a while. One that is out of order: no."""
    here.asr.failure = Overloaded("too much")
    async with http.post("/v1/audio/transcriptions", data=form(("model", "whisper-1"))) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert (await response.json())["error"]["type"] == "server_error"
    here.asr.failure = ModelUnavailable("out of order")
    async with http.post("/v1/audio/transcriptions", data=form(("model", "whisper-1"))) as response:
        assert (response.status, response.headers["x-should-retry"]) == (503, "false")


async def test_who_leaves_a_stream_is_not_worked_for(client: openai.AsyncOpenAI, here: Earshot) -> None:
    """Closing the stream cancels decoding."""
    here.asr.endless = True
    stream = await client.audio.transcriptions.create(model="whisper-1", file=("clip.wav", CLIP), stream=True)
    await until(here.asr.entered.is_set)
    await stream.close()
    await until(lambda: here.asr.cancelled)
    await until(lambda: not here.left())


async def test_models_are_listed(client: openai.AsyncOpenAI) -> None:
    """Those of the registry and OpenAI's own names; each can be looked up, another is not found."""
    listed = [each.id async for each in await client.models.list()]
    assert listed == ["beeps", "org/other", *ALIASES]
    found = await client.models.retrieve("org/other")
    assert (found.id, found.object, found.owned_by) == ("org/other", "model", "vedette")
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


async def test_an_unknown_path_is_not_found_in_openais_shape(client: openai.AsyncOpenAI) -> None:
    """What OpenAI has and this server has not says so."""
    with pytest.raises(openai.NotFoundError) as caught:
        await client.audio.speech.create(model="tts-1", voice="alloy", input="hello")
    assert caught.value.code == "not_found"


async def test_curl_transcribes(here: Earshot, tmp_path: Path) -> None:
    """As in OpenAI's documentation."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this machine")
    path = tmp_path / "clip.wav"
    path.write_bytes(CLIP)
    url = f"{here.url}/v1/audio/transcriptions"
    command = [curl, "-sS", url, "-H", "Authorization: Bearer x", "-F", "model=whisper-1", "-F", f"file=@{path}"]
    process = await asyncio.create_subprocess_exec(
        *command, "-F", "response_format=text", stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert out.decode() == TEXT + "\n"
