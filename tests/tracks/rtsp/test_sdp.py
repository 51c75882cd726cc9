"""What cameras say that they send."""

from __future__ import annotations

from tracks.rtsp.dialogue import chosen
from tracks.rtsp.sdp import read

BASE = "rtsp://h/live/"
HIKVISION = """v=0\r
o=- 1109162014219182 0 IN IP4 0.0.0.0\r
s=HIK Media Server V3.4.96\r
c=IN IP4 0.0.0.0\r
t=0 0\r
a=control:*\r
m=video 0 RTP/AVP 96\r
b=AS:5100\r
a=control:rtsp://10.0.0.2/Streaming/Channels/101/trackID=1\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 profile-level-id=420029; sprop-parameter-sets=Z00AKZpkA8ARPy4C3AQEBQAAAwPoAADq,aO48gA==\r
m=audio 0 RTP/AVP 8\r
a=control:trackID=2\r
m=application 0 RTP/AVP 107\r
a=rtpmap:107 vnd.onvif.metadata/90000\r
"""


def test_a_camera_s_description_is_read() -> None:
    """Streams, formats, and where each is asked for; static payload types need no rtpmap."""
    video, audio, data = read(HIKVISION, BASE)
    assert (video.kind, video.encoding, video.clock_rate, video.payload_type) == ("video", "H264", 90_000, 96)
    assert video.control == "rtsp://10.0.0.2/Streaming/Channels/101/trackID=1"
    assert video.parameters["sprop-parameter-sets"].endswith(",aO48gA==")
    assert (audio.decoder, audio.clock_rate, audio.control) == ("pcm_alaw", 8000, "rtsp://h/live/trackID=2")
    assert (data.decoder, chosen([video, audio, data], "video"), chosen([data], "video")) == (None, video, None)


def test_controls_are_joined_as_cameras_mean_it() -> None:
    """Relative ones are appended, to a URL with a query, too."""
    text = "v=0\nm=video 0 RTP/AVP 26\na=control:{}\n"
    controls = [
        read(text.format(each), base)[0].control for each, base in (("*", BASE), ("/x", BASE), ("t1", "rtsp://h/a?b=c"))
    ]
    assert controls == [BASE, "rtsp://h/x", "rtsp://h/a?b=c/t1"]


def test_nonsense_is_left_out() -> None:
    """Numbers that are none, streams without a format, more than anybody needs; none of it raises."""
    text = "m=\nm=video\nm=video x RTP/AVP y\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264\na=framerate:inf\na=fmtp:96\n"
    (only,) = read(text, BASE)
    assert (only.decoder, only.fps) == (None, None)
    assert len(read("m=audio 0 RTP/AVP 0\n" * 1000, BASE)) <= 16
    assert read("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/0\n", BASE)[0].decoder is None
