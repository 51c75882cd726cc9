"""Untrusted media, decoded in a process of its own: `decode.py` is the way in, `child.py` the other side of the pipe.

A file that somebody sent is never opened by FFmpeg in the server's process. The server opens it (`process.py`), hands
the descriptor to a child that has limits on memory, processor time, files and formats (`confine.py`, `formats.py`), and
reads from a pipe what was decoded (`wire.py`). Whatever the file does to the decoder, it does to the child.
"""
