"""A recogniser elsewhere, on a real server of this machine that answers as OpenAI's does."""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from aiohttp import web

from tests.tracks.asr.conftest import noise, utterance
from tracks.asr import DecodingCancelled, Hints
from tracks.asr.openai import OpenAiAsr, load
from tracks.asr.options import Endpoint, Options
from tracks.errors import InvalidRequest, ModelUnavailable, Overloaded, VedetteError
from tracks.registry import ModelSpec, Registry
from tracks.types import Transcript, Utterance

SPEC = Registry.load().model("openai", "asr")


def answer(text: str = "Ask not what", **changes: Any) -> dict[str, Any]:
    """A `verbose_json` answer, as whisper-1 gives it."""
    words = [{"word": f" {word}", "start": i * 0.4, "end": i * 0.4 + 0.3} for i, word in enumerate(text.split())]
    segment = {
        **{"id": 0, "seek": 0, "start": 0.0, "end": 2.0, "text": f" {text}", "tokens": [1, 2]},
        **{"temperature": 0.0, "avg_logprob": -0.25, "compression_ratio": 1.1, "no_speech_prob": 0.01},
    }
    whole = {"task": "transcribe", "language": "english", "duration": 2.0, "text": text}
    return whole | {"words": words, "segments": [segment]} | changes


class Elsewhere:
    """Answers what it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.reply: Callable[[], Awaitable[web.StreamResponse] | web.StreamResponse] = lambda: web.json_response(
            answer()
        )
        self.url = ""
        self.at_once = 0
        self.most_at_once = 0

    async def transcriptions(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers.get("Authorization"))
        fields: dict[str, Any] = {}
        async for part in await request.multipart():
            body = bytes(await part.read())
            fields.setdefault(part.name, []).append(body if part.name == "file" else body.decode())
        self.asked.append(fields)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            found = self.reply()
            return found if isinstance(found, web.StreamResponse) else await found
        finally:
            self.at_once -= 1


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    server = Elsewhere()
    app = web.Application()
    app.router.add_post("/v1/audio/transcriptions", server.transcriptions)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield server
    await runner.cleanup()


def reached(url: str, timeout_s: float = 20.0, **values: Any) -> OpenAiAsr:
    return load(SPEC, Options(endpoint=Endpoint(url, "key-1", timeout_s, **values)))


async def hear(elsewhere: Elsewhere, hints: Hints | None = None, **values: Any) -> Transcript:
    """One utterance of 2 s from 30.0 on, on a thread, as a Worker would."""

    def call() -> Transcript:
        asr = reached(elsewhere.url, **values)
        try:
            return asr.transcribe(utterance(noise(2.0), 30.0), hints or Hints())
        finally:
            asr.close()

    return await asyncio.to_thread(call)


async def test_words_come_back_on_the_utterances_clock(elsewhere: Elsewhere) -> None:
    """Blanks go, times move, the language becomes its code, and a word's probability is that of its segment."""
    heard = await hear(elsewhere)
    assert (heard.text, heard.language, heard.final) == ("Ask not what", "en", True)
    assert [(w.text, round(w.start_s, 2), round(w.end_s, 2)) for w in heard.words] == [
        *(("Ask", 30.0, 30.3), ("not", 30.4, 30.7), ("what", 30.8, 31.1))
    ]
    assert heard.words[0].probability == pytest.approx(0.7788, abs=1e-4)
    assert (heard.segments[0].text, heard.segments[0].end_s, heard.segments[0].tokens) == ("Ask not what", 32.0, (1, 2))


