"""Every route of the real server, as its router has them, for nobody and for every role: who gets in, and who not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, FormData
from aiohttp.test_utils import TestClient, TestServer

from server import access as access_module
from server import revocation
from server.api import Form, JsonBody, RawBody, Route, declared
from server.app import serve
from server.roles import Role
from server.settings import Settings
from server.tokens import Tokens
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, Browser, problem
from tests.server.role_table import PAGE, read_table, table_of
from tests.waiting import until

WHO = (None, *Role)
NOBODYS_ID = "019ab3f2-6b0a-7c3e-8f11-2d9c4b7a5e60"


class Locked:
    """A server that asks everybody for a token, a client of it for each role, and something that could be harmed."""

    def __init__(self, api: Api, tokens: Tokens) -> None:
        self.api = api
        self.tokens = tokens
        self.bearer: dict[Role | None, dict[str, str]] = {None: {}}
        for role in Role:
            _, secret = tokens.create(role.word, role)
            self.bearer[role] = {"Authorization": f"Bearer {secret}"}
        self.ids: dict[str, str] = {}

    async def furnish(self) -> None:
        """A source, a session, an event."""
        self._as(Role.ADMIN)
        session_id = await self.api.make_session()
        session = await self.api.session(session_id)
        self.ids = {"session_id": session_id, "source_id": session["sourceId"]}
        await until_events(self.api, session_id)
        self.ids["event_id"] = (await self.api.events(session_id))[0]["id"]

    def _as(self, who: Role | None) -> None:
        self.api.http.session.headers.pop("Authorization", None)
        self.api.http.session.headers.update(self.bearer[who])

    async def ask(self, method: str, route: Route, who: Role | None, *, harmless: bool) -> ClientResponse:
        """Use the route as `who`: on what is there with a body that it takes, or harmlessly on what is not."""
        self._as(who)
        ids = {} if harmless else self.ids
        path = re.sub(r"\{(\w+)(:[^}]*)?\}", lambda found: ids.get(found[1], NOBODYS_ID), route.path)
        sent: dict[str, Any] = {}
        if isinstance(route.body, JsonBody):
            sent["json"] = {} if harmless else example_of(route.body)
        elif isinstance(route.body, Form | RawBody):
            sent["data"] = FormData({"model": "whisper-1"})
            sent["data"].add_field("file", b"RIFF", filename="a.wav")
        return await self.api.http.request(method, path, allow_redirects=False, **sent)

    async def state(self) -> Any:
        """Whatever a route could have changed."""
        self._as(Role.ADMIN)
        found = {}
        for path in ("/sources", "/sessions", f"/sessions/{self.ids['session_id']}/artifacts"):
            response = await self.api.http.get(path)
            assert response.status == 200
            found[path] = await response.json()
        return found, self.tokens.path.read_bytes()


def example_of(body: JsonBody) -> Any:
    """The body as the document shows it: what the route would take."""
    extra = body.model.model_config.get("json_schema_extra")
    assert isinstance(extra, dict), f"{body.model.__name__} has no example"
    examples = extra["examples"]
    assert isinstance(examples, list)
    return examples[0]


async def until_events(api: Api, session_id: str) -> None:
    async with asyncio.timeout(10):
        while not await api.events(session_id):
            await asyncio.sleep(0.02)


@pytest.fixture
async def locked(tmp_path: Path, _imported: None) -> AsyncIterator[Locked]:
    serving = serve(
        Settings(data_dir=tmp_path, auth="always", session_linger_s=30, pending_peer_timeout_s=5),
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        made = Locked(Api(server, http), Tokens(tmp_path))
        await made.furnish()
        yield made


async def test_every_route_lets_in_its_role_and_nobody_below(locked: Locked) -> None:
    """401 for nobody, 403 for too little, neither for enough; whoever is refused changes nothing."""
    known = declared(locked.api.server.app)
    on_router = list(locked.api.server.app.router.routes())
    assert len(on_router) > 30
    before = await locked.state()
    for each in on_router:
        route = known[each]  # a route without a role fails here
        for who in WHO:
            enough = route.role is None or (who is not None and who >= route.role)
            response = await locked.ask(each.method, route, who, harmless=enough)
            what = f"{each.method} {route.path} as {who.word if who else 'nobody'}: {response.status}"
            if enough:
                assert response.status not in (401, 403), what
                continue
            if each.method == "HEAD":
                assert response.status == (401 if who is None else 403), what
                continue
            body = await response.json()
            expected = (401, "unauthorized") if who is None else (403, "forbidden")
            assert (response.status, body["error"]["code"]) == expected, what
            assert ("WWW-Authenticate" in response.headers) is (who is None), what
            assert ("type" in body["error"]) is route.path.startswith("/v1/"), what
    assert await locked.state() == before


def test_the_documents_table_is_that_of_the_code(tmp_path: Path) -> None:
    """`python -m tests.server.role_table` writes it anew."""
    assert read_table(PAGE.read_text("utf-8")) == asyncio.run(table_of(tmp_path))


async def test_a_viewer_watches_over_webrtc_and_does_no_more(locked: Locked, browsers: list[Browser]) -> None:
    """What it offers to send is not taken, and its commands are refused; an operator's are not."""
    session_id = locked.ids["session_id"]
    locked._as(Role.VIEWER)
    viewer = await Browser(locked.api, session_id).connect()
    browsers.append(viewer)
    await until(lambda: viewer.channel is not None and viewer.channel.readyState == "open")
    assert viewer.channel is not None
    for name in ("stop", "snapshot"):
        viewer.channel.send(f'{{"type": "command", "id": "{name}", "name": "{name}"}}')
    await until(lambda: len([each for each in viewer.messages if each.get("type") == "reply"]) == 2)
    refused = [each["error"]["code"] for each in viewer.messages if each.get("type") == "reply"]
    assert refused == ["forbidden", "forbidden"]
    assert viewer.pc.getTransceivers()[0].currentDirection in ("recvonly", "inactive")
    locked._as(Role.ADMIN)
    assert (await locked.api.session(session_id))["state"] == "connecting"
    locked._as(Role.OPERATOR)
    publisher = await Browser(locked.api, session_id).connect()
    browsers.append(publisher)
    await until(lambda: publisher.kinds("session"))
    assert publisher.channel is not None
    publisher.channel.send('{"type": "command", "id": "x", "name": "stop"}')
    await until(lambda: [each for each in publisher.messages if each.get("type") == "reply" and each["ok"]])


