"""What is said into a browser's microphone, on the page, as it is said."""

from __future__ import annotations

import re
import wave
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import pytest
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from tests.e2e.browsing import browsing, filming
from tests.e2e.test_browser import events_of
from tests.waiting import until

RATE = 48_000
LEAST_BITRATE = 80_000
"""Bits per second while somebody speaks: by itself Chromium sends 32,000, from which words are hard to tell."""
PATIENCE_MS = 60_000
"""The sentence takes 11 s; on a busy machine the recogniser is behind."""
WORDS = frozenset(
    {*("and", "so", "my", "fellow", "americans", "ask", "not"), *("what", "your", "country", "can", "do", "for", "you")}
)
"""Of the sentence. Pocketsphinx gets half of them right, not always the same: the recording is old, and comes by way of
Chromium's sound and Opus."""

WATCH = """
() => {
  const list = document.querySelector('ol[aria-label="What was said"]');
  window.partials = [];
  const look = () => {
    const finals = list.querySelectorAll('li[data-partial=false]').length;
    for (const line of list.querySelectorAll('li[data-partial=true] p')) {
      const text = line.textContent;
      if (window.partials.some((each) => each.text === text)) continue;
      window.partials.push({text, finals, colour: getComputedStyle(line).color});
    }
  };
  new MutationObserver(look).observe(list, {subtree: true, childList: true, characterData: true, attributes: true});
}
"""
"""Remember each partial line that is shown, and after how many finals."""

FINALS = """
() => [...document.querySelectorAll('ol[aria-label="What was said"] li[data-partial=false]')].map((line) => {
  const [time, text] = [line.querySelector('time'), line.querySelector('p')];
  return {text: text.textContent, colour: getComputedStyle(text).color, clock: time.textContent, at: time.dateTime};
})
"""
"""The final lines, and when they were said."""

CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...given) {
    super(...given);
    window.connections.push(this);
  }
};
"""
SOUND_SENT = """
async () => {
  const stats = await Promise.all(window.connections.map((each) => each.getStats()));
  const sound = (each) => each.type === 'outbound-rtp' && each.kind === 'audio';
  const sent = stats.flatMap((each) => [...each.values()]).find(sound);
  return {bytes: sent.bytesSent, at: sent.timestamp / 1000};
}
"""
"""Bytes of sound that have gone out, and when that was."""


@pytest.fixture
def microphone_file(shared: Path, tmp_path: Path) -> Path:
    """A sentence of 1961, as Chromium's fake microphone takes it: s16, 48 kHz, mono."""
    path = tmp_path / "jfk.wav"
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(shared / "media/jfk.flac")) as container, wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * RATE))  # a second in which echo cancellation finds its level
        for frame in [*container.decode(audio=0), None]:
            for made in resampler.resample(frame):
                file.writeframes(made.to_ndarray().tobytes())
    return path


@pytest.fixture
async def page(chromium: str, camera_file: Path, microphone_file: Path) -> AsyncIterator[Page]:
    """A page in a headless Chromium whose camera shows people and whose microphone hears the sentence, once."""
    speaking = f"--use-file-for-fake-audio-capture={microphone_file}%noloop"
    async with browsing(chromium, *filming(camera_file), speaking, reduced_motion="reduce") as context:
        yield await context.new_page()


async def test_a_sentence_is_shown_as_it_is_spoken(start_server: Any, page: Page, tmp_path: Path) -> None:
    """Dimmed lines that grow, then final ones with their times, in order, and what heard them in which language."""
    server = await start_server()
    await until(lambda: any("recogniser  pocketsphinx" in line for line in server.output))
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    await page.add_init_script(CONNECTIONS)
    await page.goto(server.url)
    await page.get_by_label("Beside the picture").get_by_text("Transcript").click()
    microphone = page.get_by_role("button", name="Microphone", exact=True)
    await microphone.click()
    await page.get_by_role("button", name="Camera", exact=True).click()
    await expect(page.locator("[data-phase=live]")).to_be_visible(timeout=PATIENCE_MS)
    await page.evaluate(WATCH)
    # Let go of and taken again: the file begins anew, and its first words are said into a connection that stands.
    await microphone.click()
    await page.get_by_role("button", name="Switch the microphone on").click()
    before = await page.evaluate(SOUND_SENT)
    said = page.get_by_label("What was said")
    finals, partials = said.locator("li[data-partial=false]"), said.locator("li[data-partial=true]")

    await expect(partials.filter(has_text=re.compile(r"\byou\b"))).to_be_visible(timeout=PATIENCE_MS)
    await expect(page.get_by_role("complementary", name="Transcript").get_by_role("status")).to_have_count(0)
    sent = await page.evaluate(SOUND_SENT)
    assert 8 * (sent["bytes"] - before["bytes"]) / (sent["at"] - before["at"]) > LEAST_BITRATE
    await page.screenshot(path=tmp_path / "speaking.png")
    await expect(finals.filter(has_text=re.compile(r"\byou\b"))).to_be_visible(timeout=PATIENCE_MS)
    await expect(partials).to_have_count(0)
    await page.screenshot(path=tmp_path / "said.png")

    lines = await page.evaluate(FINALS)
    heard = " ".join(line["text"] for line in lines)
    assert len(lines) >= 2, lines
    assert re.search(r"americ.* not\b.* you\b", heard), heard
    assert len(WORDS & set(heard.split())) >= 5, heard
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d", line["clock"]) for line in lines)
    times = [datetime.fromisoformat(line["at"]) for line in lines]
    assert times == sorted(times)
    assert 2 < (times[-1] - times[0]).total_seconds() < 12
    await expect(page.get_by_title("Language and recogniser")).to_have_text("English · pocketsphinx")

    shown = await page.evaluate("() => window.partials")
    assert len([each for each in shown if each["finals"] == 0]) >= 3, shown
    assert not {each["colour"] for each in shown} & {line["colour"] for line in lines}
    async with ClientSession() as http:
        kept = await events_of(http, server.url, kind="transcript")
    assert [event["data"]["text"] for event in kept] == [line["text"] for line in lines]
    assert not problems
