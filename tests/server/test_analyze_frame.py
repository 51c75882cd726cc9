"""`POST /analyze/frame`: pictures in, objects out, and the right answer to everything that is none."""

from __future__ import annotations

import asyncio
import base64
import io
import logging
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web
from PIL import Image

from server import frames
from server.app import serve
from server.frames import AT_DETECTOR, MAX_AT_ONCE
from server.middleware import runner_options
from server.settings import Settings
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import problem
from tests.server.promises import Promises
from tests.tracks.stills.files import encoded, png, turned
from tests.waiting import until
from tracks.errors import ModelUnavailable
from tracks.images import decode_image
from tracks.planes import planes

BOX = (200, 100, 260, 200)
"""Of the bright rectangle, in pixels of `picture`."""


def picture(size: tuple[int, int] = (640, 360)) -> Image.Image:
    """Dark, with a bright rectangle."""
    pixels = np.full((size[1], size[0], 3), 30, np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 230
    return Image.fromarray(pixels)


JPEG = encoded(picture(), "JPEG", quality=90)


class Watch:
    """A running server."""

    def __init__(self, url: str, http: aiohttp.ClientSession, detector: BrightDetector) -> None:
        self.url, self.http, self.detector = url, http, detector

    async def look(self, data: Any, query: str = "", **headers: str) -> dict[str, Any]:
        async with self.http.post(f"/analyze/frame{query}", data=data, headers=headers) as response:
            assert response.status == 200, await response.text()
            body: dict[str, Any] = await response.json()
            return body

    async def refused(self, data: Any, query: str = "", **headers: str) -> tuple[int, str, str]:
        async with self.http.post(f"/analyze/frame{query}", data=data, headers=headers) as response:
            return await problem(response)

    async def numbers(self) -> dict[str, float]:
        """What `/metrics` says of single frames."""
        async with self.http.get("/metrics") as response:
            lines = [line.split() for line in (await response.text()).splitlines()]
        return {name: float(value) for name, value in (each for each in lines if "single_frames" in each[0])}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Watch]:
    detector = BrightDetector()
    serving = serve(
        Settings(data_dir=tmp_path),
        load=lambda choice, **options: detector,
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server:
        await server.ready
        promises = Promises(server.app)
        # As it runs in production: aiohttp's test server cancels handlers of clients that leave, which that does not.
        runner = web.AppRunner(server.app, **runner_options())
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            url = f"http://{host}:{port}"
            async with aiohttp.ClientSession(url) as http:
                yield Watch(url, http, detector)
        finally:
            detector.gate.set()
            await runner.cleanup()
    assert promises.broken == []


def found(body: dict[str, Any]) -> list[float]:
    (thing,) = body["objects"]
    box: list[float] = thing["box"]
    return box


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
async def test_a_body_becomes_objects(here: Watch, format: str) -> None:
    """Each format as the body gives boxes in its own pixels, label, confidence, size, model, runtime and timings."""
    body = await here.look(encoded(picture(), format))
    assert found(body) == pytest.approx(BOX, abs=3)
    assert [(each["label"], each["confidence"]) for each in body["objects"]] == [("bright", 0.9)]
    assert body["frame"] == {"width": 640, "height": 360}
    assert (body["model"], body["runtime"], body["overlay"]) == ("bright", "numpy", None)
    timings = body["timings"]
    assert timings.pop("overlayMs") is None
    parts = [timings[name] for name in ("decodeMs", "waitMs", "inferenceMs")]
    assert all(part >= 0 for part in parts)
    assert sum(parts) <= timings["totalMs"] + 0.1


async def test_a_form_becomes_objects(here: Watch) -> None:
    """A form with `file` does the same, whatever the part says that it is, with its fields before or after."""
    form = aiohttp.FormData()
    form.add_field("classes", "bright")
    form.add_field("file", JPEG, filename="../../etc/passwd", content_type="text/html")
    form.add_field("confidence", "0.5")
    assert found(await here.look(form)) == pytest.approx(BOX, abs=3)


async def test_exif_is_honoured(here: Watch) -> None:
    """A picture that lies on its side is looked at upright, and its boxes are those of the upright one."""
    body = await here.look(turned(picture().transpose(Image.Transpose.ROTATE_90), "JPEG", 6, quality=90))
    assert body["frame"] == {"width": 640, "height": 360}
    assert found(body) == pytest.approx(BOX, abs=3)


async def test_nothing_on_it_is_no_error(here: Watch) -> None:
    """An empty picture has no objects, and can be had drawn nevertheless."""
    body = await here.look(encoded(Image.new("RGB", (640, 360)), "PNG"), "?overlay=true")
    assert body["objects"] == []
    assert decode_image(base64.b64decode(body["overlay"])).width == 640


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?confidence=0.9", 1),
        ("?confidence=0.91", 0),
        ("?classes=bright", 1),
        ("?classes=dark", 0),
        ("?classes=dark,%20bright", 1),
        ("?classes=dark&classes=bright", 1),
        ("?profile=accurate&overlay=false", 1),
    ],
)
async def test_the_query_chooses(here: Watch, query: str, count: int) -> None:
    """Confidence and classes decide which objects are told of."""
    assert len((await here.look(JPEG, query))["objects"]) == count


