"""What a viewer's peer may have done."""

from __future__ import annotations

from typing import Any, cast

import pytest

from server import commands
from server.commands import Command, NoArgs
from server.guest import Guest
from server.origin import Forbidden
from server.roles import Role
from server.session import LiveSession
from tracks.errors import InvalidRequest
from tracks.stats import Stats


class Session:
    """As much of one as commands need."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.asked = 0

    async def command(self, name: str, args: dict[str, Any]) -> dict[str, Any]:
        return await commands.run(cast(LiveSession, self), name, args)


async def test_a_guest_gives_the_commands_of_a_viewer_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command says who may give it; one that does not exist is told to everybody."""

    async def look(session: Any, args: NoArgs) -> dict[str, Any]:
        session.asked += 1
        return {"seen": session.asked}

    told = {
        "look": Command(NoArgs, look, Role.VIEWER),
        "touch": Command(NoArgs, look),
        "own": Command(NoArgs, look, Role.ADMIN),
    }
    monkeypatch.setattr(commands, "COMMANDS", told)
    session = Session()
    guest = Guest(cast(LiveSession, session))
    assert await guest.command("look", {}) == {"seen": 1}
    with pytest.raises(Forbidden, match="'touch' needs the role operator"):
        await guest.command("touch", {})
    with pytest.raises(Forbidden, match="'own' needs the role admin"):
        await guest.command("own", {})
    with pytest.raises(InvalidRequest, match="unknown command 'fly', have: look, own, touch"):
        await guest.command("fly", {})
    assert session.asked == 1
