"""Honest files of every kind, decoded in a process of their own."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.tracks.media.clips import encoded, float_wav, onset_s, silent_flac, tone, video, wav
from tracks.errors import PayloadTooLarge, UnsupportedMedia
from tracks.media import wire
from tracks.media.decode import decode_audio, probe, read_audio
from tracks.media.info import AudioInfo, MediaInfo, VideoInfo
from tracks.media.limits import Limits
from tracks.types import SAMPLE_RATE

KINDS = [
    ("wav", "wav", "pcm_s16le", 8_000, "mono"),
    ("wav", "wav", "pcm_mulaw", 8_000, "mono"),
    ("wav", "wav", "pcm_s24le", 48_000, "stereo"),
    ("wav", "wav", "pcm_s16le", 44_100, "5.1"),
    ("mp3", "mp3", "libmp3lame", 44_100, "stereo"),
    ("m4a", "ipod", "aac", 48_000, "stereo"),
    ("ogg", "ogg", "libopus", 48_000, "mono"),
    ("flac", "flac", "flac", 22_050, "mono"),
    ("webm", "webm", "libopus", 48_000, "stereo"),
    ("mkv", "matroska", "flac", 16_000, "mono"),
    ("aac", "adts", "aac", 48_000, "mono"),
    ("aiff", "aiff", "pcm_s16be", 11_025, "mono"),
]


@pytest.mark.parametrize(("suffix", "container", "codec", "rate", "layout"), KINDS)
async def test_every_kind_becomes_16_khz_mono_in_place(
    tmp_path: Path, suffix: str, container: str, codec: str, rate: int, layout: str
) -> None:
    """Loudness, length and the place of an onset survive container, codec, rate and channels."""
    path = encoded(tmp_path / f"clip.{suffix}", container, codec, tone(2.5, rate, 1.0), rate, layout)
    recording = await read_audio(path)
    assert recording.samples.dtype == np.float32
    assert recording.duration_s == pytest.approx(2.5, abs=0.08)
    assert onset_s(recording.samples) == pytest.approx(1.0, abs=0.07)  # ADTS has no place for an encoder's delay
    assert np.abs(recording.samples[24_000:36_000]).max() == pytest.approx(0.5, abs=0.05)
    assert recording.ending.damaged == 0


async def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    """Content tells the format."""
    path = encoded(tmp_path / "clip.mp4", "flac", "flac", tone(0.5, 16_000), 16_000)
    assert (await probe(path)).format == "flac"


async def test_probe_tells_what_is_in_a_file(shared: Path, tmp_path: Path) -> None:
    """Format, duration, audio and video are told without decoding."""
    assert await probe(shared / "media" / "people-and-speech.mp4") == MediaInfo(
        format="mov,mp4,m4a,3gp,3g2,mj2",
        duration_s=30.0,
        audio=AudioInfo(codec="aac", rate=48_000, channels=1),
        video=VideoInfo(codec="h264", width=768, height=432, fps=15.0),
    )
    assert (await probe(video(tmp_path / "mute.webm", "webm", "libvpx"))).audio is None


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("jfk.flac", 11.0), ("two-speakers.wav", 5.0), ("hotwords.mp3", 4.0), ("people-and-speech.mp4", 30.0)],
)
async def test_real_recordings_are_decoded_whole(shared: Path, name: str, seconds: float) -> None:
    """Length and samples are those that libav gives in this process."""
    path = shared / "media" / name
    recording = await read_audio(path)
    assert recording.duration_s == pytest.approx(seconds, abs=0.03)
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", SAMPLE_RATE, options={"rematrix_maxval": "1.0"})
        frames = [each for frame in container.decode(audio=0) for each in resampler.resample(frame)]
        expected = np.concatenate([each.to_ndarray()[0] for each in [*frames, *resampler.resample(None)]])
    np.testing.assert_allclose(recording.samples, np.clip(expected, -1, 1), atol=1e-4)


async def test_chunks_come_in_order_with_progress(tmp_path: Path) -> None:
    """Chunks of a second say where they begin, progress says how far of how much."""
    path = encoded(tmp_path / "clip.flac", "flac", "flac", tone(3.5, 48_000), 48_000)
    told: list[tuple[float, float | None]] = []
    async with decode_audio(path, on_progress=lambda done_s, all_s: told.append((done_s, all_s))) as audio:
        assert audio.info.audio is not None
        chunks = [chunk async for chunk in audio.chunks()]
    assert [chunk.start_s for chunk in chunks] == [0.0, 1.0, 2.0, 3.0]
    assert [len(chunk.samples) for chunk in chunks] == [16_000, 16_000, 16_000, 8_000]
    assert told == [(1.0, 3.5), (2.0, 3.5), (3.0, 3.5), (3.5, 3.5)]
    assert audio.ending is not None
    assert audio.ending.end_s == pytest.approx(3.5)


async def test_a_gap_in_the_timestamps_is_a_gap_in_the_audio(tmp_path: Path) -> None:
    """What comes after a hole of two seconds keeps its place, and the hole is silent."""
    path, rate = tmp_path / "gap.mkv", 16_000
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("pcm_s16le", rate=rate, layout="mono")
        for at in (0, 3 * rate):
            frame = av.AudioFrame.from_ndarray((tone(1.0, rate)[None] * 32767).astype(np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = rate, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    recording = await read_audio(path)
    assert recording.duration_s == pytest.approx(4.0, abs=0.01)
    assert np.abs(recording.samples[17_000:47_000]).max() == 0.0
    assert onset_s(recording.samples[32_000:]) == pytest.approx(1.0, abs=0.01)


async def test_a_file_begins_where_its_first_stream_begins(tmp_path: Path) -> None:
    """Timestamps that do not count from zero, as those of a camera's recording, make no silence at the start."""
    path = encoded(tmp_path / "late.ts", "mpegts", "aac", tone(2.0, 48_000, 1.0), 48_000, at=48_000 * 500)
    assert onset_s((await read_audio(path)).samples) == pytest.approx(1.0, abs=0.07)