def is_drawn(jpeg: bytes) -> bool:
    """There is colour around the box, and there was none."""
    frame = decode_image(jpeg)
    assert (frame.width, frame.height) == (640, 360)
    colour = np.abs(planes(frame).u.astype(int) - 128)
    edge = colour[BOX[1] // 2 - 2 : BOX[3] // 2 + 2, BOX[0] // 2 - 2 : BOX[0] // 2 + 2]
    return bool(edge.max() > 20 and colour[160:, 240:].max() < 10)


async def test_the_overlay_is_had_for_the_asking(here: Watch) -> None:
    """`overlay=true` adds the picture with its boxes to the JSON, and says how long that took."""
    body = await here.look(JPEG, "?overlay=true")
    assert is_drawn(base64.b64decode(body["overlay"]))
    assert body["timings"]["overlayMs"] > 0
    assert not is_drawn(base64.b64decode((await here.look(JPEG, "?overlay=true&classes=dark"))["overlay"]))


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("image/jpeg", "image/jpeg"),
        ("text/html, image/*;q=0.8, */*;q=0.1", "image/jpeg"),
        ("application/json, image/jpeg", "application/json"),
        ("*/*", "application/json"),
        ("image/avif", "application/json"),
    ],
)
async def test_accept_chooses_the_picture(here: Watch, accept: str, media_type: str) -> None:
    """Who accepts JPEGs before JSON gets the picture with its boxes and nothing around it."""
    async with here.http.post("/analyze/frame", data=JPEG, headers={"Accept": accept}) as response:
        assert (response.status, response.content_type) == (200, media_type)
        if media_type == "image/jpeg":
            assert is_drawn(await response.read())


BAD = [
    (b"", (400, "invalid_request", "the picture has 0 bytes")),
    (b"hello", (415, "unsupported_media", "this is no picture that is taken, have: JPEG, PNG, WebP")),
    (encoded(picture(), "GIF"), (415, "unsupported_media", "this is no picture that is taken, have: JPEG, PNG, WebP")),
    (
        encoded(picture(), "PNG", save_all=True, append_images=[Image.new("RGB", (640, 360))]),
        (415, "unsupported_media", "an animated PNG is not taken, only a single picture"),
    ),
    (JPEG[:-400], (400, "invalid_request", "the JPEG is cut off")),
    (JPEG[:1500] + bytes(900) + JPEG[2400:], (400, "invalid_request", "the JPEG is damaged")),
    (png(640, 360, bytes(500)), (400, "invalid_request", "the PNG is damaged")),
    (
        png(60_000, 60_000, b""),
        (
            413,
            "payload_too_large",
            "the picture has 60000x60000 pixels, at most 8294400 in all and 16384 a side are taken",
        ),
    ),
    (
        encoded(Image.new("RGB", (1, 1)), "PNG"),
        (400, "invalid_request", "the picture has 1x1 pixels, at least 2 a side are needed"),
    ),
    (bytes(24_883_201), (413, "payload_too_large", "the picture has more than 24883200 bytes")),
]


@pytest.mark.parametrize(("data", "expected"), BAD)
async def test_what_is_no_picture_is_refused(here: Watch, data: bytes, expected: tuple[int, str, str]) -> None:
    """Each with its stable code and the reason, without the detector being asked."""
    calls = here.detector.calls
    assert await here.refused(io.BytesIO(data)) == expected
    form = aiohttp.FormData()
    form.add_field("file", io.BytesIO(data), filename="a")
    assert await here.refused(form) == expected
    assert here.detector.calls == calls


