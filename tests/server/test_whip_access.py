"""Who may publish by WHIP, by which token, and what a page of another origin is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from server.app import serve
from server.roles import Role
from server.settings import IceServer, Settings
from server.tokens import Tokens
from tests.fakes import BrightDetector
from tests.fakes_speech import BeepAsr, LoudVad
from tests.server.clients import Api, problem
from tests.server.whip_peers import OFFERS, Whip

PAGE = "https://studio.example"


@dataclass(frozen=True)
class Guarded:
    """A server that asks for tokens, and one of each role."""

    api: Api
    secrets: dict[Role, str]

    def publisher(self) -> Whip:
        """Somebody with an operator's token."""
        return Whip(self.api, "/whip", {"Authorization": f"Bearer {self.secrets[Role.OPERATOR]}"})


@pytest.fixture
async def guarded(tmp_path: Path, _imported: None) -> AsyncIterator[Guarded]:
    """A server that asks everybody for a token and has a TURN server; a page of another origin may use it."""
    turn = IceServer(urls=("turn:turn.example",), username="kit", credential="s3cret")
    serving = serve(
        Settings(data_dir=tmp_path, auth="always", ice_servers=(turn,), allowed_origins=(PAGE,)),
        load=lambda choice, **options: BrightDetector(),
        load_asr=lambda choice, **options: BeepAsr(),
        vad=LoudVad(),
    )
    async with serving as server, TestClient(TestServer(server.app)) as http:
        tokens = Tokens(tmp_path)
        yield Guarded(Api(server, http), {role: tokens.create(role.word, role)[1] for role in Role})


async def test_tokens_are_taken_as_clients_can_send_them(guarded: Guarded) -> None:
    """As a header or in the query; a client that has none says `undefined`; and the address is enough afterwards."""
    api, sdp = guarded.api, (OFFERS / "obs.sdp").read_text()
    operator, viewer = guarded.secrets[Role.OPERATOR], guarded.secrets[Role.VIEWER]
    nobody = Whip(api, "/whip", {"Authorization": "Bearer undefined"})
    response = await nobody.post(sdp)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await problem(response))[:2] == (401, "unauthorized")
    assert (await problem(await Whip(api, f"/whip?token={viewer}").post(sdp)))[:2] == (403, "forbidden")
    assert (await problem(await Whip(api, "/whip?token=wrong").post(sdp)))[:2] == (401, "unauthorized")
    # Elsewhere a token in an address is none: addresses are kept and shown.
    assert (await api.http.get(f"/sessions?token={operator}")).status == 401
    for peer in (Whip(api, f"/whip?token={operator}", nobody.headers), guarded.publisher()):
        response = await peer.post(sdp)
        assert response.status == 201, await response.text()
        assert (await api.http.delete(response.headers["Location"])).status == 200


async def test_anothers_token_does_not_take_over(guarded: Guarded) -> None:
    """409 while somebody publishes; the same token gets in."""
    api, sdp = guarded.api, (OFFERS / "obs.sdp").read_text()
    first = await guarded.publisher().post(sdp)
    path = f"/sessions/{first.headers['Vedette-Session']}/whip"
    another = Whip(api, f"{path}?token={guarded.secrets[Role.ADMIN]}")
    assert (await problem(await another.post(sdp)))[:2] == (409, "conflict")
    assert (await api.http.delete(first.headers["Location"])).status == 200
    assert (await another.post(sdp)).status == 201


async def test_ice_servers_are_told_to_those_who_may_connect(guarded: Guarded) -> None:
    """In the answer, and before it on OPTIONS that is no preflight, with a token."""
    api, publisher = guarded.api, guarded.publisher()
    turn = '<turn:turn.example>; rel="ice-server"; username="kit"; credential="s3cret"; credential-type="password"'
    response = await publisher.post((OFFERS / "obs.sdp").read_text())
    assert response.headers.getall("Link") == [turn]
    assert (await api.http.options("/whip", headers=publisher.headers)).headers.getall("Link") == [turn]
    assert "Link" not in (await api.http.options("/whip")).headers
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    preflight = await api.http.options("/whip", headers={**publisher.headers, **asks})
    assert preflight.status == 200
    assert "Link" not in preflight.headers
    assert preflight.headers["Accept-Post"] == "application/sdp"
    assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    for name in ("Authorization", "Content-Type", "If-Match", "ETag"):
        assert name in preflight.headers["Access-Control-Allow-Headers"]
    crossed = await Whip(api, "/whip", {**publisher.headers, "Origin": PAGE}).post((OFFERS / "obs.sdp").read_text())
    for name in ("Location", "ETag", "Link", "Accept-Patch", "Retry-After", "Access-Control-Allow-Methods"):
        assert name in crossed.headers["Access-Control-Expose-Headers"]
    assert (await api.http.options("/whip", headers={"Origin": "https://elsewhere.example"})).status == 403
