"""The hooks on receivers and senders: every queue bounded, every loss counted."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest
from aiortc import (
    AudioStreamTrack,
    VideoStreamTrack,
)
from av import VideoFrame

from tests.tracks.edges.peers import DELTA, KEY, START, peer, rtp, session, video_receiver
from tests.waiting import until
from tracks import edges
from tracks.edges.receiver import DECODER_FRAMES, TRACK_FRAMES
from tracks.stats import Stats


async def test_a_frame_reaches_the_decoder_with_its_marker() -> None:
    """A video frame is queued for the decoder with its last packet, all ready ones with the packet that frees them."""
    pc, receiver, intake = video_receiver(Stats())
    await receiver._handle_rtp_packet(rtp(1, 1000, START + KEY, marker=False), 0)
    assert intake.decoder_depth() == 0
    await receiver._handle_rtp_packet(rtp(2, 1000, b"\x00rest"), 0)
    assert intake.decoder_depth() == 1
    for sequence in (4, 5, 6):
        await receiver._handle_rtp_packet(rtp(sequence, 1000 * sequence, START + DELTA), 0)
    assert intake.decoder_depth() == 1
    await receiver._handle_rtp_packet(rtp(3, 3000, START + DELTA), 0)
    frames = [receiver._RTCRtpReceiver__decoder_queue.get_nowait()[1] for _ in range(5)]
    assert [(frame.timestamp, frame.data) for frame in frames] == [
        (0, KEY + b"rest"),
        *((1000 * number - 1000, DELTA) for number in (3, 4, 5, 6)),
    ]
    assert edges.source_rtp_time(receiver, 5000) == 6000
    await edges.close_peer(pc)


async def test_a_slow_decoder_skips_to_a_keyframe() -> None:
    """When the decoder falls behind, what waits is dropped and counted, and decoding goes on at the next keyframe."""
    stats = Stats()
    pc, receiver, intake = video_receiver(stats)
    asked = []
    receiver._send_rtcp_pli = lambda ssrc: asyncio.sleep(0, asked.append(ssrc))
    limit = DECODER_FRAMES["video"]
    for number in range(3 * limit):
        await receiver._handle_rtp_packet(rtp(number, 3000 * number, START + (DELTA if number else KEY)), 0)
        assert intake.decoder_depth() <= limit
    assert intake.decoder_depth() == 0
    assert stats.drops["decoder"] == 3 * limit
    assert asked == [1]
    await receiver._handle_rtp_packet(rtp(3 * limit, 9000 * limit, START + KEY), 0)
    assert intake.decoder_depth() == 1
    await edges.close_peer(pc)


async def test_a_failing_decoder_asks_for_a_keyframe_with_measure() -> None:
    """A decoder that fails on every frame does not make a request for each of them."""
    pc, receiver, _ = video_receiver(Stats())
    asked = []
    receiver._send_rtcp_pli = lambda ssrc: asyncio.sleep(0, asked.append(ssrc))
    for number in range(20):
        receiver._RTCRtpReceiver__decoder_error.set()
        await receiver._handle_rtp_packet(rtp(number, 3000 * number, START + DELTA), 0)
    assert asked == [1]
    await edges.close_peer(pc)


async def test_lost_frames_are_counted() -> None:
    """A frame that never became whole is counted as dropped by the jitter buffer."""
    stats = Stats()
    pc, receiver, intake = video_receiver(stats)
    cast(Any, intake)._video._wait_s = 0.0
    for sequence, timestamp, payload in ((1, 1000, START + KEY), (2, 2000, START + DELTA), (4, 3000, START + DELTA)):
        await receiver._handle_rtp_packet(rtp(sequence, timestamp, payload, marker=sequence != 2), 0)
    assert intake.decoder_depth() == 2
    assert stats.drops["jitter"] == 1
    await edges.close_peer(pc)


@pytest.mark.parametrize("kind", ["video", "audio"])
async def test_a_track_that_nobody_reads_is_bounded(kind: str) -> None:
    """A remote track keeps the newest frames, counts the rest, and still says when it ends."""
    source = VideoStreamTrack() if kind == "video" else AudioStreamTrack()
    async with session(source) as (_, server, stats):
        receiver: Any = server.getReceivers()[0]
        waiting: asyncio.Queue[object] = receiver.track._queue
        limit = TRACK_FRAMES[kind]
        for number in range(limit + 5):
            await waiting.put(number)
        assert waiting.qsize() == limit
        assert stats.drops["receiver"] >= 5
        newest = [waiting.get_nowait() for _ in range(limit)][-1]
        assert newest == limit + 4
        await waiting.put(None)
        assert waiting.qsize() >= 1


async def test_media_flows_through_the_hooks() -> None:
    """Real video and audio are received, timed by the publisher's clock, and sender reports arrive."""
    reports: list[tuple[float, int]] = []
    async with session(VideoStreamTrack(), AudioStreamTrack()) as (client, server, stats):
        video, audio = server.getReceivers()
        edges.on_sender_report(video, lambda unix_s, timestamp: reports.append((unix_s, timestamp)))
        for receiver, sender in ((video, client.getSenders()[0]), (audio, client.getSenders()[1])):
            frames = [await receiver.track.recv() for _ in range(5)]
            assert [frame.pts for frame in frames] == sorted({frame.pts for frame in frames})
            origin = edges.sender_rtp_origin(sender)
            assert origin is not None
            # The test tracks begin at 0, and nothing is lost on loopback.
            assert edges.source_rtp_time(receiver, 0) == origin
        await until(lambda: reports)
        unix_s, timestamp = reports[0]
        assert abs(unix_s - time.time()) < 5
        assert (timestamp - cast(int, edges.sender_rtp_origin(client.getSenders()[0]))) % 2**32 < 90000 * 60
        assert stats.drops["jitter"] == stats.drops["decoder"] == 0


