"""The jitter buffers: whole frames out, once, in order, as early as possible and never waiting for ever."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracks.jitter import KEYFRAME_INTERVAL_S, AudioJitterBuffer, EncodedFrame, VideoJitterBuffer


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True)
class Packet:
    sequence: int
    timestamp: int
    marker: bool
    data: bytes
    starts: bool


def stream(sizes: list[int], first: int = 0, timestamp: int = 1000, markers: bool = True) -> list[list[Packet]]:
    """Frames of the given numbers of packets, 3000 ticks apart; each packet's data names it."""
    frames = []
    sequence = first
    for number, size in enumerate(sizes):
        frame = []
        for part in range(size):
            frame.append(
                Packet(
                    sequence=sequence & 0xFFFF,
                    timestamp=(timestamp + 3000 * number) & 0xFFFFFFFF,
                    marker=markers and part == size - 1,
                    data=f"<{number}.{part}>".encode(),
                    starts=part == 0,
                )
            )
            sequence += 1
        frames.append(frame)
    return frames


def whole(frame: list[Packet]) -> EncodedFrame:
    return EncodedFrame(frame[0].timestamp, b"".join(packet.data for packet in frame))


def add(buffer: VideoJitterBuffer, packet: Packet, hint: bool = True) -> list[EncodedFrame]:
    return buffer.add(packet.sequence, packet.timestamp, packet.marker, packet.data, starts=packet.starts and hint)


def add_all(buffer: VideoJitterBuffer, packets: list[Packet], hint: bool = True) -> list[EncodedFrame]:
    return [frame for packet in packets for frame in add(buffer, packet, hint)]


def flat(frames: list[list[Packet]]) -> list[Packet]:
    return [packet for frame in frames for packet in frame]


def test_a_frame_is_released_with_its_marker() -> None:
    """A video frame comes out with the packet that has the marker bit, not with the next frame's first packet."""
    buffer = VideoJitterBuffer()
    (frame,) = stream([3])
    assert [add(buffer, packet) for packet in frame] == [[], [], [whole(frame)]]


def test_a_sender_without_markers_is_released_by_the_next_timestamp() -> None:
    """Without marker bits a frame comes out with the first packet of the next one."""
    buffer = VideoJitterBuffer()
    first, second, third = stream([2, 1, 1], markers=False)
    assert add_all(buffer, first) == []
    assert add_all(buffer, second) == [whole(first)]
    assert add_all(buffer, third) == [whole(second)]


def test_every_ready_frame_is_released_at_once() -> None:
    """When a late packet fills a hole, all the frames behind it come out with it."""
    buffer = VideoJitterBuffer()
    frames = stream([1, 2, 1, 1, 3])
    packets = flat(frames)
    late = packets.pop(1)
    assert add_all(buffer, packets) == [whole(frames[0])]
    assert add(buffer, late) == [whole(frame) for frame in frames[1:]]


def test_a_hole_is_skipped_after_its_time_with_a_keyframe_request() -> None:
    """A packet that is missing for 200 ms costs its frame and makes a request for a keyframe, and nothing else."""
    clock = Clock()
    buffer = VideoJitterBuffer(clock=clock, is_keyframe=lambda data: False)
    frames = stream([2, 3, 2, 2, 2])
    assert add_all(buffer, [*frames[0], frames[1][0], frames[1][2], *frames[2]]) == [whole(frames[0])]
    clock.now_s += 0.19
    assert add_all(buffer, frames[3]) == []
    assert not buffer.take_keyframe_request()
    clock.now_s += 0.02
    assert add_all(buffer, frames[4]) == [whole(frame) for frame in frames[2:]]
    assert buffer.dropped == 1
    assert buffer.take_keyframe_request()


def test_without_hints_only_frames_with_a_known_beginning_come_out() -> None:
    """A frame after a lost one is held back when the lost packet may have been its first."""
    clock = Clock()
    buffer = VideoJitterBuffer(clock=clock)
    frames = stream([1, 2, 2, 2])
    add_all(buffer, frames[0], hint=False)
    # The last packet of frame 1 and the first of frame 2 are lost.
    add_all(buffer, [frames[1][0], frames[2][1]], hint=False)
    clock.now_s += 1
    assert add_all(buffer, frames[3], hint=False) == [whole(frames[3])]


