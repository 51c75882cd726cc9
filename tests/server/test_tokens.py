"""The file of tokens: what is in it, who may read it, and that several processes may write it."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from server import tokens as module
from server.roles import Role
from server.tokens import LOGIN_S, MAX_LOGINS, MAX_TOKENS, Book, Tokens, digest_of
from tracks.errors import Conflict, InvalidRequest, NotFound


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(tmp_path / "data")


def test_a_token_is_known_by_its_secret_alone(tokens: Tokens) -> None:
    """The secret leads to its token with its name and role; another secret to none."""
    made, secret = tokens.create("kitchen", Role.OPERATOR)
    tokens.create("hall", Role.VIEWER)
    book = tokens.read()
    assert book.token_of(digest_of(secret)) == made
    assert (made.name, made.role) == ("kitchen", Role.OPERATOR)
    assert book.token_of(digest_of(secret[:-1])) is None
    assert book.token_of("") is None


def test_secrets_have_256_random_bits_and_are_kept_nowhere(tokens: Tokens) -> None:
    """43 characters of base64url, never the same; the file has hashes only, for its owner's eyes only."""
    secrets = {tokens.create(f"token-{number}", Role.VIEWER)[1] for number in range(20)}
    assert len(secrets) == 20
    assert {len(secret.removeprefix("vdt_")) for secret in secrets} == {43}
    cookie = tokens.log_in(tokens.read().tokens[0].id)
    text = tokens.path.read_text()
    assert not [secret for secret in (*secrets, cookie) if secret.removeprefix("vdt_") in text]
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600


def test_the_file_is_private_whatever_the_umask_and_what_was_there(tokens: Tokens) -> None:
    """A file that somebody opened up is private again after the next change."""
    before = os.umask(0)
    try:
        tokens.create("a", Role.ADMIN)
        tokens.path.chmod(0o644)
        tokens.create("b", Role.ADMIN)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in tokens.path.parent.iterdir()] == [0o600, 0o600]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_belongs_to_the_owner_of_the_folder(tokens: Tokens) -> None:
    """`docker exec -u root` must not shut the server out."""
    tokens.path.parent.mkdir()
    os.chown(tokens.path.parent, 4242, 4243)
    tokens.create("a", Role.ADMIN)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in tokens.path.parent.iterdir()} == {(4242, 4243)}


def test_every_change_is_another_state(tokens: Tokens) -> None:
    """Also changes that follow each other within one tick of the file system's clock, with the same size."""
    states = [tokens.state()]
    for _ in range(30):
        made, _ = tokens.create("a", Role.ADMIN)
        states.append(tokens.state())
        tokens.revoke(made.id)
        states.append(tokens.state())
    assert len(set(states)) == len(states)


def test_revoking_takes_the_sign_ins_along(tokens: Tokens) -> None:
    """By name or by id; those of other tokens stay."""
    first, _ = tokens.create("first", Role.ADMIN)
    second, _ = tokens.create("second", Role.VIEWER)
    gone, stays = digest_of(tokens.log_in(first.id)), digest_of(tokens.log_in(second.id))
    now = tokens.read().logins[0].until - LOGIN_S
    assert tokens.read().login_of(gone, now) == first
    assert tokens.revoke("first") == first
    assert tokens.read().login_of(gone, now) is None
    assert tokens.read().login_of(stays, now) == second
    tokens.revoke(second.id)
    assert tokens.read() == Book()
    with pytest.raises(NotFound, match="no token 'first', have: none"):
        tokens.revoke("first")
    with pytest.raises(NotFound):
        tokens.log_in(second.id)


def test_a_sign_in_ends_by_itself_or_when_it_is_ended(tokens: Tokens) -> None:
    """After its time nobody is signed in by it, and signing out ends this one alone."""
    made, _ = tokens.create("a", Role.ADMIN)
    one, other = digest_of(tokens.log_in(made.id)), digest_of(tokens.log_in(made.id))
    until = tokens.read().logins[0].until
    assert tokens.read().login_of(one, until - 1) == made
    assert tokens.read().login_of(one, until) is None
    tokens.log_out(one)
    tokens.log_out("never seen")
    assert tokens.read().login_of(one, until - 1) is None
    assert tokens.read().login_of(other, until - 1) == made


def test_names_are_short_plain_and_taken_once(tokens: Tokens) -> None:
    """What could not be told apart on a terminal is refused, and so is a name, or an id, that is there."""
    made, _ = tokens.create("Küche 2", Role.VIEWER)
    for taken in ("Küche 2", made.id):
        with pytest.raises(Conflict, match="already"):
            tokens.create(taken, Role.ADMIN)
    for name in ("", " a", "a ", "a\n", "a/b", "x" * 65, "\x1b[2J"):
        with pytest.raises(InvalidRequest, match="is no name for a token"):
            tokens.create(name, Role.VIEWER)


def test_tokens_and_sign_ins_are_bounded(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    """One token too many is refused; one sign-in too many ends the oldest."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    made, _ = tokens.create("a", Role.ADMIN)
    digests = [digest_of(tokens.log_in(made.id)) for _ in range(MAX_LOGINS + 1)]
    assert [each.sha256 for each in tokens.read().logins] == digests[1:]
    monkeypatch.setattr(module, "MAX_TOKENS", 2)
    assert MAX_TOKENS > 2
    tokens.create("b", Role.ADMIN)
    with pytest.raises(Conflict, match="there are 2 tokens"):
        tokens.create("c", Role.ADMIN)


def test_the_first_token_is_made_once(tokens: Tokens) -> None:
    """An admin's; not where an admin has one, but where only others have, under a free name."""
    first = tokens.create_first()
    assert first is not None
    assert (first[0].name, first[0].role) == ("admin", Role.ADMIN)
    assert tokens.create_first() is None
    tokens.revoke("admin")
    tokens.create("admin", Role.VIEWER)
    again = tokens.create_first()
    assert again is not None
    assert (again[0].name, again[0].role) == ("admin-2", Role.ADMIN)


def test_many_at_once_lose_no_token(tokens: Tokens) -> None:
    """Each change is made on what the one before left."""

    def make(number: int) -> None:
        for each in range(5):
            Tokens(tokens.path.parent).create(f"{number}-{each}", Role.VIEWER)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens.read().tokens) == 20


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"v": 2}', '{"v": 1, "tokens": [{"id": "secret-thing"}]}', '{"v": 1, "more": 1}']
)
def test_a_damaged_file_lets_nobody_in(tokens: Tokens, content: str) -> None:
    """It is not taken for an empty one, is never overwritten, and its content is not repeated."""
    tokens.path.parent.mkdir()
    tokens.path.write_text(content)
    for attempt in (tokens.read, tokens.create_first, lambda: tokens.create("a", Role.ADMIN)):
        with pytest.raises(OSError, match="is damaged") as caught:
            attempt()
        assert "secret-thing" not in str(caught.value)
    assert tokens.path.read_text() == content
