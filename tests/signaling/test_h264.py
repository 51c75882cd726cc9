"""H.264 of any profile is offered to aiortc as one that it takes, and answered as what it was."""

from __future__ import annotations

from signaling.h264 import BASELINE, any_profile, as_offered

SECTION = "m=video 9 UDP/TLS/RTP/SAVPF 96 98\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:98 H264/90000\r\n"


def test_what_was_offered_is_answered() -> None:
    """Whatever the profile and the packetization; parameter sets, which are the sender's, are not repeated."""
    offered = "packetization-mode=0;profile-level-id=640c1f;sprop-parameter-sets=Z0IACpZTBYmI,aMljiA=="
    sdp, remembered = any_profile(f"{SECTION}a=fmtp:98 {offered}\r\na=fmtp:96 x=1\r\n")
    assert sdp.count(f"a=fmtp:98 {BASELINE}\r\n") == 1
    assert "640c1f" not in sdp
    assert "a=fmtp:96 x=1\r\n" in sdp
    assert as_offered(sdp, remembered).count("a=fmtp:98 packetization-mode=0;profile-level-id=640c1f\r\n") == 1


def test_without_parameters_none_are_answered() -> None:
    """Also where lines end with LF alone."""
    sdp, remembered = any_profile(SECTION.replace("\r\n", "\n"))
    assert sdp.count("a=fmtp:98") == 1
    assert "a=fmtp" not in as_offered(sdp.replace("\n", "\r\n"), remembered)


def test_other_codecs_are_left_alone() -> None:
    """An offer without H.264 is what it was."""
    sdp = SECTION.replace("H264", "VP9")
    assert any_profile(sdp) == (sdp, {})