def test_keyframe_requests_are_repeated_but_limited() -> None:
    """A keyframe is asked for again and again, not too often, until one comes."""
    clock = Clock()
    buffer = VideoJitterBuffer(clock=clock, is_keyframe=lambda data: data == b"key")
    buffer.request_keyframe()
    asked = []
    for sequence in range(10):
        assert buffer.add(sequence, sequence * 3000, True, b"delta", starts=True)
        asked.append(buffer.take_keyframe_request())
        clock.now_s += KEYFRAME_INTERVAL_S / 4 + 0.001
    assert asked == [number % 4 == 0 for number in range(10)]
    assert buffer.add(10, 30000, True, b"key", starts=True)
    clock.now_s += 10
    assert not buffer.take_keyframe_request()


def test_a_stream_joined_in_the_middle_of_a_frame() -> None:
    """What is left of a frame whose beginning was never seen is dropped."""
    buffer = VideoJitterBuffer()
    frames = stream([3, 2])
    assert add_all(buffer, [*frames[0][1:], *frames[1]]) == [whole(frames[1])]


def test_padding_makes_no_frame() -> None:
    """Packets without data (bandwidth probes) neither make frames nor holes."""
    buffer = VideoJitterBuffer()
    assert buffer.add(1, 1000, True, b"a", starts=True) == [(1000, b"a")]
    assert buffer.add(2, 1000, False, b"") == []
    assert buffer.add(3, 4000, True, b"b") == [(4000, b"b")]


def test_a_stray_packet_is_ignored_and_a_restart_is_followed() -> None:
    """One packet far away changes nothing; two consecutive ones are a new stream, of which no frame is lost."""
    buffer = VideoJitterBuffer()
    old = stream([1, 1, 1], first=100)
    new = stream([1, 2], first=40000, timestamp=7)
    add_all(buffer, old[0])
    assert add_all(buffer, new[0]) == []
    assert add_all(buffer, old[1]) == [whole(old[1])]
    assert add_all(buffer, flat(new)) == [whole(frame) for frame in new]


def test_the_video_buffer_is_bounded() -> None:
    """A frame without end does not grow the buffer, and the stream goes on at the next frame."""
    buffer = VideoJitterBuffer(capacity=64)
    (endless,) = stream([1000])
    for packet in endless[:-1]:
        assert add(buffer, packet) == []
        assert len(buffer) <= 64
    assert buffer.take_keyframe_request()
    (after,) = stream([2], first=1000, timestamp=99000)
    assert add_all(buffer, after) == [whole(after)]
    assert buffer.dropped == 1


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_complete_frames_come_out_once_and_in_order(data: st.DataObject) -> None:
    """Under loss, reordering and duplication: every frame whose packets came is handed out once, in order, no other."""
    sizes = data.draw(st.lists(st.integers(1, 6), min_size=2, max_size=20))
    first = data.draw(st.sampled_from([0, 65530, 65500, 30000]))
    hint = data.draw(st.booleans())
    lossy = random.Random(data.draw(st.integers(0, 2**32)))
    loss, spread = data.draw(st.sampled_from([0.0, 0.05, 0.3])), data.draw(st.integers(0, 12))
    frames = stream(sizes, first=first, timestamp=0xFFFFFFFF - 9000)
    packets = flat(frames)
    sent = [packet for packet in packets[1:] if lossy.random() >= loss]
    sent += [packet for packet in sent if lossy.random() < 0.1]
    order = sorted(sent, key=lambda packet: packets.index(packet) + lossy.uniform(0, spread))
    clock = Clock()
    buffer = VideoJitterBuffer(clock=clock)
    # The first packet comes first: frames before the first one that is handed out are gone.
    out = add_all(buffer, [packets[0], *order], hint)
    # Two frames more, late enough that every hole before them is given up.
    for number, sentinel in enumerate(stream([1, 1], first=first + len(packets), timestamp=500000)):
        clock.now_s += 0.3 * (number + 1)
        out += add_all(buffer, sentinel, hint)
    arrived = {packets[0], *sent}
    complete = [whole(frame) for frame in frames if arrived.issuperset(frame)]
    out = [frame for frame in out if frame.timestamp not in (500000, 503000)]
    if hint:
        assert out == complete
    else:
        # A frame after a hole may be complete without anybody knowing; what comes out is in order, never incomplete.
        remaining = iter(complete)
        assert all(frame in remaining for frame in out)
        assert loss > 0 or spread > 0 or out == complete[1:]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 3), st.booleans(), st.floats(0, 0.3)), max_size=200))
