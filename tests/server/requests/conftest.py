"""Clients of the small application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.origin import AccessPolicy
from tests.server.requests.small_app import LOOPBACK, Client, Serve, application


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts one behind a policy."""
    clients: list[Client] = []

    async def start(policy: AccessPolicy) -> Client:
        client: Client = TestClient(TestServer(application(policy)))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


@pytest.fixture
async def client(serve: Serve) -> Client:
    """Of one on loopback."""
    return await serve(LOOPBACK)
