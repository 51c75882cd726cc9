"""Offers: real ones are taken, broken ones are refused with a stable code, and nothing is left behind either way."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from signaling.sdp import MAX_CANDIDATES, OfferSummary, apply_offer, cap_candidates, validate_offer
from tracks import edges
from tracks.errors import InvalidRequest, UnsupportedMedia, VedetteError
from tracks.stats import Stats

HERE = Path(__file__).parent
OFFERS = {name: (HERE / f"{name}_offer.sdp").read_text().replace("\n", "\r\n") for name in ("chromium", "aiortc")}
"""Recorded: Chromium with camera, microphone and two data channels; aiortc with video, audio and one."""

MUTANTS = 1000
APPLIED = 200
"""Mutants that go through a real peer connection; all go through the validator."""


def without(sdp: str, pattern: str) -> str:
    changed = re.sub(rf"(?m)^{pattern}.*\r\n", "", sdp)
    assert changed != sdp
    return changed


def replaced(sdp: str, old: str, new: str) -> str:
    assert old in sdp
    return sdp.replace(old, new)


async def answer(offer: OfferSummary) -> str:
    """Answer an offer with a peer connection that is closed again."""
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        edges.guard_datagrams(pc, Stats())
        edges.restrict_gathering(pc, edges.LOOPBACK_ONLY)
        await apply_offer(pc, offer, mdns=False)
        await pc.setLocalDescription(await pc.createAnswer())
        return str(pc.localDescription.sdp)
    finally:
        await edges.close_peer(pc)


@pytest.mark.parametrize("name", OFFERS)
async def test_real_offers_are_answered(name: str) -> None:
    """An offer of Chromium and one of aiortc are understood and answered."""
    offer = validate_offer(OFFERS[name], "offer")
    assert {media.kind: media.direction for media in offer.media} == {"audio": "sendrecv", "video": "sendrecv"}
    assert offer.of_kind("video")[0].codecs == ("VP8", "H264")
    assert offer.of_kind("audio")[0].codecs == ("opus", "G722", "PCMU", "PCMA")
    assert offer.has_data_channel
    assert offer.data_mid == "2"
    assert offer.transport_mid == "0"
    assert offer.candidates == 2
    answered = await answer(offer)
    assert re.findall(r"(?m)^m=(\w+)", answered) == re.findall(r"(?m)^m=(\w+)", OFFERS[name])


def test_directions_are_told() -> None:
    """Who sends and who receives is read from each section, from the session, or taken for both."""
    sdp = replaced(OFFERS["aiortc"], "a=sendrecv", "a=recvonly")
    assert {(media.sends, media.receives) for media in validate_offer(sdp, "offer").media} == {(False, True)}
    bare = without(OFFERS["aiortc"], "a=sendrecv")
    assert {media.direction for media in validate_offer(bare, "offer").media} == {"sendrecv"}
    session = replaced(bare, "t=0 0\r\n", "t=0 0\r\na=sendonly\r\n")
    assert {media.direction for media in validate_offer(session, "offer").media} == {"sendonly"}


BROKEN: dict[str, Callable[[str], str]] = {
    "nothing": lambda sdp: "",
    "not an SDP": lambda sdp: "<html>",
    "control characters": lambda sdp: sdp.replace("s=-", "s=\x0b-"),
    "too large": lambda sdp: sdp + "a=x\r\n" * 20000,
    "too many sections": lambda sdp: sdp + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 20,
    "no mid": lambda sdp: without(sdp, "a=mid:"),
    "the same mid twice": lambda sdp: replaced(sdp, "a=mid:1", "a=mid:0"),
    "no ufrag": lambda sdp: without(sdp, "a=ice-ufrag:"),
    "no password": lambda sdp: without(sdp, "a=ice-pwd:"),
    "a short password": lambda sdp: re.sub("a=ice-pwd:.*\r", "a=ice-pwd:abc\r", sdp),
    "no fingerprint": lambda sdp: without(sdp, "a=fingerprint:"),
    "a fingerprint of another kind": lambda sdp: re.sub("a=fingerprint:sha-[0-9]+", "a=fingerprint:md2", sdp),
    "a short fingerprint": lambda sdp: re.sub("a=fingerprint:(sha-[0-9]+) ..:", r"a=fingerprint:\1 ", sdp),
    "no setup": lambda sdp: without(sdp, "a=setup:"),
    "an odd setup": lambda sdp: replaced(sdp, "a=setup:actpass", "a=setup:holdconn"),
    "no rtcp-mux": lambda sdp: without(sdp, "a=rtcp-mux"),
    "not bundled": lambda sdp: without(sdp, "a=group:BUNDLE"),
    "an odd profile": lambda sdp: replaced(sdp, "UDP/TLS/RTP/SAVPF", "RTP/AVP"),
    "an extension without an id": lambda sdp: re.sub("a=extmap:[0-9]+", "a=extmap:0", sdp),
    "an SSRC that is too large": lambda sdp: re.sub("a=ssrc:[0-9]+", "a=ssrc:99999999999", sdp),
    "a format without a codec": lambda sdp: sdp.replace("a=mid:1", "a=mid:1\r\na=fmtp:33 x=1"),
    "no SCTP port": lambda sdp: without(sdp, "a=sctp-port"),
    "an endless list of codecs": lambda sdp: sdp.replace("a=mid:1", "a=mid:1" + "\r\na=rtpmap:96 VP8/90000" * 200),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("recorded", OFFERS)
def test_broken_offers_are_invalid(recorded: str, name: str) -> None:
    """What is no valid offer is an invalid request."""
    with pytest.raises((InvalidRequest, UnsupportedMedia)) as caught:
        validate_offer(BROKEN[name](OFFERS[recorded]), "offer")
    assert caught.value.code == "invalid_request"
    assert len(caught.value.message) < 300


def test_an_answer_is_no_offer() -> None:
    """Another type than offer is refused."""
    with pytest.raises(InvalidRequest, match="offer"):
        validate_offer(OFFERS["aiortc"], "answer")


@pytest.mark.parametrize(
    "change",
    [
        lambda sdp: sdp[: sdp.index("m=")],
        lambda sdp: re.sub("VP8|H264|VP9|AV1|H265", "THEORA", sdp),
        lambda sdp: replaced(sdp, "m=video", "m=text"),
        lambda sdp: replaced(sdp[: sdp.index("m=application")], "a=sendrecv", "a=inactive").replace(" 0 1 2", " 0 1"),
    ],
    ids=["no section", "no codec", "another kind", "all inactive"],
)
def test_offers_without_usable_media_are_unsupported(change: Callable[[str], str]) -> None:
    """An offer that has nothing for us is unsupported media, and the message names what we have."""
    with pytest.raises(UnsupportedMedia):
        validate_offer(change(OFFERS["aiortc"]), "offer")


async def test_sections_share_the_first_ones_transport() -> None:
    """Bundled sections without transport attributes of their own, and mids that do not exist, are put right."""
    head, *sections = re.split("(?m)^(?=m=)", OFFERS["aiortc"])
    bare = [without(without(section, "a=ice-(ufrag|pwd)"), "a=(fingerprint|setup)") for section in sections[1:]]
    sdp = head.replace("BUNDLE 0", "BUNDLE ghost 0") + sections[0] + "".join(bare)
    assert "m=audio" in await answer(validate_offer(sdp, "offer"))


def test_only_useful_candidates_are_kept() -> None:
    """Candidates that no peer can have are dropped, malformed ones too, and the rest is capped."""
    useful = [f"a=candidate:1 1 udp 2122194687 192.0.2.{n} 5{n:03d} typ host" for n in range(1, 40)]
    useless = [
        "a=candidate:1 1 tcp 2122194687 192.0.2.1 9 typ host tcptype active",
        "a=candidate:1 1 udp 2122194687 example.org 5000 typ host",
        "a=candidate:1 1 udp 2122194687 224.0.0.1 5000 typ host",
        "a=candidate:1 1 udp 2122194687 192.0.2.1 53 typ host",
        "a=candidate:1 2 udp 2122194687 192.0.2.1 5000 typ host",
        "a=candidate:",
    ]
    assert cap_candidates([*useless, *useful]) == useful[:MAX_CANDIDATES]
    names = ["a=candidate:1 1 udp 2122194687 8b3ab1b6-9d8a-4dd8-8e1a-3e7ff6d2dbf1.local 5000 typ host"]
    assert cap_candidates(names) == names
    assert cap_candidates(["a=candidate:1 0 udp 5 192.0.2.1 5000 typ host"]) == [
        "a=candidate:1 1 udp 5 192.0.2.1 5000 typ host"
    ]


async def test_a_name_that_cannot_be_resolved_does_not_hold_up_the_answer() -> None:
    """With mDNS candidates of nobody the offer is applied at once."""
    name = "a=candidate:1 1 udp 2122194687 8b3ab1b6-9d8a-4dd8-8e1a-3e7ff6d2dbf1.local 5000 typ host"
    sdp = without(OFFERS["aiortc"], "a=candidate").replace("a=mid:0", f"a=mid:0\r\n{name}")
    offer = validate_offer(sdp, "offer")
    assert offer.candidates == 1
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        before_s = asyncio.get_running_loop().time()
        await apply_offer(pc, offer)
        # Resolving it takes 1 s.
        assert asyncio.get_running_loop().time() - before_s < 0.8
    finally:
        await edges.close_peer(pc)


def mutate(sdp: str, chance: random.Random) -> str:
    """One to four changes of the kinds that broken clients, proxies and attackers make."""
    lines = sdp.split("\r\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        line = lines[at]
        match chance.randrange(9):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, chance.choice(lines))
            case 2:
                lines[at] = line[: chance.randrange(len(line) + 1)]
            case 3:
                other = chance.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 4:
                lines[at] = re.sub(r"\d+", lambda _: chance.choice(["0", "-1", "65536", "4294967296", "9" * 30]), line)
            case 5:
                place = chance.randrange(len(line) + 1)
                lines[at] = line[:place] + chance.choice("\x00é\ud800 :/=;\u2028") + line[place + 1 :]
            case 6:
                lines[at] = line.replace(":", " ", 1)
            case 7:
                words = line.split(" ")
                chance.shuffle(words)
                lines[at] = " ".join(words)
            case _:
                kind = line.split(":")[0]
                lines = [kept for kept in lines if not kept.startswith(kind)] or ["v=0"]
    return "\r\n".join(lines)


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@pytest.mark.parametrize(
    ("mutants", "most_applied"), [(MUTANTS, APPLIED), pytest.param(5000, 5000, marks=pytest.mark.endure)]
)
async def test_mutants_end_in_an_answer_or_a_clear_error(mutants: int, most_applied: int) -> None:
    """Every mutated offer is answered or refused with a stable code; no descriptor, task or thread is left."""
    chance = random.Random(2026)
    answered = applied = refused = 0
    codes: set[str] = set()
    await answer(validate_offer(OFFERS["aiortc"], "offer"))
    descriptors = open_descriptors()
    unhandled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unhandled.append(context))
    for number in range(mutants):
        sdp = mutate(OFFERS["chromium" if number % 2 else "aiortc"], chance)
        try:
            offer = validate_offer(sdp, "offer")
        except VedetteError as error:
            refused += 1
            codes.add(error.code)
            continue
        if applied >= most_applied:
            continue
        applied += 1
        try:
            assert "a=ice-ufrag:" in await answer(offer)
            answered += 1
        except VedetteError as error:
            codes.add(error.code)
    assert codes <= {"invalid_request", "unsupported_media"}
    # The mutants would prove nothing if all were refused, or none.
    assert refused > 0.1 * mutants
    assert answered > 0.9 * applied
    assert applied == min(most_applied, mutants - refused)
    assert open_descriptors() <= descriptors + 2
    assert not unhandled
