"""ICE servers as clients find them in headers."""

from __future__ import annotations

import logging

import pytest

from server.ice_links import ice_links
from server.settings import IceServer


def test_each_url_is_a_line_in_the_order_that_players_expect() -> None:
    """rel, username, credential, credential-type."""
    turn = IceServer(urls=("turn:turn.example:3478?transport=udp",), username="kit", credential="s3cret")
    stun = IceServer(urls=("stun:a.example", "stun:b.example"))
    assert ice_links([stun, turn]) == [
        '<stun:a.example>; rel="ice-server"',
        '<stun:b.example>; rel="ice-server"',
        '<turn:turn.example:3478?transport=udp>; rel="ice-server"; username="kit"; credential="s3cret"; '
        'credential-type="password"',
    ]


@pytest.mark.parametrize("credential", ["a,b", "a;b", 'a"b', "a\\b", "a b", "a\nb"])
def test_what_would_be_misread_is_left_out(credential: str, caplog: pytest.LogCaptureFixture) -> None:
    """And said, without the credential."""
    with caplog.at_level(logging.WARNING):
        assert ice_links([IceServer(urls=("turn:turn.example",), username="kit", credential=credential)]) == []
    assert "turn:turn.example" in caplog.text
    assert credential not in caplog.text.replace('; " \\', "")
