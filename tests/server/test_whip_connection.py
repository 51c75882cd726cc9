"""A connection of WHIP or WHEP by its own address: trickled to, looked at, ended."""

from __future__ import annotations

from tests.server.clients import Api
from tests.server.whip_peers import FRAGMENT, OFFERS, Whip, published
from tests.waiting import until


async def test_a_connection_is_trickled_to_by_its_etag(api: Api, whips: list[Whip]) -> None:
    """204 with the right one or *, 412 with another, 428 with none; Eyevinn sends it as ETag."""
    peer = await published(api, whips, await api.make_session())
    etag = peer.response.headers["ETag"]
    ufrag = peer.pc.localDescription.sdp.split("a=ice-ufrag:")[1].split("\r\n")[0]
    password = peer.pc.localDescription.sdp.split("a=ice-pwd:")[1].split("\r\n")[0]
    own = f"a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n"
    section = "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    candidate = "a=candidate:1 0 udp 2122260223 192.0.2.7 54400 typ host\r\n"
    tcp = "a=candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active\n"
    mdns = "a=candidate:1 1 udp 2122260223 nobody.example 54400 typ host\n"

    async def patch(body: str, **headers: str) -> int:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await api.http.patch(peer.location, data=body, headers={**FRAGMENT, **given})
        assert "ETag" not in response.headers
        return int(response.status)

    assert await patch(own + section + candidate, If_Match=etag) == 204
    assert await patch(section + own + candidate, ETag=etag) == 204
    assert await patch(own + section + tcp + mdns, If_Match=f'"other", {etag}') == 204
    assert await patch(section + "a=end-of-candidates\n", If_Match="*") == 204
    assert await patch(own + section + candidate, If_Match='"other"') == 412
    assert await patch(own + section + candidate, If_Match=f"W/{etag}") == 412
    assert await patch(own + section + candidate) == 428
    assert await patch("nonsense", If_Match=etag) == 400
    assert await patch("a=candidate:nonsense\r\n", If_Match=etag) == 400
    assert await patch(own + candidate, If_Match=etag, Content_Type="application/sdp") == 415
    # Another user name or password is a restart, whatever If-Match says.
    assert await patch(own.replace(ufrag, "zzzz") + section, If_Match="*") == 422
    assert peer.pc.connectionState == "connected"
    missing = await api.http.patch(f"/whip/{'0' * 36}", data=own, headers={**FRAGMENT, "If-Match": "*"})
    assert missing.status == 404


async def test_a_connection_ends_by_delete(api: Api, whips: list[Whip]) -> None:
    """200 without a body, as OBS warns on anything else; then it is gone, for all methods."""
    peer = await published(api, whips, await api.make_session())
    assert (await api.http.get(peer.location)).status == 204
    assert (await api.http.delete(peer.location.replace("/whip/", "/whep/"))).status == 404
    response = await api.http.delete(peer.location, headers={"If-Match": '"other"'})
    assert (response.status, await response.read()) == (200, b"")
    await until(lambda: peer.pc.connectionState == "closed")
    for method in ("DELETE", "GET"):
        assert (await api.http.request(method, peer.location)).status == 404


async def test_a_peer_of_the_page_is_no_whip_connection(api: Api) -> None:
    """Its id is known to others, so it does not open what needs no token."""
    session_id = await api.make_session()
    sdp = (OFFERS / "obs.sdp").read_text()
    made = await api.http.post(f"/sessions/{session_id}/offer", json={"sdp": sdp, "type": "offer"})
    assert made.status == 201
    assert (await api.http.delete(f"/whip/{(await made.json())['peerId']}")).status == 404


async def test_endpoints_tell_what_they_take(api: Api) -> None:
    """OPTIONS, GET and HEAD, of endpoints and connections alike."""
    session_id = await api.make_session()
    for path, patch in ((f"/sessions/{session_id}/whip", False), ("/whip", False), (f"/whip/{'0' * 36}", True)):
        response = await api.http.options(path)
        assert response.status == 200
        assert response.headers["Accept-Post"] == "application/sdp"
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
        assert ("PATCH" in response.headers["Allow"]) is patch
        assert "Link" not in response.headers
    assert (await api.http.get("/whip")).status == 204
    head = await api.http.head(f"/sessions/{session_id}/whep")
    assert (head.status, head.content_type) == (200, "application/sdp")
