"""RTSP (RFC 2326) and RTP as cameras speak it. Runs in the child that decodes, on a connection that it was given.

FFmpeg has all of this, and more than is wanted: it follows redirects wherever they lead, and connects by itself. A
process that may do that cannot be sealed. Here the server looks the camera up, checks its address and connects; the
child gets the socket and nothing else, and so neither a camera nor what it sends can make this machine reach any other.
"""
