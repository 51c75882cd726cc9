"""A close that always ends and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from typing import Any, cast

from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    VideoStreamTrack,
)
from av import VideoFrame

from tests.tracks.edges.peers import KEY, START, negotiate, peer, rtp, session, video_receiver
from tests.waiting import until
from tracks import edges
from tracks.stats import Stats


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


async def test_closing_leaves_nothing_behind() -> None:
    """After many connects and closes, sockets, threads and tasks are what they were."""
    async with session(VideoStreamTrack()):
        pass
    open_before, threads, tasks = descriptors(), threading.active_count(), len(asyncio.all_tasks())
    for _ in range(5):
        async with session(VideoStreamTrack(), AudioStreamTrack()):
            pass
    await until(lambda: len(asyncio.all_tasks()) <= tasks)
    assert descriptors() <= open_before + 1
    # The default executor may have grown: encoders run there.
    assert not [thread for thread in threading.enumerate() if thread.name.endswith("-decoder")]
    assert threading.active_count() <= threads + 2


async def test_a_second_close_ends_at_once() -> None:
    """Closing twice, or twice at the same time, is safe."""
    async with session(VideoStreamTrack()) as (_, server, _):
        await asyncio.gather(edges.close_peer(server), edges.close_peer(server))
        async with asyncio.timeout(1):
            await edges.close_peer(server)


async def test_a_connection_whose_close_raises_is_closed_all_the_same() -> None:
    """A transceiver without a transport, at which the stock close raises and then hangs, leaves nothing behind."""
    client, server, stats = peer(), peer(), Stats()
    client.addTrack(VideoStreamTrack())
    before = descriptors()
    edges.guard_datagrams(server, stats)
    await negotiate(client, server)
    await until(lambda: server.connectionState == "connected")
    receiver = server.getReceivers()[0]
    await until(lambda: cast(Any, receiver)._RTCRtpReceiver__decoder_thread is not None)
    cast(Any, receiver).setTransport(None)
    async with asyncio.timeout(8):
        await edges.close_peer(server, timeout_s=2)
        await edges.close_peer(server, timeout_s=2)
    await edges.close_peer(client)
    await until(lambda: not [t for t in threading.enumerate() if t.name == "video-decoder"])
    await until(lambda: descriptors() <= before)


class Stubborn(MediaStreamTrack):
    """A track that does not let go."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    async def recv(self) -> VideoFrame:
        while not self.released.is_set():
            try:
                await self.released.wait()
            except asyncio.CancelledError:
                continue
        raise asyncio.CancelledError


async def test_a_track_that_does_not_let_go_cannot_stop_a_close() -> None:
    """A close ends in its time though a track swallows its cancellation."""
    track = Stubborn()
    async with session(track) as (client, _, _):
        sender: Any = client.getSenders()[0]
        await until(lambda: sender._RTCRtpSender__rtp_task is not None)
        await asyncio.sleep(0)
        async with asyncio.timeout(8):
            await edges.close_peer(client, timeout_s=0.3)
        track.released.set()


async def test_a_full_decoder_queue_does_not_hold_up_a_close() -> None:
    """Stopping the decoder does not first decode what waits."""
    pc, receiver, intake = video_receiver(Stats())
    decoder: queue.Queue[object] = receiver._RTCRtpReceiver__decoder_queue
    busy = threading.Event()
    seen = []

    def work() -> None:
        busy.wait(5)
        while (task := decoder.get()) is not None:
            seen.append(task)

    thread = threading.Thread(target=work, name="video-decoder")
    thread.start()
    receiver._RTCRtpReceiver__decoder_thread = thread
    for number in range(20):
        await receiver._handle_rtp_packet(rtp(number, 3000 * number, START + KEY), 0)
    assert intake.decoder_depth() == 20
    threading.Timer(0.1, busy.set).start()
    receiver._handle_disconnect()
    assert seen == []
    await edges.close_peer(pc)


async def test_closing_in_the_middle_of_the_handshake_leaves_no_task() -> None:
    """What still connects is ended with the connection, instead of starting senders that nothing stops."""
    before = asyncio.all_tasks()
    for turns in (0, 5, 20, 60, 120):
        one, two = peer(), peer()
        edges.own_connecting(one)
        edges.own_connecting(two)
        one.addTrack(VideoStreamTrack())
        two.addTrack(VideoStreamTrack())
        await negotiate(one, two)
        for _ in range(turns):
            await asyncio.sleep(0.001)
        await asyncio.gather(edges.close_peer(one), edges.close_peer(two))
    await until(lambda: asyncio.all_tasks() <= before)