async def test_too_much_is_refused_as_it_comes(here: Watch) -> None:
    """A body that does not tell its length is cut off at the cap."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(25):
            yield bytes(1 << 20)

    async with here.http.post("/analyze/frame", data=endless()) as response:
        assert (await problem(response))[:2] == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?profile=nice", "unknown profile 'nice', have: accurate, auto, cpu-only, fast"),
        ("?classes=cat", "unknown class 'cat', have: dark, bright"),
        ("?confidence=2", "confidence: Input should be less than or equal to 1, got '2'"),
        ("?confidence=nan", "confidence: "),
        ("?overlay=yes", "expected true or false, got 'yes'"),
        ("?colour=red", "unknown parameter 'colour', have: classes, confidence, overlay, profile"),
        ("?profile=fast&profile=auto", "profile was given 2 times"),
    ],
)
async def test_wrong_parameters_are_named(here: Watch, query: str, message: str) -> None:
    """A parameter that is wrong or unknown is an invalid request with the choices."""
    status, code, text = await here.refused(JPEG, query)
    assert (status, code) == (400, "invalid_request")
    assert message in text


async def test_wrong_fields_are_named(here: Watch) -> None:
    """So is a field of the form."""
    form = aiohttp.FormData({"colour": "red"})
    form.add_field("file", JPEG, filename="a")
    assert await here.refused(form) == (
        400,
        "invalid_request",
        "unknown field 'colour', have: classes, confidence, overlay, profile",
    )


@pytest.mark.parametrize(
    "body",
    [
        b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n\xff\xd8\xff',
        b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\nabc\r\n--x--\r\n',
        b"nonsense",
        b"",
    ],
)
async def test_a_broken_form_is_an_invalid_request(here: Watch, body: bytes) -> None:
    """One that breaks off, has no file, or is none."""
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await here.refused(body, **kind))[:2] == (400, "invalid_request")


async def test_waiting_pictures_share_calls(here: Watch) -> None:
    """Pictures that wait while the detector is busy are taken together, on its one thread."""
    await here.look(JPEG)
    here.detector.gate.clear()
    here.detector.entered.clear()
    before = here.detector.calls
    asking = [asyncio.create_task(here.look(JPEG)) for _ in range(9)]
    await until(here.detector.entered.is_set)
    assert await asyncio.to_thread(here.detector.gate.wait, 0) is False
    here.detector.gate.set()
    assert [found(body) for body in await asyncio.gather(*asking)] == [pytest.approx(BOX, abs=3)] * 9
    assert here.detector.calls - before < 9
    assert len(here.detector.threads) == 1


async def test_only_so_many_at_once(here: Watch) -> None:
    """One more than there is room for is refused with when to come back, and counted; the others are answered."""
    here.detector.gate.clear()
    asking = [asyncio.create_task(here.look(JPEG)) for _ in range(MAX_AT_ONCE)]

    async def full() -> bool:
        return (await here.numbers())["vedette_single_frames_under_way"] == MAX_AT_ONCE

    async with asyncio.timeout(10):
        while not await full():
            await asyncio.sleep(0.02)
    async with here.http.post("/analyze/frame", data=JPEG) as response:
        assert (await problem(response))[:2] == (503, "overloaded")
        assert response.headers["Retry-After"] == "1"
    here.detector.gate.set()
    assert len(await asyncio.gather(*asking)) == MAX_AT_ONCE
    numbers = await here.numbers()
    assert numbers["vedette_single_frames_total"] == MAX_AT_ONCE
    assert numbers["vedette_single_frames_refused_total"] == 1
    assert numbers["vedette_single_frames_under_way"] == 0


async def test_a_turn_that_does_not_come_is_overload(here: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A detector that is busy for too long is told as such; the next picture has its turn again."""
    monkeypatch.setattr(frames, "WAIT_S", 0.2)
    here.detector.gate.clear()
    assert await here.refused(JPEG) == (503, "overloaded", "the detector's turn did not come within 0.2 s")
    here.detector.gate.set()
    await until(lambda: here.detector.calls > 0)
    monkeypatch.undo()
    assert found(await here.look(JPEG)) == pytest.approx(BOX, abs=3)


async def test_who_leaves_is_not_worked_for(here: Watch, caplog: pytest.LogCaptureFixture) -> None:
    """Clients that go while they wait give up their places, their pictures are not looked at, and it is no error."""
    await here.look(JPEG)
    here.detector.gate.clear()
    here.detector.entered.clear()
    before = here.detector.calls
    asking = [asyncio.create_task(here.look(JPEG)) for _ in range(MAX_AT_ONCE)]
    await until(here.detector.entered.is_set)
    for each in asking:
        each.cancel()

    async def gone() -> bool:
        return (await here.numbers())["vedette_single_frames_under_way"] == 0

    async with asyncio.timeout(10):
        while not await gone():
            await asyncio.sleep(0.02)
    here.detector.gate.set()
    assert found(await here.look(JPEG)) == pytest.approx(BOX, abs=3)
    assert here.detector.calls - before <= 1 + AT_DETECTOR  # at most what it had taken, and the last
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_cut_body_gives_up_its_place(here: Watch) -> None:
    """A client that goes in the middle of its picture is no longer waited for."""
    host, port = here.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
    writer.write(b"POST /analyze/frame HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n" + JPEG[:1000])
    await writer.drain()

    async def has(count: int) -> bool:
        return (await here.numbers())["vedette_single_frames_under_way"] == count

    async with asyncio.timeout(10):
        while not await has(1):
            await asyncio.sleep(0.02)
        writer.close()
        while not await has(0):
            await asyncio.sleep(0.02)


async def test_a_detector_that_fails_is_unavailable(here: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of the detector reaches the client with its code."""

    def fail(images: Any) -> Any:
        raise ModelUnavailable("the model is broken")

    monkeypatch.setattr(here.detector, "detect", fail)
    assert await here.refused(JPEG) == (503, "model_unavailable", "the model is broken")


async def test_one_bad_picture_spoils_no_other(here: Watch) -> None:
    """Good and bad pictures at once: each gets its own answer."""
    asking = [here.look(JPEG) if n % 2 else here.refused(BAD[n % len(BAD)][0]) for n in range(12)]
    for n, answer in enumerate(await asyncio.gather(*asking)):
        if n % 2:
            assert isinstance(answer, dict)
            assert found(answer) == pytest.approx(BOX, abs=3)
        else:
            assert answer == BAD[n % len(BAD)][1]
