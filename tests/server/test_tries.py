"""How often one may be wrong, and who is heard all the same."""

from __future__ import annotations

import pytest

from server.tries import (
    ADDRESS_BURST,
    ADDRESS_EVERY_S,
    MAX_ADDRESSES,
    MAX_PROVEN,
    TOTAL_BURST,
    TOTAL_EVERY_S,
    Tries,
    place_of,
)
from tracks.errors import RateLimited


class Clock:
    """A clock that is set by hand."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tries(clock: Clock) -> Tries:
    return Tries(clock)


def wait_of(tries: Tries, address: str, digest: str = "wrong") -> float:
    """Seconds that a try from this address has to wait."""
    try:
        tries.check(address, digest)
    except RateLimited as error:
        return float((error.details or {})["retryAfter"])
    return 0.0


def test_an_address_may_be_wrong_so_often_and_then_has_to_wait(tries: Tries, clock: Clock) -> None:
    """Ten times at once, then once every six seconds; others are not concerned."""
    for _ in range(ADDRESS_BURST):
        assert wait_of(tries, "10.0.0.1") == 0
        tries.failed("10.0.0.1", "wrong")
    assert wait_of(tries, "10.0.0.1") == ADDRESS_EVERY_S
    assert wait_of(tries, "10.0.0.2") == 0
    clock.now_s += ADDRESS_EVERY_S
    assert wait_of(tries, "10.0.0.1") == 0
    tries.failed("10.0.0.1", "wrong")
    assert wait_of(tries, "10.0.0.1") == ADDRESS_EVERY_S
    clock.now_s += ADDRESS_BURST * ADDRESS_EVERY_S
    assert wait_of(tries, "10.0.0.1") == 0


def test_all_addresses_together_have_a_limit_too(tries: Tries, clock: Clock) -> None:
    """Who has many addresses does not have as many tries."""
    for number in range(TOTAL_BURST):
        tries.failed(f"10.0.{number // 256}.{number % 256}", "wrong")
    assert wait_of(tries, "10.9.9.9") == pytest.approx(TOTAL_EVERY_S)
    clock.now_s += TOTAL_EVERY_S
    assert wait_of(tries, "10.9.9.9") == 0


def test_who_has_been_right_is_heard_whatever_others_do(tries: Tries) -> None:
    """Behind one proxy, and in a flood; with the secret that was right, from the address that it came from."""
    tries.proved("10.0.0.1", "right")
    for number in range(TOTAL_BURST):
        tries.failed("10.0.0.1" if number % 2 else f"10.1.0.{number}", "wrong")
    assert wait_of(tries, "10.0.0.1", "right") == 0
    assert wait_of(tries, "10.0.0.1", "wrong") > 0
    assert wait_of(tries, "10.0.0.2", "right") > 0
    tries.failed("10.0.0.1", "right")  # it was revoked
    assert wait_of(tries, "10.0.0.1", "right") > 0


def test_memory_is_bounded(tries: Tries) -> None:
    """However many addresses are wrong or right; who was right last is kept."""
    for number in range(MAX_ADDRESSES + 100):
        tries.failed(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "wrong")
    for number in range(MAX_PROVEN + 100):
        tries.proved(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "right")
    assert len(tries._full_at_s) == MAX_ADDRESSES
    assert len(tries._proven) == MAX_PROVEN
    assert wait_of(tries, f"10.0.{MAX_PROVEN >> 8}.0", "right") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        (None, "", True),
    ],
)
def test_what_counts_as_one_address(one: str | None, other: str | None, same: bool) -> None:
    """One customer has one IPv4 address, and 2^64 of IPv6."""
    assert (place_of(one) == place_of(other)) is same
