"""ICE candidates: which local addresses are gathered, which remote candidates are taken (aioice 0.13.0)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Sequence
from typing import Any

import ifaddr
from aioice import Candidate, Connection
from aioice.mdns import is_mdns_hostname
from aiortc import RTCPeerConnection

from .connections import each_connection

logger = logging.getLogger(__name__)

MAX_REMOTE_CANDIDATES = 20
"""An offer with 100 candidates starts about 103 tasks and sends STUN to wherever its sender likes."""
MAX_MDNS_NAMES = 4
MDNS_TIMEOUT_S = 2.0
VIRTUAL_ADAPTERS = ("docker", "br-", "veth", "virbr", "cni", "flannel", "podman", "lxc", "lxd")
"""Beginnings of the names of bridges to containers and virtual machines, where no peer is."""
LOOPBACK_ONLY = ("127.0.0.1",)
"""No port is open to the network. Chromium connects to it from its LAN address: Linux routes that locally."""


def usable_addresses(found: Sequence[str]) -> list[str]:
    """The addresses to open media sockets on, IPv4 first, of those that aioice found (it never finds 127.0.0.1).

    Not those of container bridges and link-local ones. When none is left it is 127.0.0.1, else a machine without a
    network would have no candidate and could not connect to itself.
    """
    virtual = {
        ip.ip if isinstance(ip.ip, str) else ip.ip[0]
        for adapter in ifaddr.get_adapters()
        if adapter.nice_name.startswith(VIRTUAL_ADAPTERS)
        for ip in adapter.ips
    }
    parsed = [ipaddress.ip_address(address) for address in found if address not in virtual]
    usable = sorted((ip for ip in parsed if not ip.is_link_local), key=lambda ip: ip.version)
    return [str(ip) for ip in usable] or [LOOPBACK_ONLY[0]]


def restrict_gathering(pc: RTCPeerConnection, hosts: Sequence[str] | None) -> None:
    """Open media sockets only on `hosts`, or where `usable_addresses` says when it is None.

    Call before `setLocalDescription`. Raises ValueError for what is no address of an interface.
    """
    for host in hosts or ():
        if ipaddress.ip_address(host).is_unspecified:
            raise ValueError(f"expected the address of an interface, got {host}")

    def restrict(connection: Connection) -> None:
        private: Any = connection
        gather = private.get_component_candidates

        async def gather_restricted(component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
            chosen = usable_addresses(addresses) if hosts is None else list(hosts)
            candidates: list[Candidate] = await gather(component, chosen, timeout)
            return candidates

        private.get_component_candidates = gather_restricted

    each_connection(pc, restrict)


def admit_candidates(pc: RTCPeerConnection, *, limit: int = MAX_REMOTE_CANDIDATES, mdns: bool = True) -> None:
    """Take at most `limit` remote candidates, wait for no name, and keep ICE open. Call before `setRemoteDescription`.

    - A browser hides its addresses behind mDNS names (`….local`). They are resolved in the background, four at most,
      while the stock code holds up the answer for a second for a name that cannot be resolved. Without `mdns`
      (pointless, and an open UDP port 5353, when only loopback is gathered) they are ignored: the peer's own checks
      arrive all the same.
    - End-of-candidates is not passed on: with it, ICE fails at once when no candidate was usable, before the peer
      could show its address by a check of its own. So ICE does not fail by itself; whoever owns `pc` limits the time.
    """

    def admit(connection: Connection) -> None:
        private: Any = connection
        add, close = private.add_remote_candidate, private.close
        resolving: set[asyncio.Task[None]] = set()
        admitted = names = 0

        async def resolve(candidate: Candidate) -> None:
            try:
                async with asyncio.timeout(MDNS_TIMEOUT_S):
                    await add(candidate)
            except (OSError, ValueError) as error:
                logger.debug("%s is not resolved: %s", candidate.host, error)

        async def add_admitted(candidate: Candidate | None) -> None:
            nonlocal admitted, names
            if candidate is None:
                return
            if admitted >= limit:
                logger.debug("more than %d remote candidates, %s is ignored", limit, candidate)
                return
            admitted += 1
            if not is_mdns_hostname(candidate.host):
                await add(candidate)
            elif mdns and names < MAX_MDNS_NAMES:
                names += 1
                task = asyncio.create_task(resolve(candidate))
                resolving.add(task)
                task.add_done_callback(resolving.discard)

        async def close_resolved() -> None:
            tasks = tuple(resolving)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await close()

        private.add_remote_candidate = add_admitted
        private.close = close_resolved

    each_connection(pc, admit)
