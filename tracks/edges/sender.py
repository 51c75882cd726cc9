"""Hooks on `RTCRtpSender` (aiortc 1.16.0)."""

from __future__ import annotations

from typing import Any

from aiortc import RTCRtpSender


def sender_rtp_origin(sender: RTCRtpSender) -> int | None:
    """What the sender adds to a frame's time to get its RTP timestamp, chosen at random; None while it does not run.

    It is a local variable of the task that sends.
    """
    private: Any = sender
    task = private._RTCRtpSender__rtp_task
    frame = None if task is None else task.get_coro().cr_frame
    if frame is None:
        return None
    origin: int | None = frame.f_locals.get("timestamp_origin")
    return origin


def request_keyframe(sender: RTCRtpSender) -> None:
    """Make the next frame that is encoded a keyframe. It has no effect on a track that returns encoded packets."""
    sender._send_keyframe()
