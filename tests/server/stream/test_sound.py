"""Sound in: heard on the clock of the pictures, with its gaps."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from tests.fakes_speech import sound
from tests.server.stream.client import Stream
from tests.server.stream.conftest import Connect
from tests.waiting import until

RATE = 16_000
CHUNK = RATE // 10


async def play(it: Stream, samples: Any, first: float) -> None:
    """In chunks of 100 ms."""
    for at in range(0, len(samples) - CHUNK + 1, CHUNK):
        await it.pcm(first + at / RATE, samples[at : at + CHUNK])


def finals(it: Stream) -> list[dict[str, Any]]:
    return [each for each in it.kinds("transcript") if each["data"]["final"]]


async def test_what_is_said_is_transcribed_on_the_clients_clock(client: Connect) -> None:
    """Media time is its ts less the first; partials are live, finals stored; `speech` says when."""
    it = await client()
    await it.start(pipelines=["audio"])
    await play(it, sound(0.5, 0.3, 1.2), 50.0)
    await until(lambda: finals(it))
    assert finals(it)[0]["data"]["text"] == "b3"
    assert finals(it)[0]["data"]["words"][0]["start"] == pytest.approx(0.5, abs=0.05)
    assert finals(it)[0]["seq"] is not None
    assert [each["data"]["phase"] for each in it.kinds("speech")] == ["started", "stopped"]


@pytest.mark.parametrize(("gap_s", "utterances"), [(0.5, 1), (2.5, 2)])
async def test_a_short_gap_is_silence_and_a_long_one_ends_the_utterance(
    client: Connect, gap_s: float, utterances: int
) -> None:
    """Two words with nothing sent between them; utterances so far apart are never joined for a busy recogniser."""
    it = await client()
    await it.start(pipelines=["audio"])
    word = sound(0.0, 0.4)
    await play(it, word, 0.0)
    await play(it, np.concatenate([word, sound(1.2)]), 0.4 + gap_s)
    await until(lambda: sum(len(final["data"]["words"]) for final in finals(it)) == 2)
    assert [each["data"]["phase"] for each in it.kinds("speech")].count("started") == utterances
    words = [each["start"] for final in finals(it) for each in final["data"]["words"]]
    assert words == pytest.approx([0.0, 0.4 + gap_s], abs=0.06)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
async def test_three_rates_are_taken_as_text(client: Connect, rate: int) -> None:
    """16 bits, little-endian, in base64."""
    it = await client()
    await it.start(pipelines=["audio"])
    samples = (sound(0.2, 0.3, 1.0, rate=rate) * 32767).astype("<i2")
    size = rate // 2
    for at in range(0, len(samples) - size + 1, size):
        data = base64.b64encode(samples[at : at + size].tobytes()).decode()
        await it.say(type="audio", ts=at / rate, data=data, rate=rate)
    await until(lambda: finals(it))
    assert finals(it)[0]["data"]["text"] == "b3"


@pytest.mark.parametrize(
    ("data", "rate", "code"),
    [
        (bytes(2 * 319), 16000, "invalid_request"),
        (bytes(2 * 16001), 16000, "payload_too_large"),
        (bytes(3201), 16000, "invalid_request"),
        (bytes(3200), 44100, "invalid_request"),
    ],
)
async def test_other_chunks_are_refused(client: Connect, data: bytes, rate: int, code: str) -> None:
    """20 ms to a second, whole samples, three rates; one bad chunk is not fatal."""
    it = await client()
    await it.start(pipelines=["audio"])
    await it.say(type="audio", ts=0.0, data=base64.b64encode(data).decode(), rate=rate)
    await until(lambda: it.types("error"))
    assert (it.types("error")[0]["error"]["code"], it.types("error")[0]["fatal"]) == (code, False)


async def test_the_last_words_come_before_the_reply_to_end(client: Connect) -> None:
    """What was being said when the client ended is finished first."""
    it = await client()
    await it.start(pipelines=["audio"])
    await play(it, sound(0.3, 0.5), 0.0)
    await it.ask(type="end", id="e")
    assert await it.closed() == 1000
    assert [each["data"]["text"] for each in finals(it)] == ["b5"]
    assert it.messages[-1]["type"] == "reply"


async def test_what_is_said_while_paused_is_not_heard(client: Connect) -> None:
    """Before and after it is."""
    it = await client()
    await it.start(pipelines=["audio"])
    await play(it, sound(0.2, 0.3, 1.0), 0.0)
    await until(lambda: finals(it))
    await it.command("pause")
    await play(it, sound(0.2, 0.6, 1.0), 2.0)
    await it.command("resume")
    await play(it, sound(0.2, 0.4, 1.0), 6.0)
    await until(lambda: len(finals(it)) == 2)
    assert [each["data"]["text"] for each in finals(it)] == ["b3", "b4"]
