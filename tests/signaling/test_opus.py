"""The bitrate of the sound that we ask for."""

from __future__ import annotations

import re

from aiortc.sdp import SessionDescription

from signaling.opus import BITRATE, ask_for_detail
from signaling.sdp import validate_offer
from tests.signaling.test_sdp import OFFERS, answer


async def test_opus_is_asked_for_at_a_bitrate_that_leaves_the_words() -> None:
    """The payload type of Opus has the wish, no other has, and nothing else changes."""
    given = await answer(validate_offer(OFFERS["chromium"], "offer"))
    asked = ask_for_detail(given)
    assert re.findall(r"maxaveragebitrate.*", asked) == [f"maxaveragebitrate={BITRATE}\r"]
    assert re.sub(r"a=fmtp:111 maxaveragebitrate=.*\r\n", "", asked) == given
    audio, video = SessionDescription.parse(asked).media[:2]
    assert {codec.name: codec.parameters for codec in audio.rtp.codecs} == {
        "opus": {"maxaveragebitrate": str(BITRATE)},
        "G722": {},
        "PCMU": {},
        "PCMA": {},
    }
    assert all("maxaveragebitrate" not in codec.parameters for codec in video.rtp.codecs)


async def test_an_answer_without_opus_stays_as_it_is() -> None:
    """So does one without sound."""
    offer = re.sub(r"(?m)^a=(rtpmap|fmtp|rtcp-fb):111 .*\r\n", "", OFFERS["chromium"]).replace("SAVPF 111 ", "SAVPF ")
    given = await answer(validate_offer(offer, "offer"))
    assert "m=audio" in given
    assert ask_for_detail(given) == given
