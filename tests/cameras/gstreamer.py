"""A camera made of GStreamer's RTSP server, in a process of its own, run by the system's Python, which has GStreamer.

    /usr/bin/python3 gstreamer.py PORT PIPELINE [USER PASSWORD]

Serves PIPELINE, whose payloaders are named pay0 and pay1, at rtsp://127.0.0.1:PORT/live. Says `ready PORT` once it
listens, and ends when its stdin does.
"""

from __future__ import annotations

import sys
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

DIGEST = 2
"""GstRtsp.RTSPAuthMethod, whose bindings are in another package."""


def main(port: str, pipeline: str, *credentials: str) -> None:
    """Serve until nobody holds the other end of stdin any more."""
    Gst.init(None)
    server, factory = GstRtspServer.RTSPServer(), GstRtspServer.RTSPMediaFactory()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory.set_launch(f"( {pipeline} )")
    factory.set_shared(True)
    if credentials:
        guard(server, factory, *credentials)
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print("ready", server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    GLib.io_add_watch(sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IO_HUP, lambda *_: loop.quit())
    loop.run()


def guard(server: Any, factory: Any, user: str, password: str) -> None:
    """Let in only who knows the password (RFC 2617, digest)."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    auth.set_supported_methods(DIGEST)
    token.set_string("media.factory.role", user)
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    rights = f"{user}, media.factory.access=true, media.factory.construct=true"
    factory.add_role_from_structure(Gst.Structure.from_string(rights)[0])


if __name__ == "__main__":
    main(*sys.argv[1:])