async def test_no_origin_before_the_sender_runs() -> None:
    """A sender that does not run has no RTP origin, and a receiver without a frame no source time."""
    pc = peer()
    transceiver = pc.addTransceiver("video")
    assert edges.sender_rtp_origin(transceiver.sender) is None
    assert edges.source_rtp_time(transceiver.receiver, 0) is None
    assert edges.offered_direction(transceiver) is None
    await edges.close_peer(pc)


async def test_keyframes_can_be_asked_for_on_both_sides() -> None:
    """`request_keyframe` and a PLI from the other side both make the sender's next frame a keyframe."""
    async with session(VideoStreamTrack()) as (client, server, _):
        sender: Any = client.getSenders()[0]
        receiver = server.getReceivers()[0]
        encoder = await _encoder_of(sender)
        forced: list[bool] = []
        encode = encoder.encode

        def watch(frame: VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
            forced.append(force_keyframe)
            return cast("tuple[list[bytes], int]", encode(frame, force_keyframe))

        encoder.encode = watch
        await until(lambda: len(forced) >= 2)
        assert not any(forced)
        edges.request_keyframe(sender)
        await until(lambda: any(forced))
        await receiver.track.recv()
        forced.clear()
        await edges.send_pli(receiver)
        await until(lambda: any(forced))


async def _encoder_of(sender: Any) -> Any:
    await until(lambda: sender._RTCRtpSender__encoder is not None)
    return sender._RTCRtpSender__encoder


async def test_tuning_comes_before_media() -> None:
    """A receiver that already runs is not tuned; one that is tuned already is left as it is."""
    async with session(VideoStreamTrack()) as (_, server, stats):
        receiver = server.getReceivers()[0]
        assert edges.tune_receiver(receiver, stats) is edges.tune_receiver(receiver, stats)
    late: Any = peer()
    receiver = late.addTransceiver("video").receiver
    receiver._RTCRtpReceiver__started = True
    with pytest.raises(RuntimeError, match="started"):
        edges.tune_receiver(receiver, stats)
    receiver._RTCRtpReceiver__started = False
    await edges.close_peer(late)
