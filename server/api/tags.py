"""The groups in which routes are described, in their order."""

from __future__ import annotations

from collections.abc import Mapping

TAGS: Mapping[str, str] = {
    "sources": "Where pictures and sound come from.",
    "sessions": "What runs over a source: pictures are watched, sound is listened to, and events come of it.",
    "webrtc": "Cameras and viewers connect to a session; events and commands go over data channels.",
    "whip": "The same by standards that programs of others speak: WHIP brings media in, WHEP plays it.",
    "stream": "The same without WebRTC: pictures, sound, commands and events over one WebSocket.",
    "events": "What happened: one envelope on every surface, whose `data` depends on its `kind`.",
    "transcripts": "What was said in a session.",
    "artifacts": "Pictures of sessions: thumbnails come by themselves, snapshots are asked for.",
    "analysis": "One file in, what is in it out, without a session.",
    "openai": "What OpenAI's own clients need to transcribe here.",
    "models": "What detects and what recognises speech: the registry, and what of it runs.",
    "access": "Who is asking: browsers sign in, programs send a token.",
    "health": "For people, probes and Prometheus.",
    "contract": "This document.",
}