def test_any_packets_are_survived(packets: list[tuple[int, int, bool, float]]) -> None:
    """Nonsense never raises and never grows the buffers."""
    clock = Clock()
    video, audio = VideoJitterBuffer(clock=clock, capacity=32), AudioJitterBuffer(clock=clock, capacity=16)
    for sequence, timestamp, marker, later_s in packets:
        clock.now_s += later_s
        video.add(sequence, timestamp, marker, b"x")
        audio.add(sequence, timestamp, marker, b"x")
        assert len(video) <= 32
        assert len(audio) <= 16


def audio_add(buffer: AudioJitterBuffer, *numbers: int) -> list[EncodedFrame]:
    return [
        frame
        for number in numbers
        for frame in buffer.add(number & 0xFFFF, 960 * number & 0xFFFFFFFF, False, b"%d" % number)
    ]


def heard(*numbers: int) -> list[EncodedFrame]:
    return [EncodedFrame(960 * number & 0xFFFFFFFF, b"%d" % number) for number in numbers]


def test_audio_passes_at_once_and_is_put_in_order() -> None:
    """Audio packets in order wait for nothing; reordered and doubled ones come out in order, once."""
    buffer = AudioJitterBuffer()
    assert audio_add(buffer, 65534) == heard(65534)
    assert audio_add(buffer, 65535, 65537, 65537) == heard(65535)
    assert audio_add(buffer, 65536, 65536, 65538) == heard(65536, 65537, 65538)
    assert buffer.dropped == 0


def test_lost_audio_is_concealed_and_latency_does_not_grow() -> None:
    """A packet that never comes is reported as lost after 60 ms; what waited comes out with it, and nothing lags on."""
    clock = Clock()
    buffer = AudioJitterBuffer(clock=clock)
    out = audio_add(buffer, 1, 2)
    for number in (5, 6, 7, 8):
        out += audio_add(buffer, number)
        clock.now_s += 0.02
    assert out == heard(1, 2)
    out += audio_add(buffer, 9)
    assert out == [*heard(1, 2), (960 * 3, b""), (960 * 4, b""), *heard(5, 6, 7, 8, 9)]
    assert buffer.dropped == 2
    assert audio_add(buffer, 4) == []
    assert audio_add(buffer, 10) == heard(10)


def test_a_gap_in_time_is_not_filled() -> None:
    """Packets lost at a pause of the sender are not made up: nobody knows how long they were."""
    clock = Clock()
    buffer = AudioJitterBuffer(clock=clock)
    buffer.add(1, 960, False, b"a")
    buffer.add(3, 960 * 50, False, b"b")
    clock.now_s += 1
    assert buffer.add(4, 960 * 51, False, b"c") == [(960 * 50, b"b"), (960 * 51, b"c")]


def test_an_audio_stream_that_begins_anew() -> None:
    """A restart of the sender goes on with its first packet."""
    buffer = AudioJitterBuffer()
    audio_add(buffer, 1, 2)
    assert audio_add(buffer, 30000, 30001, 30002) == heard(30000, 30001, 30002)


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_audio_latency_stays_bounded(loss: float) -> None:
    """Through ten seconds of loss no packet waits much longer than the limit, and most do not wait."""
    clock = Clock()
    buffer = AudioJitterBuffer(clock=clock)
    lossy = random.Random(7)
    waits = []
    for number in range(500):
        clock.now_s = 100 + number * 0.02
        if lossy.random() < loss:
            continue
        waits += [clock.now_s - (100 + frame.timestamp / 48000) for frame in audio_add(buffer, number) if frame.data]
    # A hole is looked at when a packet arrives, and the one that would have ended the wait may be lost too.
    assert max(waits) <= 0.06 + 3 * 0.02
    assert sum(wait < 0.001 for wait in waits) >= 0.5 * len(waits)
