"""By which names a server may be asked: a guard against DNS rebinding."""

from __future__ import annotations

import asyncio

import pytest

from server.origin import AccessPolicy
from tests.server.requests.small_app import Client, Serve, error_of


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000", "127.0.0.1"])
async def test_loopback_names_are_served_on_any_port(client: Client, host: str) -> None:
    """A forwarded port still reaches the server."""
    response = await client.get("/sessions/x", headers={"Host": host})
    assert response.status == 404


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "evil.example:8000", "192.168.1.5", "localhost@evil", "", "[::1", "a b"],
)
async def test_a_rebinding_host_is_forbidden(client: Client, host: str) -> None:
    """A name that is not ours, pointed at this machine, is refused before the handler runs."""
    response = await client.get("/crash", headers={"Host": host})
    assert response.status == 403
    assert (await error_of(response))["code"] == "forbidden"


async def test_one_host_header_exactly(client: Client) -> None:
    """None and two are refused: proxies and parsers do not agree on which one counts."""
    for lines in ("", "Host: localhost\r\nHost: evil.example\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.port)
        writer.write(f"GET /crash HTTP/1.1\r\n{lines}Connection: close\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        await writer.wait_closed()
        assert b" 403 " in status or b" 400 " in status


async def test_configured_hosts_are_served(serve: Serve) -> None:
    """Names from the settings are taken, whatever their case."""
    client = await serve(AccessPolicy("127.0.0.1", frozenset({"Camera.lan"})))
    assert (await client.get("/sessions/x", headers={"Host": "camera.lan:8000"})).status == 404
    assert (await client.get("/sessions/x", headers={"Host": "other.lan"})).status == 403


async def test_beyond_loopback_addresses_are_served_and_names_are_not(serve: Serve) -> None:
    """Only a name can be rebound: bound to all interfaces, any address is taken."""
    client = await serve(AccessPolicy("0.0.0.0"))
    for host in ("192.168.1.5:8000", "[fd00::5]:8000", "localhost"):
        assert (await client.get("/sessions/x", headers={"Host": host})).status == 404
    assert (await client.get("/sessions/x", headers={"Host": "evil.example"})).status == 403


def test_a_wrong_setting_is_refused() -> None:
    """Hosts and origins that are none, and `*`, stop the start with a message that names them."""
    with pytest.raises(ValueError, match=r"'\*' is not an origin"):
        AccessPolicy("127.0.0.1", allowed_origins=frozenset({"*"}))
    with pytest.raises(ValueError, match="'http://a/b' is not an origin"):
        AccessPolicy("127.0.0.1", allowed_origins=frozenset({"http://a/b"}))
    with pytest.raises(ValueError, match="'http://camera' is not a host name"):
        AccessPolicy("127.0.0.1", frozenset({"http://camera"}))
