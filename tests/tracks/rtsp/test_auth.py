"""Who we are to a camera, by the examples of the standards."""

from __future__ import annotations

import re

from tracks.rtsp.auth import Identity, challenges


def test_digest_as_in_rfc_7616() -> None:
    """Section 3.9.1: SHA-256 is taken before MD5, and gives the response that stands there."""
    rest = 'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"'
    rest += ', opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    identity = Identity("Mufasa", "Circle of Life", lambda: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    assert identity.header("GET", "/dir/index.html") == {}
    assert identity.challenged([f"Digest {rest}, algorithm=MD5", f"Digest {rest}, algorithm=SHA-256"])
    said = identity.header("GET", "/dir/index.html")["Authorization"]
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in said
    assert "nc=00000001" in said
    assert "algorithm=SHA-256" in said
    assert "nc=00000002" in identity.header("GET", "/dir/index.html")["Authorization"]


def test_digest_without_qop_as_cameras_want_it() -> None:
    """RFC 2069, as corrected by its errata."""
    identity = Identity("Mufasa", "Circle Of Life")
    identity.challenged(['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'])
    said = identity.header("GET", "/dir/index.html")["Authorization"]
    assert re.search(r'response="670fd8c2df070c60b045671b8b24ff02"', said)
    assert "algorithm" not in said


def test_basic() -> None:
    """RFC 7617, section 2; only where nothing better is asked for."""
    identity = Identity("Aladdin", "open sesame")
    identity.challenged(['Basic realm="x"'])
    assert identity.header("PLAY", "/") == {"Authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}
    found = challenges(['Basic realm="x"', 'Digest realm="x", nonce="y"', "Negotiate"])
    assert [each.scheme for each in found] == ["digest", "basic"]


def test_what_is_not_known_is_not_answered() -> None:
    """Other schemes, and other hashes."""
    assert not Identity("a", "b").challenged(["Negotiate", 'Digest realm="x", nonce="y", algorithm=SHA-512-256'])


def test_a_realm_cannot_add_a_header() -> None:
    """Whatever the camera puts into it."""
    identity = Identity("a", "b")
    identity.challenged(['Digest realm="x\\"y\r\nX: z", nonce="n"'])
    assert "\r" not in identity.header("PLAY", "/")["Authorization"]
