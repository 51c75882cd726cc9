"""Which hosts a source may lead to: what is asked of the resolver once, and which of its answers are taken.

A URL that somebody gives makes the server connect, from where it stands. It may stand where more can be reached than
from where that somebody is: this machine's own services, and what cloud providers tell their machines about themselves.
Cameras are in private networks as a rule, so those are open; what is closed can be opened by name.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import ForbiddenUrl, SourceUnreachable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Addresses of a host, the best first. Raises OSError."""

RESOLVE_S = 3.0
METADATA = frozenset(map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254")))
"""Where cloud providers answer: AWS, Azure, Google and most others; Alibaba; Oracle; AWS by IPv6."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LIKE_AN_ADDRESS = re.compile(r"(?i)(0x[0-9a-f]*|\d+)(\.(0x[0-9a-f]*|\d+))*")
"""What resolvers take for an IPv4 address (inet_aton): 2130706433, 0x7f.1 and 0177.0.0.1 are all 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where sources may lead."""

    names: frozenset[str] = frozenset()
    """Hosts that are open whatever their addresses are."""
    networks: tuple[Network, ...] = ()
    """Addresses that are open although they would be closed."""

    @classmethod
    def of(cls, hosts: Sequence[str]) -> Reach:
        """What these open: names of hosts, addresses, and networks such as 10.1.0.0/16. Raises ValueError."""
        names, networks = set(), []
        for host in hosts:
            try:
                networks.append(ipaddress.ip_network(host.strip("[]"), strict=False))
            except ValueError:
                if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?", host) or _LIKE_AN_ADDRESS.fullmatch(
                    host
                ):
                    raise ValueError(f"{host!r} is no host name, address or network") from None
                names.add(host.lower())
        return cls(frozenset(names), tuple(networks))

    def check(self, host: str, address: Address) -> None:
        """Raise ForbiddenUrl, naming the address and why, unless `host` may be reached there."""
        if host in self.names:
            return
        for each in _meant(address):
            opened = any(each in network for network in self.networks if network.version == each.version)
            if not opened and (why := _closed(each)) is not None:
                where = f"{address}" if host == str(address) else f"{host} is {address}, which"
                raise ForbiddenUrl(
                    f"{where} is {why}; VEDETTE_SOURCE_HOSTS opens what is closed",
                    {"host": host, "address": str(address)},
                )


async def look_up(host: str, port: int, reach: Reach, resolve: Resolve | None = None) -> str:
    """The address to connect to, which is asked for once: whoever answers another time must not lead elsewhere.

    Raises ForbiddenUrl when any address of the host is closed, or the host is an address in a form that hides it;
    SourceUnreachable when it has none.
    """
    written = _address(host)
    if written is not None:
        reach.check(host, written)
        return str(written)
    if _LIKE_AN_ADDRESS.fullmatch(host):
        raise ForbiddenUrl(f"{host!r} is another way to write an address: write it as 192.0.2.1", {"host": host})
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await (resolve or _resolve)(host, port)
    except TimeoutError:
        raise SourceUnreachable(f"host {host!r} cannot be resolved within {RESOLVE_S:g} s") from None
    except (OSError, UnicodeError):
        raise SourceUnreachable(f"host {host!r} cannot be resolved") from None
    addresses = [ipaddress.ip_address(each) for each in found]
    for address in addresses:
        reach.check(host, address)
    if not addresses:
        raise SourceUnreachable(f"host {host!r} has no address")
    return str(addresses[0])


async def _resolve(host: str, port: int) -> Sequence[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]).partition("%")[0] for each in found]


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _meant(address: Address) -> Iterator[Address]:
    """The address, and those that lie in it: packets to those may end there (RFC 4291, 6052, 3056, 4380)."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
        if address.sixtofour is not None:
            yield address.sixtofour
        if address.teredo is not None:
            yield from address.teredo
        low = int(address) & 0xFFFF_FFFF
        if address in _NAT64 or (int(address) >> 32 == 0 and low > 1):
            yield ipaddress.IPv4Address(low)


def _closed(address: Address) -> str | None:
    """Why nothing is looked for there; None where a camera may be."""
    if address in METADATA:
        return "the metadata service of a cloud provider"
    for is_so, name in (
        (address.is_loopback, "a loopback address"),
        (address.is_link_local, "a link-local address"),
        (address.is_unspecified, "the unspecified address"),
        (address.is_multicast, "a multicast address"),
        (int(address) == 0xFFFF_FFFF, "the broadcast address"),
        (isinstance(address, ipaddress.IPv4Address) and int(address) >> 24 == 0, "an address of this network"),
    ):
        if is_so:
            return name
    return None
