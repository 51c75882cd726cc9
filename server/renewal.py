"""Workers by another registry: loaded while those before go on, then put in their place or dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tracks.registry import Registry
from tracks.worker import Worker

K = TypeVar("K", bound=tuple[Any, ...])
W = TypeVar("W", bound=Worker[Any, Any, Any])


class Renewal(Generic[K, W]):
    """What another registry has brought: loaded, and used from `use` on, or else to be dropped.

    Keys begin with what was chosen and what the registry says of it. What it says the same of as before stays, unless
    all is to be loaded `anew`. `take` puts the workers in force.
    """

    def __init__(
        self, registry: Registry, before: dict[K, W], take: Callable[[Registry, dict[K, W]], None], *, anew: bool
    ) -> None:
        same = {key: each for key, each in before.items() if registry.models.get(key[0]) == key[1]}
        self.workers: dict[K, W] = {} if anew else same
        """To which those that are loaded besides are added."""
        self._registry = registry
        self._before = before
        self._take = take
        self._kept = set(self.workers.values())

    async def drop(self) -> None:
        """Do without what was loaded for it."""
        for worker in set(self.workers.values()) - self._kept:
            await worker.close()

    def use(self) -> list[W]:
        """Put it in force; returns the workers whose time is over."""
        over = [each for each in self._before.values() if each not in self.workers.values()]
        self._take(self._registry, self.workers)
        return over