async def test_numbers_that_are_none_do_not_come_through(tmp_path: Path) -> None:
    """NaN, infinity and what is louder than loud are brought within -1 to 1."""
    samples = tone(1.0, 16_000)
    samples[100:400:3], samples[101:400:3], samples[102:400:3] = np.nan, np.inf, 1e30
    (tmp_path / "odd.wav").write_bytes(float_wav(samples))
    recording = await read_audio(tmp_path / "odd.wav")
    assert np.isfinite(recording.samples).all()
    assert np.abs(recording.samples).max() <= 1.0


async def test_channels_are_averaged(tmp_path: Path) -> None:
    """A stereo file with the same in both is as loud as each, and does not clip."""
    (tmp_path / "loud.wav").write_bytes(wav(tone(1.0, 16_000) * 1.9, channels=2))
    samples = (await read_audio(tmp_path / "loud.wav")).samples
    assert np.abs(samples).max() == pytest.approx(0.95, abs=0.01)


async def test_a_cover_is_no_video(tmp_path: Path) -> None:
    """A song with a picture has no video stream, whatever the size of the picture."""
    path = tmp_path / "song.mp3"
    with av.open(str(path), "w", format="mp3") as out:
        stream, cover = out.add_stream("libmp3lame", rate=16_000, layout="mono"), out.add_stream("mjpeg")
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame(64, 64, "yuvj420p")))
        frame = av.AudioFrame.from_ndarray(tone(1.0, 16_000)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = 16_000, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    assert (await probe(path)).video is None
    assert (await read_audio(path, limits=Limits(max_pixels=100))).duration_s == pytest.approx(1.0, abs=0.1)


async def test_a_length_that_is_not_known_is_no_lie(tmp_path: Path) -> None:
    """WAV headers of programs that write into a pipe, and a FLAC without a length, are read to their end."""
    (tmp_path / "piped.wav").write_bytes(wav(tone(1.0, 16_000), stated_bytes=0xFFFF_FFFF))
    (tmp_path / "piped.flac").write_bytes(silent_flac(3, length_stated=False))
    assert (await read_audio(tmp_path / "piped.wav")).duration_s == 1.0
    assert (await read_audio(tmp_path / "piped.flac")).duration_s == pytest.approx(3.0, abs=0.01)
    assert (await probe(tmp_path / "piped.flac")).duration_s is None


async def test_caps_are_those_that_are_given(tmp_path: Path) -> None:
    """Bytes, seconds and pixels over a cap are refused by what they are and what is taken."""
    path = encoded(tmp_path / "clip.flac", "flac", "flac", tone(3.0, 16_000), 16_000)
    with pytest.raises(PayloadTooLarge, match=r"at most 0\.0\d* MiB"):
        await probe(path, limits=Limits(max_bytes=10_000))
    with pytest.raises(PayloadTooLarge, match="3 s long or longer, at most 2 s"):
        await probe(path, limits=Limits(max_duration_s=2.0))
    with pytest.raises(PayloadTooLarge, match="320x256"):
        await probe(video(tmp_path / "clip.mp4", "mp4", "mpeg4"), limits=Limits(max_pixels=320 * 255))


async def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    """The error names what there is instead of audio."""
    with pytest.raises(UnsupportedMedia, match="no audio in it, only video"):
        await read_audio(video(tmp_path / "mute.mp4", "mp4", "mpeg4"))


def test_both_ends_mean_the_same_rate() -> None:
    """The child, which does without numpy and so without tracks.types, counts in the same samples."""
    assert wire.SAMPLE_RATE == SAMPLE_RATE
