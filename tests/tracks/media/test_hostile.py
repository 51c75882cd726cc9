"""Files that lie, break off, refer to others, or are more than they look: refused at once, and nothing else opened."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
import pytest

from tests.tracks.media.clips import encoded, silent_flac, tone, video, wav
from tracks.errors import PayloadTooLarge, UnsupportedMedia
from tracks.media.decode import probe, read_audio
from tracks.media.limits import Limits

T = TypeVar("T")

REFUSED_S = 5.0


async def at_once(reading: Awaitable[T]) -> T:
    """Whatever a file is, the answer does not take longer than that."""
    async with asyncio.timeout(REFUSED_S):
        return await reading


@pytest.mark.parametrize("name", ["empty.wav", "noise.mp3", "text.ogg", "head.mp4"])
async def test_what_is_no_media_is_refused_with_what_would_be(tmp_path: Path, name: str) -> None:
    """0 bytes, noise, text and a lone header are unsupported media, whatever their name says."""
    contents = {
        "empty.wav": b"",
        "noise.mp3": os.urandom(50_000),
        "text.ogg": b"hello " * 500,
        "head.mp4": b"\0\0\0\x18ftypmp42",
    }
    (tmp_path / name).write_bytes(contents[name])
    with pytest.raises(UnsupportedMedia, match=r"0 bytes|readable are wav"):
        await at_once(read_audio(tmp_path / name))


async def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    """A named pipe, which would be read for ever, and a device are not opened for reading."""
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(UnsupportedMedia, match="not a file"):
        await at_once(probe(tmp_path / "pipe.wav"))
    with pytest.raises(UnsupportedMedia, match="not a file"):
        await at_once(probe(Path("/dev/zero")))


class Bait:
    """A file and a host that nobody is to ask for."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url
        self.visits = 0


@pytest.fixture
async def bait(tmp_path: Path) -> AsyncIterator[Bait]:
    """A real recording, and a server that counts who comes."""

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.visits += 1
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    path = encoded(tmp_path / "secret.wav", "wav", "pcm_s16le", tone(1.0, 16_000), 16_000)
    found = Bait(path, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret.wav")
    yield found
    server.close()
    await server.wait_closed()


HUGE = [
    (b"\xb0\x82\x01\x40\xba\x82\x01\x00", b"\xb0\x82\x3f\xff\xba\x82\x3f\xff"),  # PixelWidth and PixelHeight of WebM
    (b"\x9d\x01\x2a\x40\x01\x00\x01", b"\x9d\x01\x2a\xff\x3f\xff\x3f"),  # RFC 6386, section 9.1
    (b"\x00\x11\x08\x01\x00\x01\x40", b"\x00\x11\x08\xff\xff\xff\xff"),  # SOF0 of a JPEG
    (b"\x40\x01\x00\x00\x00\x01\x00\x00", b"\xff\xff\x00\x00\xff\xff\x00\x00"),  # BITMAPINFOHEADER of AVI
    (b"\x01\x40\x01\x00", b"\xff\xff\xff\xff"),  # sample entry of MP4
]
"""What 320 by 256 pixels are written as, and something else."""

PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile '{0}'\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n#EXT-X-ENDLIST\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\na=x:{0}\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet '
    'mimeType="audio/wav"><Representation id="1"><BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period>'
    "</MPD>",
    "rtsp-url": "[Reference]\nRef1={0}\n",
}


@pytest.mark.parametrize("where", ["file", "host"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [*((kind, "clip.mp4") for kind in PLAYLISTS), ("m3u8", "clip.m3u8"), ("ffconcat", "clip.ffconcat")],
)
async def test_a_playlist_opens_nothing(tmp_path: Path, bait: Bait, kind: str, name: str, where: str) -> None:
    """A file that names another is refused under every name, and the other is neither read nor asked for."""
    (tmp_path / name).write_text(PLAYLISTS[kind].format(bait.path if where == "file" else bait.url))
    with pytest.raises(UnsupportedMedia):
        await at_once(read_audio(tmp_path / name))
    assert bait.visits == 0


@pytest.mark.parametrize(
    ("container", "codec"),
    [("wav", "pcm_s16le"), ("ipod", "aac"), ("flac", "flac"), ("matroska", "flac"), ("aiff", "pcm_s16be")],
)
async def test_a_file_that_is_cut_off_says_how_much_is_there(tmp_path: Path, container: str, codec: str) -> None:
    """Half a file is refused, with what of it could be decoded where that is anything."""
    path = encoded(tmp_path / "clip", container, codec, tone(4.0, 48_000), 48_000)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnsupportedMedia, match=r"cut off|cannot be read") as caught:
        await at_once(read_audio(path))
    if "cut off" in caught.value.message:
        assert caught.value.details is not None
        assert 0.5 < caught.value.details["decodedSeconds"] < 3.0


