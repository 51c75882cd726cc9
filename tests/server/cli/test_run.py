"""What `vedette serve` says when it is ready."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web

from server.app import Server
from server.cli.run import detector, recogniser
from server.sessions import LiveSessions
from tracks.asr import AsrInfo
from tracks.detect import DetectorInfo

SPHINX = AsrInfo("pocketsphinx", "pocketsphinx", "cpu", "5.1.1", ("en",), "pocketsphinx is always there")
WHISPER = AsrInfo("whisper-base", "faster-whisper", "cpu", "int8", ("en", "de"), "whisper-base was chosen")
DETECTOR = DetectorInfo(
    name="people",
    runtime="openvino",
    device="cpu",
    precision="fp32",
    file="people.pt",
    sha256="",
    labels=("person",),
    reason="these are the weights that ship",
)


def server(asr: AsrInfo | None, deaf: str = "") -> Server:
    """A server that is ready, as far as its models go."""
    nothing = cast(Any, None)
    return Server(
        web.Application(),
        cast(LiveSessions, nothing),
        True,
        "here",
        lambda: DETECTOR,
        lambda: asr,
        lambda: deaf,
        cast("asyncio.Task[None]", nothing),
        cast("asyncio.Task[None]", nothing),
    )


def test_both_models_are_told_with_their_reasons() -> None:
    """Which runs where, by what, and why."""
    assert detector(server(SPHINX)) == [
        "  detector    people on cpu by openvino, fp32, class person",
        "              these are the weights that ship",
    ]
    assert recogniser(server(SPHINX)) == [
        "  recogniser  pocketsphinx on cpu, 5.1.1, language en",
        "              pocketsphinx is always there",
    ]
    assert "  recogniser  whisper-base on cpu by faster-whisper, int8, 2 languages" in recogniser(server(WHISPER))


def test_a_server_without_a_recogniser_says_why() -> None:
    """It runs all the same; credentials in the reason are not shown."""
    (last,) = recogniser(server(None, "no answer from http://u:hunter2@asr.example/v1"))
    assert last.startswith("  recogniser  none: no answer from http://")
    assert "hunter2" not in last