async def test_what_is_sent_is_what_was_said(elsewhere: Elsewhere) -> None:
    """A WAV file of 16 kHz, the model's name there, the hints, the key; nothing that nobody gave."""
    await hear(elsewhere, Hints("de", "Vedette", None, 0.2))
    fields = elsewhere.asked[0]
    with wave.open(io.BytesIO(fields.pop("file")[0])) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (1, 16_000, 32_000)
    assert fields == {
        **{
            "model": ["whisper-1"],
            "response_format": ["verbose_json"],
            "timestamp_granularities[]": ["word", "segment"],
        },
        **{"language": ["de"], "prompt": ["Vedette"], "temperature": ["0.2"]},
    }
    assert elsewhere.keys == ["Bearer key-1"]
    await hear(elsewhere)
    assert elsewhere.asked[1].keys() == {"file", "model", "response_format", "timestamp_granularities[]"}


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (401, ModelUnavailable, "answered 401: wrong key"),
        (404, ModelUnavailable, "answered 404"),
        (429, Overloaded, "answered 429"),
        (500, ModelUnavailable, "answered 500"),
        (503, Overloaded, "answered 503"),
    ],
)
async def test_refusals_are_told(elsewhere: Elsewhere, status: int, kind: type[VedetteError], said: str) -> None:
    """Who refused, how, and in its own words; the key is in no message."""
    elsewhere.reply = lambda: web.json_response(
        {"error": {"message": "wrong key"}}, status=status, headers={"x-should-retry": "false"}
    )
    with pytest.raises(kind, match=said) as caught:
        await hear(elsewhere)
    assert "whisper-1 at 127.0.0.1" in caught.value.message
    assert "key-1" not in caught.value.message


@pytest.mark.parametrize(
    "body", ['{"text": 1}', "{", "<html>", '{"text": "a", "words": [{"word": "a"}]}', "null", '"a"']
)
async def test_an_answer_that_is_none_is_told(elsewhere: Elsewhere, body: str) -> None:
    """Whatever comes back, it is an error with a stable code."""
    elsewhere.reply = lambda: web.Response(text=body, content_type="application/json")
    with pytest.raises(ModelUnavailable, match="gave no verbose_json"):
        await hear(elsewhere)


async def test_nobody_there_and_nobody_who_answers(elsewhere: Elsewhere) -> None:
    """A closed port and a server that says nothing are told apart, and neither is waited for without end."""
    never = asyncio.Event()

    async def wait() -> web.Response:
        await never.wait()
        return web.Response()

    elsewhere.reply = wait
    with pytest.raises(ModelUnavailable, match=r"gave no answer within 0\.3 s"):
        await hear(elsewhere, timeout_s=0.3)
    elsewhere.url = "http://127.0.0.1:9/v1"
    with pytest.raises(ModelUnavailable, match="cannot be reached"):
        await hear(elsewhere)
    never.set()


async def test_whoever_leaves_ends_the_request(elsewhere: Elsewhere) -> None:
    """The connection is dropped at once, and the recogniser can be used again."""
    asked, dropped = threading.Event(), asyncio.Event()

    async def wait() -> web.Response:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            dropped.set()
        return web.Response()

    elsewhere.reply = wait

    def call() -> Transcript:
        asr = reached(elsewhere.url)
        with pytest.raises(DecodingCancelled):
            asr.transcribe(utterance(noise(1.0)), cancelled=asked.is_set)
        elsewhere.reply = lambda: web.json_response(answer())
        try:
            return asr.transcribe(utterance(noise(1.0)))
        finally:
            asr.close()

    assert (await asyncio.to_thread(call)).text == "Ask not what"
    await asyncio.wait_for(dropped.wait(), 10)


async def test_somebody_is_followed_while_another_utterance_is_finished(elsewhere: Elsewhere) -> None:
    """Whoever is asked whether to go on may push a stream meanwhile, and neither gets in the other's way."""
    pushed = threading.Event()

    async def once_pushed() -> web.Response:
        first = len(elsewhere.asked) == 1
        while first and not pushed.is_set():
            await asyncio.sleep(0.01)
        return web.json_response(answer("Ask" if first else "not"))

    elsewhere.reply = once_pushed
    partials: list[Transcript] = []

    def call() -> Transcript:
        asr = reached(elsewhere.url)

        def cancelled() -> bool:
            if elsewhere.asked and not partials:
                stream = asr.stream(9.0)
                stream.push(noise(0.5))
                partials.append(stream.push(noise(0.5)))
                stream.abandon()
                pushed.set()
            return False

        try:
            return asr.transcribe(utterance(noise(1.0)), cancelled=cancelled)
        finally:
            asr.close()

    assert (await asyncio.to_thread(call)).text == "Ask"
    assert [each.text for each in partials] == ["not"]


