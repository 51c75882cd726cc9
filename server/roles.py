"""Who may do what: three roles, each of which may do everything that the one before it may."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, cast

RoleWord = Literal["viewer", "operator", "admin"]


class Role(IntEnum):
    """What a token is good for; compare with `>=`."""

    VIEWER = 1
    """Look, listen and ask."""
    OPERATOR = 2
    """Run sources and sessions, and bring media."""
    ADMIN = 3
    """Change models, tokens and what is kept."""

    @property
    def word(self) -> RoleWord:
        """As it is written in messages, documents and tokens."""
        return cast(RoleWord, self.name.lower())
