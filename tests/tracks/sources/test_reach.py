"""Which hosts a source may lead to, however their addresses are written."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tracks.errors import ForbiddenUrl, SourceUnreachable
from tracks.sources import reach as module
from tracks.sources.reach import Reach, look_up

CLOSED = Reach()


def answering(*addresses: str) -> module.Resolve:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    "address", ["192.168.1.20", "10.0.0.7", "172.16.3.4", "203.0.113.9", "fd12::20", "2001:db8::9"]
)
async def test_cameras_are_reached(address: str) -> None:
    """In private networks and beyond, by address and by name."""
    assert await look_up(address, 554, CLOSED) == address
    assert await look_up("cam.lan", 554, CLOSED, answering(address)) == address


@pytest.mark.parametrize(
    ("address", "why"),
    [
        *(("127.0.0.1", "loopback"), ("127.9.9.9", "loopback"), ("::1", "loopback"), ("0.0.0.0", "unspecified")),
        *(
            ("::", "unspecified"),
            ("0.1.2.3", "this network"),
            ("169.254.10.1", "link-local"),
            ("fe80::1", "link-local"),
        ),
        *(("169.254.169.254", "metadata"), ("100.100.100.200", "metadata"), ("fd00:ec2::254", "metadata")),
        *(("224.0.0.1", "multicast"), ("ff02::1", "multicast"), ("255.255.255.255", "broadcast")),
        *(("::ffff:127.0.0.1", "loopback"), ("::ffff:a9fe:a9fe", "metadata"), ("::127.0.0.1", "loopback")),
        *(("64:ff9b::7f00:1", "loopback"), ("2002:7f00:1::", "loopback"), ("64:ff9b::a9fe:a9fe", "metadata")),
        ("2001:0:c000:201:0:0:80ff:fffe", "loopback"),
    ],
)
async def test_closed_addresses_are_closed(address: str, why: str) -> None:
    """Mapped and embedded ones, too; by address and by a name that leads there."""
    with pytest.raises(ForbiddenUrl, match=why):
        await look_up(address, 554, CLOSED)
    with pytest.raises(ForbiddenUrl, match=f"cam.lan is .*{why}"):
        await look_up("cam.lan", 554, CLOSED, answering(address))
    with pytest.raises(ForbiddenUrl, match=why):
        await look_up("cam.lan", 554, CLOSED, answering("203.0.113.9", address))


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "017700000001", "3232235777"]
)
async def test_addresses_in_disguise_are_refused(host: str) -> None:
    """Resolvers would take them for addresses; nobody needs to write one so."""
    with pytest.raises(ForbiddenUrl, match="another way to write an address"):
        await look_up(host, 554, CLOSED, answering("192.168.1.1"))


async def test_an_operator_opens_what_is_closed() -> None:
    """By address, network or name; and nothing beside it."""
    reach = Reach.of(["127.0.0.1", "169.254.8.0/24", "Cam.lan", "[::1]"])
    assert await look_up("127.0.0.1", 554, reach) == "127.0.0.1"
    assert await look_up("::1", 554, reach) == "::1"
    assert await look_up("::ffff:127.0.0.1", 554, Reach.of(["127.0.0.1", "::/0"])) == "::ffff:7f00:1"
    assert await look_up("169.254.8.9", 554, reach) == "169.254.8.9"
    assert await look_up("cam.lan", 554, reach, answering("127.0.0.2")) == "127.0.0.2"
    for host in ("127.0.0.2", "169.254.9.9"):
        with pytest.raises(ForbiddenUrl):
            await look_up(host, 554, reach)
    with pytest.raises(ForbiddenUrl):
        await look_up("other.lan", 554, reach, answering("127.0.0.2"))


@pytest.mark.parametrize("host", ["", "a b", "10.0.0.0/99", "http://h", "127.1", "*", "-a"])
def test_what_opens_nothing_is_refused(host: str) -> None:
    """A wrong entry is told at the start."""
    with pytest.raises(ValueError, match="no host name, address or network"):
        Reach.of([host])


async def test_a_name_that_leads_nowhere_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown to the resolver, without an address, or not answered in time."""

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError

    async def slow(host: str, port: int) -> Sequence[str]:
        await module.asyncio.Event().wait()
        return []

    monkeypatch.setattr(module, "RESOLVE_S", 0.01)
    for resolve, why in ((unknown, "cannot be resolved"), (answering(), "has no address"), (slow, "within 0.01 s")):
        with pytest.raises(SourceUnreachable, match=why):
            await look_up("cam.lan", 554, CLOSED, resolve)
    with pytest.raises(SourceUnreachable, match="cannot be resolved"):
        await look_up("no-such-host.invalid", 554, CLOSED)
