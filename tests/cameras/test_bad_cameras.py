"""What is no camera, or a bad one: each is told apart, within seconds, and nothing is left of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from tests.cameras.camera import (
    H264,
    TONE,
    Script,
    Sender,
    answer,
    asked,
    camera,
    describing,
    encoded,
    offering,
    scripted,
)
from tests.children import children
from tests.waiting import until
from tracks.errors import ForbiddenUrl, PayloadTooLarge, SourceUnreachable, UnsupportedMedia, VedetteError
from tracks.media.live import DEFAULT_WAITS
from tracks.rtsp.waits import Waits
from tracks.sources.reach import Reach
from tracks.sources.rtsp import Target, probe
from tracks.sources.urls import parse

HERE = Reach.of(["127.0.0.1"])
SOON = Waits(reply_s=0.5, silence_s=1.0, first_s=1.5)


@pytest.fixture(autouse=True)
async def _nothing_left() -> AsyncIterator[None]:
    """No process is left."""
    yield
    await until(lambda: not children(), 5.0)


async def refused(url: str, waits: Waits = DEFAULT_WAITS) -> VedetteError:
    """Why there is no picture."""
    with pytest.raises(VedetteError) as found:
        await probe(Target(parse(url), HERE, waits=waits))
    return found.value


async def refused_by(script: Script, path: str = "/live", user: str = "") -> VedetteError:
    async with scripted(script) as port:
        return await refused(f"rtsp://{user}127.0.0.1:{port}{path}", SOON)


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def half_a_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _, number = await asked(reader)
    writer.write(answer(number)[:-2])
    await reader.read()


async def half_a_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    _, number = await asked(reader)
    writer.write(answer(number, body="v=0\r\n" * 40)[:-20])
    await reader.read()


async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asked(reader)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await reader.read()


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asked(reader)
    while True:
        writer.write(b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 1000)
        await writer.drain()


async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asked(reader)


def saying(status: str, **headers: str) -> Script:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _, number = await asked(reader)
            writer.write(answer(number, status, **headers))

    return script


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (silent, "did not answer OPTIONS within 0.5 s"),
        (half_a_header, "did not answer OPTIONS within 0.5 s"),
        (half_a_body, "did not answer OPTIONS within 0.5 s"),
        (web_server, "does not speak RTSP: it begins with 'HTTP/1.1"),
        (endless, "does not speak RTSP"),
        (gone, "closed the connection"),
        (saying("404 Not Found"), "answered DESCRIBE with 404 Not Found"),
        (saying("503 Busy\x1b[31m"), r"answered DESCRIBE with 503 Busy\?"),
        (saying("401 Unauthorized", WWW_Authenticate='Basic realm="x"'), r"wants credentials \(401"),
    ],
)
async def test_what_does_not_answer_properly_is_unreachable(script: Script, says: str) -> None:
    """With what it did; however it is silent, for no longer than is waited for."""
    error = await refused_by(script)
    assert error.code == "source_unreachable"
    assert re.search(says, error.message), error.message


async def test_nobody_there_is_unreachable() -> None:
    """A port that is closed."""
    async with scripted(silent) as port:
        pass
    error = await refused(f"rtsp://127.0.0.1:{port}/")
    assert (error.code, error.message) == ("source_unreachable", f"127.0.0.1:{port} cannot be reached: refused")


async def test_wrong_credentials_are_told_and_not_repeated() -> None:
    """By a real server that wants a digest."""
    async with camera(H264, "admin", "right") as each:
        for user, says in (("", "wants credentials"), ("admin:hunter2@", "wants other credentials")):
            error = await refused(f"rtsp://{user}127.0.0.1:{each.port}/live")
            assert error.code == "source_unreachable"
            assert says in error.message
            assert "hunter2" not in str(error.body())


async def test_a_camera_that_repeats_credentials_is_not_repeated() -> None:
    """Whatever it puts into its answers."""
    error = await refused_by(saying("400 admin hunter2 /live?pwd=abc"), "/live?pwd=abc", "admin:hunter2@")
    assert error.message == "the camera answered DESCRIBE with 400 *** *** ***"


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "305 Use Proxy"])
async def test_redirects_are_not_followed(status: str) -> None:
    """Nothing connects to where they lead."""
    visited: list[bool] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visited.append(True)

    async with scripted(elsewhere) as port:
        error = await refused_by(saying(status, Location=f"rtsp://127.0.0.1:{port}/secret"))
    assert (error.code, type(error)) == ("forbidden_url", ForbiddenUrl)
    assert "redirects" in error.message
    assert not visited


@pytest.mark.parametrize(
    ("media", "says", "found"),
    [
        (("audio PCMU/8000",), "there is no video in it, only audio", ["audio PCMU"]),
        ((), "there is no video in it, only nothing", []),
        (("video VP8/90000", "audio OPUS/48000/2"), "its video is VP8, taken are H.264", ["video VP8", "audio OPUS"]),
        (("application vnd.onvif.metadata/90000",), "only application", ["application VND.ONVIF.METADATA"]),
    ],
)
async def test_what_cannot_be_shown_is_unsupported(media: tuple[str, ...], says: str, found: list[str]) -> None:
    """With what was seen."""
    error = await refused_by(describing(offering(*media)))
    assert isinstance(error, UnsupportedMedia)
    assert says in error.message
    assert error.details == {"found": found}


async def test_a_description_that_is_none_is_unsupported() -> None:
    """A page, for example."""
    assert isinstance(await refused_by(describing("<html>")), UnsupportedMedia)


async def test_audio_alone_is_unsupported() -> None:
    """Of a real server."""
    async with camera(TONE + "opusenc ! rtpopuspay name=pay0 pt=97") as each:
        error = await refused(each.url)
    assert (error.code, error.message) == ("unsupported_media", "there is no video in it, only audio")


async def test_8k_is_too_large() -> None:
    """Its size is told."""
    (unit,) = encoded((7680, 4320), 1)

    async def film(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Sender(writer).send(unit, 0)
        await reader.read()

    async with scripted(describing(offering("video H264/90000"), then=film)) as port:
        with pytest.raises(PayloadTooLarge, match="7680x4320"):
            await probe(Target(parse(f"rtsp://127.0.0.1:{port}/"), HERE, waits=SOON))


async def test_a_camera_that_never_begins_is_given_up() -> None:
    """It agrees to everything, and sends nothing."""
    async with scripted(describing(offering("video H264/90000"))) as port:
        with pytest.raises(SourceUnreachable, match="sent nothing for 1 s"):
            await probe(Target(parse(f"rtsp://127.0.0.1:{port}/"), HERE, waits=SOON))


async def test_noise_is_no_picture() -> None:
    """Packets of anything: nothing can be made of them, and that is told."""

    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sequence = 0
        while True:
            head = b"\x80\xe0" + sequence.to_bytes(2, "big") + (sequence * 6000).to_bytes(4, "big") + b"abcd"
            payload = bytes([0x65]) + bytes((sequence * each) & 0xFF for each in range(200))
            packet = head + payload
            writer.write(b"$\0" + len(packet).to_bytes(2, "big") + packet)
            await writer.drain()
            sequence += 1
            await asyncio.sleep(0.05)

    async with scripted(describing(offering("video H264/90000"), then=noise)) as port:
        with pytest.raises(SourceUnreachable, match="no picture could be made"):
            await probe(Target(parse(f"rtsp://127.0.0.1:{port}/"), HERE, waits=SOON))
