"""Tries with tokens that are not known: how many an address has, and all of them together, before it has to wait.

Nobody guesses 256 random bits; what is limited is what a program with a wrong token, or a stranger who tries, costs in
log lines and attention. Whoever has shown a right token from an address is heard there whatever others do: a token that
is wrong behind the same proxy, or a flood from everywhere, must not shut out those who belong here.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from tracks.errors import RateLimited

ADDRESS_BURST, ADDRESS_EVERY_S = 10, 6.0
"""An address may be wrong ten times at once, and then once every six seconds."""
TOTAL_BURST, TOTAL_EVERY_S = 200, 0.2
MAX_ADDRESSES = 4096
MAX_PROVEN = 4096


class _Allowance:
    """So many at once, and one more every so often: the generic cell rate algorithm, whose state is one time."""

    def __init__(self, burst: int, every_s: float) -> None:
        self._ahead_s = (burst - 1) * every_s
        self._every_s = every_s

    def wait_s(self, full_at_s: float, now_s: float) -> float:
        """How long the next one has to wait; 0 when it need not."""
        return max(0.0, full_at_s - self._ahead_s - now_s)

    def spent(self, full_at_s: float, now_s: float) -> float:
        """When everything is there again, after one more."""
        return max(full_at_s, now_s) + self._every_s


class Tries:
    """Counts failed tries; bounded in memory, whatever addresses they come from."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._address = _Allowance(ADDRESS_BURST, ADDRESS_EVERY_S)
        self._total = _Allowance(TOTAL_BURST, TOTAL_EVERY_S)
        self._full_at_s: OrderedDict[str, float] = OrderedDict()
        """When an address has all its tries again; the one that failed longest ago is first."""
        self._total_full_at_s = 0.0
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(address, SHA-256) of what was right; only who has a right token can put something here."""

    def check(self, address: str | None, digest: str) -> None:
        """Raise RateLimited, with the seconds to wait, unless this secret may be looked at."""
        place, now_s = place_of(address), self._clock()
        if (place, digest) in self._proven:
            return
        wait_s = self._address.wait_s(self._full_at_s.get(place, 0.0), now_s)
        if wait_s > 0:
            raise _limited("from this address", wait_s)
        wait_s = self._total.wait_s(self._total_full_at_s, now_s)
        if wait_s > 0:
            raise _limited("in all", wait_s)

    def failed(self, address: str | None, digest: str) -> None:
        """It was not right, or is not any more."""
        place, now_s = place_of(address), self._clock()
        self._proven.pop((place, digest), None)
        self._full_at_s[place] = self._address.spent(self._full_at_s.get(place, 0.0), now_s)
        self._full_at_s.move_to_end(place)
        if len(self._full_at_s) > MAX_ADDRESSES:
            self._full_at_s.popitem(last=False)
        self._total_full_at_s = self._total.spent(self._total_full_at_s, now_s)

    def proved(self, address: str | None, digest: str) -> None:
        """It was right."""
        key = place_of(address), digest
        self._proven[key] = None
        self._proven.move_to_end(key)
        if len(self._proven) > MAX_PROVEN:
            self._proven.popitem(last=False)


def place_of(address: str | None) -> str:
    """Who counts as one: an IPv4 address, an IPv6 network of /64, which is what one customer gets."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if parsed.version == 6:
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _limited(where: str, wait_s: float) -> RateLimited:
    return RateLimited(f"too many tries with unknown tokens {where}", {"retryAfter": round(wait_s, 1)})