async def test_a_cut_film_with_its_index_in_front_is_cut_off(tmp_path: Path) -> None:
    """An MP4 whose index survived knows how long it should be."""
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(4.0, 48_000)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = 48_000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnsupportedMedia, match=r"cut off: 1\.\d s of 4\.0 s"):
        await at_once(read_audio(path))


async def test_a_length_that_is_a_lie_brings_nothing(tmp_path: Path) -> None:
    """A WAV that claims 2 GB has the samples that it has; one that claims a little more than it has is cut off."""
    (tmp_path / "lie.wav").write_bytes(wav(tone(1.0, 16_000), stated_bytes=0x7FFF_FF00))
    assert (await at_once(read_audio(tmp_path / "lie.wav"))).duration_s == 1.0
    (tmp_path / "cut.wav").write_bytes(wav(tone(1.0, 16_000), stated_bytes=64_000))
    with pytest.raises(UnsupportedMedia, match="cut off"):
        await at_once(read_audio(tmp_path / "cut.wav"))


@pytest.mark.parametrize("stated", [True, False])
async def test_minutes_in_few_kilobytes_are_refused(tmp_path: Path, stated: bool) -> None:
    """A small file that becomes large is too large as soon as it says so, or as soon as it is."""
    (tmp_path / "bomb.flac").write_bytes(silent_flac(1200 if stated else 700, length_stated=stated))
    assert (tmp_path / "bomb.flac").stat().st_size < 250_000
    with pytest.raises(PayloadTooLarge, match="at most 600 s"):
        await at_once(read_audio(tmp_path / "bomb.flac"))


async def test_a_timestamp_in_the_far_future_is_no_silence(tmp_path: Path) -> None:
    """A jump of a year ends decoding, it does not fill memory."""
    path = tmp_path / "jump.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for at in (0, 16_000 * 86_400 * 365):
            frame = av.AudioFrame.from_ndarray((tone(1.0, 16_000)[None] * 32767).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 16_000, at
            out.mux(stream.encode(frame))
    with pytest.raises(PayloadTooLarge):
        await at_once(read_audio(path))


@pytest.mark.parametrize(("container", "codec"), [("webm", "libvpx"), ("avi", "mjpeg"), ("mp4", "mjpeg")])
async def test_huge_dimensions_are_refused(tmp_path: Path, container: str, codec: str) -> None:
    """A small file with pictures of 268 megapixels, by the container's word and the codec's, is refused."""
    path = video(tmp_path / "clip", container, codec)
    data = path.read_bytes()
    for small, huge in HUGE:
        data = data.replace(small, huge)
    assert data != path.read_bytes()
    path.write_bytes(data)
    with pytest.raises((UnsupportedMedia, PayloadTooLarge), match="pixels"):
        await at_once(probe(path))


async def test_a_codec_that_is_not_listed_is_refused_by_name(tmp_path: Path) -> None:
    """Decoders that nobody needs are not reached."""
    path = encoded(tmp_path / "clip.mkv", "matroska", "wavpack", tone(1.0, 16_000), 16_000)
    with pytest.raises(UnsupportedMedia, match="'wavpack' is not taken"):
        await at_once(read_audio(path))


async def test_a_container_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    """Whatever is in it, the formats that nobody needs are not read."""
    path = encoded(tmp_path / "clip.wav", "nut", "flac", tone(1.0, 16_000), 16_000)
    with pytest.raises(UnsupportedMedia, match="its format is not taken"):
        await at_once(read_audio(path))


async def test_the_words_of_a_file_are_not_repeated_at_length(tmp_path: Path) -> None:
    """What FFmpeg says of a file is passed on as one short printable line."""
    path = encoded(tmp_path / "clip.m4a", "ipod", "aac", tone(1.0, 48_000), 48_000)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(UnsupportedMedia, match="moov atom not found") as caught:
        await at_once(probe(path, limits=Limits()))
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500