async def test_revoking_a_token_closes_the_peers_that_came_with_it(
    locked: Locked, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a second, and nobody else's."""
    for module in (revocation, access_module):
        monkeypatch.setattr(module, "LOOK_EVERY_S", 0.05)
    session_id = locked.ids["session_id"]
    for role in (Role.OPERATOR, Role.VIEWER):
        locked._as(role)
        browsers.append(await Browser(locked.api, session_id, publish=role is Role.OPERATOR).connect())
    session = locked.api.server.live.find(session_id)
    assert session is not None
    await until(lambda: [peer.connected for peer in session.clients.peers.values()] == [True, True])
    locked.tokens.revoke("operator")
    await until(lambda: len(session.clients.peers) == 1)
    (left,) = session.clients.peers.values()
    viewer = next(token for token in locked.tokens.read().tokens if token.name == "viewer")
    assert left.owner == viewer.id
    locked._as(Role.ADMIN)
    assert "its token was revoked" in str((await locked.api.session(session_id))["reason"])


async def test_a_token_that_is_not_known_gets_the_shape_of_its_surface(locked: Locked) -> None:
    """OpenAI's clients are told in their own shape, everybody else in the envelope."""
    http = locked.api.http
    wrong = {"Authorization": "Bearer sk-wrong"}
    body = await (await http.get("/v1/models", headers=wrong)).json()
    assert (body["error"]["code"], body["error"]["type"]) == ("unauthorized", "authentication_error")
    assert (await problem(await http.get("/sources", headers=wrong)))[:2] == (401, "unauthorized")
