"""URLs of cameras: what is taken, and what others get to see of them."""

from __future__ import annotations

import pytest

from tracks.errors import ForbiddenUrl, InvalidRequest
from tracks.sources.urls import MAX_CHARS, parse


def test_a_url_is_taken_apart() -> None:
    """Credentials are decoded, the port is that of the scheme unless given, the path stays as it is."""
    url = parse("RTSP://admin:p%40ss%2Fword@Cam.Example:8554/Stream/%41?channel=1")
    assert (url.scheme, url.host, url.port, url.path) == ("rtsp", "cam.example", 8554, "/Stream/%41?channel=1")
    assert (url.username, url.password) == ("admin", "p@ss/word")
    assert (parse("rtsp://h").port, parse("rtsps://h").port, parse("rtsp://h").path) == (554, 322, "/")
    assert parse("rtsp://[2001:DB8::1]:554/a").bare == "rtsp://[2001:db8::1]/a"


def test_what_is_stored_is_what_was_given() -> None:
    """With everything, so that a source can be made again of it."""
    for text in ("rtsp://a:b%40c@h:8554/x?y=z", "rtsps://u@h/x", "rtsp://[2001:db8::1]/"):
        assert parse(text).text == text
        assert parse(parse(text).text) == parse(text)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("rtsp://admin:hunter2@h/x", "rtsp://***@h/x"),
        ("rtsp://h/x?user=admin&password=hunter2&channel=1", "rtsp://h/x?user=***&password=***&channel=1"),
        ("rtsp://h/x;PWD=hunter2", "rtsp://h/x;PWD=***"),
        ("rtsp://h/x?channel=1", "rtsp://h/x?channel=1"),
    ],
)
def test_credentials_are_not_shown(text: str, seen: str) -> None:
    """Neither those before the host nor those among the parameters; nor does a traceback show them."""
    assert parse(text).redacted == seen
    assert "hunter2" not in repr(parse(text))


def test_what_a_camera_says_is_scrubbed() -> None:
    """It may repeat what it was sent, as it is or encoded."""
    url = parse("rtsp://admin:p%40ss@h/x?pwd=abc")
    said = f"no {url.bare}, no {url.text}, user admin, p@ss, p%40ss, abc"
    assert url.scrub(said) == "no ***, no ***, user ***, ***, ***, ***"


@pytest.mark.parametrize(
    "text", ["http://h/x", "https://h/x", "file:///etc/passwd", "file:/etc/passwd", "ffrtmphttp://h/", "concat:a|b"]
)
def test_other_schemes_are_forbidden(text: str) -> None:
    """By name, with the choices."""
    with pytest.raises(ForbiddenUrl, match=r"are not taken, have: rtsp, rtsps"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "camera",
            "//h/x",
            "rtsp:h/x",
            "rtsp://",
            "rtsp:///x",
            "rtsp://:554/x",
            "rtsp://h:0/x",
            "rtsp://h:99999/x",
        ),
        *(
            "rtsp://u:hunter2@/x",
            "rtsp://h /x",
            "rtsp://h/\r\nSETUP",
            "rtsp://h/é",
            "rtsp://[::1/x",
            "rtsp://fe80::1%eth0/",
        ),
        *("rtsp://u:hunter2/3@h/", "192.168.1.1:554/hunter2", "rtsp://h\\@other/x", "rtsp://" + "h" * MAX_CHARS),
    ],
)
def test_what_is_no_url_is_refused(text: str) -> None:
    """And its credentials are not repeated."""
    with pytest.raises(InvalidRequest) as refused:
        parse(text)
    assert "hunter2" not in refused.value.message


def test_an_edited_url_keeps_what_was_hidden() -> None:
    """Who sees `***` may change the rest of the path."""
    before = parse("rtsp://admin:secret@h:8554/main?pwd=x1&n=1")
    now = parse("rtsp://***@h:8554/sub?pwd=***&n=2").revised(before)
    assert now.text == "rtsp://admin:secret@h:8554/sub?pwd=x1&n=2"
    assert parse("rtsp://u:v@h:8554/sub").revised(before).text == "rtsp://u:v@h:8554/sub"


@pytest.mark.parametrize(
    "text", ["rtsp://***@evil:8554/main", "rtsp://***@h:555/", "rtsps://***@h:8554/", "rtsp://e/?pwd=***"]
)
def test_hidden_credentials_go_nowhere_else(text: str) -> None:
    """Who cannot read them cannot have them sent to another host."""
    with pytest.raises(InvalidRequest, match="given anew"):
        parse(text).revised(parse("rtsp://admin:secret@h:8554/main?pwd=x1"))


def test_what_was_never_known_cannot_be_hidden() -> None:
    """A parameter that was not there has no value to keep."""
    with pytest.raises(InvalidRequest, match="'key' is not known"):
        parse("rtsp://h/?key=***").revised(parse("rtsp://h/"))
