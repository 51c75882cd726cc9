"""The tokens of this server, in one file of the data directory: `tokens.json`, mode 0600.

A file and not the database: a token can be revoked while the database is away, none is in its dumps, and what is asked
at every request is whether the file is still the one that was read, not a query. `vedette token` writes it while the
server runs, under a lock of its own, in one rename.

Of every secret only the SHA-256 is kept. A slow hash (argon2, scrypt) protects what people made up against somebody who
tries a list of likely ones; a secret of 256 random bits is on no list, and a hash that takes microseconds can be asked
for at every request.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import PlainSerializer, PlainValidator, ValidationError

from tracks.errors import Conflict, InvalidRequest, NotFound
from tracks.events.envelope import Model, new_id

from .roles import Role

if sys.platform != "win32":
    import fcntl

FILE = "tokens.json"
PREFIX = "vdt_"
"""What every token begins with: logs know it by that, and so do programs that look for secrets in public code."""
SECRET_BYTES = 32
MAX_TOKENS = 256
MAX_LOGINS = 256
"""Beyond it the oldest sign-in is over."""
LOGIN_S = 30 * 86400.0
"""How long a browser stays signed in."""
MODE = 0o600
_NAME = re.compile(r"[\w.@-](?:[\w .@-]{0,62}[\w.@-])?")

T = TypeVar("T")


def _role(value: object) -> Role:
    roles: dict[str, Role] = {role.word: role for role in Role}
    if isinstance(value, Role):
        return value
    if value not in roles:
        raise ValueError(f"unknown role {value!r}, have: {', '.join(roles)}")
    return roles[str(value)]


StoredRole = Annotated[Role, PlainValidator(_role), PlainSerializer(lambda role: role.word)]
"""A role, in JSON as its word."""


class Token(Model):
    """One token, without its secret."""

    id: str
    name: str
    """What it is for; no two have the same."""
    role: StoredRole
    sha256: str
    created_at: float
    """Unix seconds."""


class Login(Model):
    """A browser that is signed in with a token; the secret is in its cookie."""

    token_id: str
    sha256: str
    until: float
    """Unix seconds."""


class Book(Model):
    """What the file holds."""

    v: Literal[1] = 1
    tokens: tuple[Token, ...] = ()
    logins: tuple[Login, ...] = ()

    def token_of(self, digest: str) -> Token | None:
        """The token whose secret has this SHA-256. Every one is compared, in constant time."""
        found = None
        for token in self.tokens:
            if hmac.compare_digest(token.sha256, digest):
                found = token
        return found

    def login_of(self, digest: str, now: float) -> Token | None:
        """The token that a browser with this cookie is signed in with, until its time is over."""
        found = None
        for login in self.logins:
            if hmac.compare_digest(login.sha256, digest) and now < login.until:
                found = login.token_id
        return self.with_id(found) if found is not None else None

    def with_id(self, token_id: str) -> Token | None:
        """The token with this id, unless it was revoked."""
        return next((token for token in self.tokens if token.id == token_id), None)


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


class Tokens:
    """Makes, lists and revokes tokens, and signs browsers in. Blocking, all but `state`; safe from several processes.

    A file that cannot be read or understood raises OSError: nobody is let in by one.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE

    def state(self) -> tuple[int, int, int]:
        """Which file this is: another one after every change. Takes 2 microseconds: the inode is in memory."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return 0, 0, 0
        return found.st_ino, found.st_mtime_ns, found.st_size

    def read(self) -> Book:
        """What there is now; nothing before the first token."""
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return Book()
        try:
            return Book.model_validate_json(text)
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_input=False)[0]["loc"])) or "its beginning"
            raise OSError(f"{self.path} is damaged at {where}; move it away to begin anew") from None

    def create(self, name: str, role: Role) -> tuple[Token, str]:
        """A new token and its secret, which is kept nowhere.

        Raises InvalidRequest for a name that is none, Conflict for one that is taken and when there are too many.
        """
        if not _NAME.fullmatch(name):
            raise InvalidRequest(f"{name[:80]!r} is no name for a token: 1 to 64 letters, digits, blanks and . _ @ -")
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        token = Token(id=new_id(), name=name, role=role, sha256=digest_of(secret), created_at=time.time())

        def add(book: Book) -> tuple[Book, tuple[Token, str]]:
            if any(name in (each.name, each.id) for each in book.tokens):
                raise Conflict(f"there is a token {name!r} already; revoke it, or choose another name")
            if len(book.tokens) >= MAX_TOKENS:
                raise Conflict(f"there are {MAX_TOKENS} tokens; revoke one first")
            return book.model_copy(update={"tokens": (*book.tokens, token)}), (token, secret)

        return self._change(add)

    def create_first(self) -> tuple[Token, str] | None:
        """A token for an admin, where there is none yet."""
        book = self.read()
        if any(token.role is Role.ADMIN for token in book.tokens):
            return None
        taken = {token.name for token in book.tokens}
        return self.create(next(name for name in _names("admin") if name not in taken), Role.ADMIN)

    def revoke(self, which: str) -> Token:
        """Take back the token with this name or id, and sign out whoever is signed in with it. Raises NotFound."""

        def remove(book: Book) -> tuple[Book, Token]:
            token = next((each for each in book.tokens if which in (each.name, each.id)), None)
            if token is None:
                have = ", ".join(each.name for each in book.tokens) or "none"
                raise NotFound(f"no token {which!r}, have: {have}")
            tokens = tuple(each for each in book.tokens if each is not token)
            logins = tuple(each for each in book.logins if each.token_id != token.id)
            return book.model_copy(update={"tokens": tokens, "logins": logins}), token

        return self._change(remove)

    def log_in(self, token_id: str) -> str:
        """Sign a browser in with a token; returns the secret of its cookie. Raises NotFound when it was revoked."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = time.time()

        def add(book: Book) -> tuple[Book, str]:
            if book.with_id(token_id) is None:
                raise NotFound("the token was revoked")
            login = Login(token_id=token_id, sha256=digest_of(secret), until=now + LOGIN_S)
            lasting = [each for each in book.logins if now < each.until][-(MAX_LOGINS - 1) :]
            return book.model_copy(update={"logins": (*lasting, login)}), secret

        return self._change(add)

    def log_out(self, digest: str) -> None:
        """End the sign-in whose cookie has this SHA-256, if there is one."""
        if all(each.sha256 != digest for each in self.read().logins):
            return
        self._change(
            lambda book: (
                book.model_copy(update={"logins": tuple(each for each in book.logins if each.sha256 != digest)}),
                None,
            )
        )

    def _change(self, change: Callable[[Book], tuple[Book, T]]) -> T:
        with self._locked():
            book, result = change(self.read())
            self._write(book.model_dump_json(by_alias=True, indent=1).encode())
        return result

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
        try:
            self._give(descriptor)
            if sys.platform != "win32":
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, content: bytes) -> None:
        """The whole file in one rename: whoever reads it meets the old one or the new one."""
        written = self.path.with_suffix(".new")
        written.unlink(missing_ok=True)
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        with os.fdopen(descriptor, "wb") as file:
            self._give(file.fileno())
            file.write(content)
            file.flush()
            # Inodes are used again, and clocks of file systems tick every few milliseconds: `state` is to differ.
            changed_ns = max(time.time_ns(), self.state()[1] + 1)
            os.utime(file.fileno() if os.utime in os.supports_fd else written, ns=(changed_ns, changed_ns))
            os.fsync(file.fileno())
        os.replace(written, self.path)
        _sync_folder(self.path.parent)

    def _give(self, descriptor: int) -> None:
        """Root's `vedette token` must not shut out a server that runs as somebody else: the folder's owner gets it."""
        if sys.platform == "win32" or os.geteuid() != 0:
            return
        folder = os.stat(self.path.parent)
        os.fchown(descriptor, folder.st_uid, folder.st_gid)


def _names(first: str) -> Iterator[str]:
    yield first
    yield from (f"{first}-{number}" for number in range(2, MAX_TOKENS + 2))


def _sync_folder(folder: Path) -> None:
    """A power cut must not bring back a token that was revoked. Windows has no such call for folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
