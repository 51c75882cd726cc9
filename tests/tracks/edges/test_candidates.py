"""Which local addresses are gathered, and which remote candidates are taken."""

from __future__ import annotations

import asyncio

import pytest
from aioice import Candidate
from aioice.ice import get_host_addresses
from aiortc import (
    RTCSessionDescription,
)

from tests.tracks.edges.peers import connection, peer
from tests.waiting import until
from tracks import edges
from tracks.edges.candidates import usable_addresses
from tracks.stats import Stats


@pytest.mark.parametrize("hosts", [None, ("127.0.0.1",)])
async def test_sockets_are_opened_only_where_they_are_wanted(hosts: tuple[str, ...] | None) -> None:
    """With a list of hosts exactly those have a media port; without one, all that are fit for it."""
    pc = peer()
    pc.addTransceiver("video")
    edges.restrict_gathering(pc, hosts)
    await pc.setLocalDescription(await pc.createOffer())
    gathered = {candidate.host for candidate in connection(pc).local_candidates}
    assert gathered == set(hosts or usable_addresses(get_host_addresses(use_ipv4=True, use_ipv6=True)))
    bound = {protocol.transport.get_extra_info("sockname")[0] for protocol in connection(pc)._protocols}
    assert bound == gathered
    await edges.close_peer(pc)


def test_a_machine_without_a_network_uses_loopback() -> None:
    """Link-local addresses are left out, IPv4 comes first, and with nothing left loopback is used."""
    assert usable_addresses([]) == ["127.0.0.1"]
    assert usable_addresses(["169.254.1.1", "fe80::1"]) == ["127.0.0.1"]
    assert usable_addresses(["fd00::77", "192.0.2.77"]) == ["192.0.2.77", "fd00::77"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost"])
async def test_a_host_must_be_an_address(host: str) -> None:
    """What is not the address of an interface is refused."""
    pc = peer()
    with pytest.raises(ValueError, match=host):
        edges.restrict_gathering(pc, [host])
    await edges.close_peer(pc)


async def test_a_client_without_candidates_connects() -> None:
    """An offer without candidates but with their end connects all the same, by the client's own checks."""
    client, server = peer(), peer()
    client.createDataChannel("events")
    try:
        edges.guard_datagrams(server, Stats())
        edges.admit_candidates(server)
        await client.setLocalDescription(await client.createOffer())
        bare = [line for line in client.localDescription.sdp.splitlines(True) if "a=candidate" not in line]
        assert "a=end-of-candidates\r\n" in bare
        await server.setRemoteDescription(RTCSessionDescription("".join(bare), "offer"))
        await server.setLocalDescription(await server.createAnswer())
        await asyncio.sleep(0.1)
        assert server.connectionState != "failed"
        await client.setRemoteDescription(server.localDescription)
        await until(lambda: server.connectionState == "connected")
    finally:
        await edges.close_peer(client)
        await edges.close_peer(server)


async def test_remote_candidates_are_capped() -> None:
    """No more than the limit of remote candidates is taken."""
    pc = peer()
    edges.admit_candidates(pc, limit=5)
    pc.createDataChannel("events")
    for number in range(20):
        candidate = Candidate("1", 1, "udp", 1, f"192.0.2.{number + 1}", 5000, "host")
        await connection(pc).add_remote_candidate(candidate)
    assert len(connection(pc).remote_candidates) == 5
    await edges.close_peer(pc)


async def test_names_are_resolved_in_the_background_and_bounded() -> None:
    """mDNS names hold nothing up, only four are looked up, and closing ends what still runs."""
    pc = peer()
    edges.admit_candidates(pc)
    pc.createDataChannel("events")
    before = asyncio.all_tasks()
    async with asyncio.timeout(0.5):
        for number in range(10):
            await connection(pc).add_remote_candidate(Candidate("1", 1, "udp", 1, f"no-{number}.local", 5000, "host"))
    assert len(asyncio.all_tasks() - before) == 4
    # Looking a name up takes 1 s when nobody answers.
    async with asyncio.timeout(0.5):
        await edges.close_peer(pc)
    assert not asyncio.all_tasks() - before
