"""A camera: GStreamer's RTSP server, which loops a film. Run as a program of its own, with the system's Python.

    /usr/bin/python3 tests/rtsp_server.py PORT LAUNCH [USER PASSWORD]

LAUNCH is a pipeline that ends in payloaders named pay0 and pay1. Serves /live; says `ready PORT` once it listens.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402


def main(port: str, launch: str, user: str = "", password: str = "") -> None:
    """Serve until killed."""
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_service(port)
    server.set_address("127.0.0.1")
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {launch} )")
    factory.set_shared(True)
    if user:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(2)  # Digest
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_digest(user, password, token)
        server.set_auth(auth)
        factory.add_role_from_structure(
            Gst.Structure.from_string("user, media.factory.access=true, media.factory.construct=true")[0]
        )
    server.get_mount_points().add_factory("/live", factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main(*sys.argv[1:])