async def test_a_batch_is_asked_for_at_once(elsewhere: Elsewhere) -> None:
    """As many requests side by side; silence is not sent; one that fails fails the batch; too many are refused."""
    gate = asyncio.Event()

    async def meet() -> web.Response:
        if elsewhere.at_once == 3:
            gate.set()
        await gate.wait()
        return web.json_response(answer())

    elsewhere.reply = meet
    three: list[Utterance] = [utterance(noise(0.5, seed), seed) for seed in (1, 2, 3)]
    silence = utterance(np.zeros(8000, np.float32), 9.0)

    def call() -> list[Transcript]:
        asr = reached(elsewhere.url)
        try:
            with pytest.raises(InvalidRequest, match="at most 4"):
                asr.transcribe_batch([silence] * 5)
            return asr.transcribe_batch([*three, silence])
        finally:
            asr.close()

    heard = await asyncio.to_thread(call)
    assert [each.words[0].start_s for each in heard[:3]] == [1.0, 2.0, 3.0]
    assert (heard[3].text, elsewhere.most_at_once, len(elsewhere.asked)) == ("", 3, 3)
    elsewhere.reply = lambda: web.Response(status=401, text="no")
    with pytest.raises(ModelUnavailable, match="answered 401"):
        await asyncio.to_thread(call)


async def test_hallucinations_are_dropped_here_too(elsewhere: Elsewhere) -> None:
    """A segment that its own measures speak against is not shown, whoever made it."""
    doubtful = answer("Thanks for watching")
    doubtful["segments"][0] |= {"no_speech_prob": 0.9, "avg_logprob": -1.4}
    elsewhere.reply = lambda: web.json_response(doubtful)
    heard = await hear(elsewhere)
    assert (heard.text, heard.words, heard.segments) == ("", (), ())


async def test_servers_that_leave_things_out(elsewhere: Elsewhere) -> None:
    """Without words there is the text, without measures nothing is doubted, and a word's own probability counts."""
    elsewhere.reply = lambda: web.json_response(answer(words=None, segments=None, language="en"))
    heard = await hear(elsewhere)
    assert (heard.text, heard.words, heard.language) == ("Ask not what", (), "en")
    own = [{"word": "Ask", "start": 0.1, "end": 0.2, "probability": 0.5}, {"word": "not", "start": 1.9, "end": 99.0}]
    elsewhere.reply = lambda: web.json_response(answer("Ask not", words=own, segments=None, language="klingon"))
    heard = await hear(elsewhere)
    assert [(word.probability, word.end_s) for word in heard.words] == [(0.5, 30.2), (0.0, 32.0)]
    assert heard.language is None


async def test_partials_are_agreed_on_or_not_asked_for(elsewhere: Elsewhere) -> None:
    """Each push asks again; where that is not wanted only the end is asked for."""
    said = iter(["Ask", "Ask not", "Asked not what", "Ask not what"])
    elsewhere.reply = lambda: web.json_response(answer(next(said)))

    def call(partials: bool, pushes: int) -> tuple[list[str], str]:
        asr = reached(elsewhere.url, partials=partials)
        stream = asr.stream(0.0)
        texts = [stream.push(noise(0.5)).text for _ in range(pushes)]
        final = stream.finish(utterance(noise(0.5 * pushes)))
        asr.close()
        return texts, final.text

    assert await asyncio.to_thread(call, True, 3) == (["Ask", "Ask not", "Ask not what"], "Ask not what")
    elsewhere.reply = lambda: web.json_response(answer())
    before = len(elsewhere.asked)
    assert await asyncio.to_thread(call, False, 3) == (["", "", ""], "Ask not what")
    assert len(elsewhere.asked) == before + 1


def test_an_endpoint_must_be_named() -> None:
    """Nothing is sent anywhere by default."""
    for endpoint in (None, Endpoint("no url")):
        with pytest.raises(ModelUnavailable, match="needs OPENAI_BASE_URL"):
            load(ModelSpec("there", "asr", hub="x", engine="openai"), Options(endpoint=endpoint))
