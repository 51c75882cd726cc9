"""The certificate that the server speaks https with."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector, web

from server.access import Access
from server.middleware import add_middlewares
from server.origin import AccessPolicy
from server.roles import Role
from server.routes import access as routes
from server.tls import server_context
from server.tokens import Tokens
from server.tries import Tries
from tests.server.certificates import make_certificate
from tracks.errors import InvalidRequest


async def test_https_is_served_with_the_certificate_and_its_cookie_is_secure(tmp_path: Path) -> None:
    """A client that trusts the certificate signs in; Origin is compared with https."""
    certificate, key = make_certificate(tmp_path)
    tokens = Tokens(tmp_path)
    _, secret = tokens.create("me", Role.VIEWER)
    app = web.Application()
    add_middlewares(app, AccessPolicy("127.0.0.1"))
    routes.add_routes(app, Access(tokens, Tries(), node="n", loopback=True, always=True))
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(certificate, key)).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        trusted = ssl.create_default_context(cafile=str(certificate))
        async with ClientSession(connector=TCPConnector(ssl=trusted)) as http:
            async with http.post(f"{url}/login", json={"token": secret}, headers={"Origin": url}) as response:
                assert response.status == 200
                assert response.cookies["vedette-n"]["secure"] is True
            async with http.get(f"{url}/access", headers={"Origin": url.replace("https", "http")}) as response:
                assert response.status == 403
    finally:
        await runner.cleanup()


def test_versions_older_than_1_2_are_not_spoken(tmp_path: Path) -> None:
    """Whatever the system's OpenSSL would allow."""
    assert server_context(*make_certificate(tmp_path)).minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_key_with_a_passphrase_is_refused_without_asking(tmp_path: Path) -> None:
    """OpenSSL would ask on the terminal, and the start would hang."""
    with pytest.raises(InvalidRequest, match="has a passphrase"):
        server_context(*make_certificate(tmp_path, passphrase="hunter2"))


def test_what_is_no_certificate_and_its_key_is_refused_by_name(tmp_path: Path) -> None:
    """Swapped, of another pair, or not PEM."""
    (tmp_path / "other").mkdir()
    certificate, key = make_certificate(tmp_path)
    _, other = make_certificate(tmp_path / "other")
    (tmp_path / "text").write_text("hello")
    for pair in ((key, certificate), (certificate, other), (tmp_path / "text", key), (certificate, tmp_path / "none")):
        with pytest.raises(InvalidRequest, match="are no certificate and its key") as caught:
            server_context(*pair)
        assert str(pair[0]) in caught.value.message
