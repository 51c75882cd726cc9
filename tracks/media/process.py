"""The server's end of the child that decodes: started, listened to, and gone, whatever happens to it or its reader."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import stat
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from ..errors import ForbiddenUrl, Overloaded, PayloadTooLarge, SourceUnreachable, UnsupportedMedia, VedetteError
from . import wire
from .info import Fault, Readiness
from .limits import MIB, Limits

logger = logging.getLogger(__name__)

T = TypeVar("T", bound=BaseModel)

ROOT = Path(__file__).resolve().parents[2]
"""Where the package `tracks` is imported from."""
LAST_WORDS_BYTES = 4096
"""Of the child's stderr, that are looked at."""
LAST_WORDS_CHARACTERS = 300
"""Of it, in the log."""
EXIT_S = 2.0
"""From the end of its pipe to the end of the child."""
CHILD = "tracks.media.child"
"""What is run."""
FAULTS: Mapping[str, type[VedetteError]] = {
    each.code: each for each in (UnsupportedMedia, PayloadTooLarge, SourceUnreachable, ForbiddenUrl)
}
HANDED_ON = frozenset({"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
"""Without these some installations of Python do not start. Nothing else of the environment is the child's business."""


class DecoderLost(UnsupportedMedia):
    """The child has ended, or does not go on, without a word: what it decoded, or this machine, did that to it."""


class Pictures(Protocol):
    """Memory in which a child puts pictures: `tracks.media.ring.Ring`."""

    memory: int
    """Its descriptor."""
    free: int
    """Descriptor of the pipe that tells which of its slots are free."""
    bytes: int


@asynccontextmanager
async def running(
    task: str, path: Path, limits: Limits, *, pictures: Pictures | None = None, sound: bool = False
) -> AsyncIterator[Child]:
    """A child that is about to do `task` with the file, confined; killed on leaving. Raises as `Child.messages`."""
    file = await _opened(path, limits)
    async with running_on(task, file, limits, pictures=pictures, sound=sound) as child:
        yield child


@asynccontextmanager
async def running_on(
    task: str,
    descriptor: int,
    limits: Limits,
    *,
    pictures: Pictures | None = None,
    sound: bool = False,
    given: Mapping[str, Any] | None = None,
    datagrams: Sequence[int] = (),
) -> AsyncIterator[Child]:
    """The same with an open file, or the connection to a camera; closes the descriptors here, the child has its own.

    `given` is told to the child alone: what stands on a command line, all of this machine can read.
    """
    told: tuple[int, ...] = ()
    try:
        told = () if given is None else (_written(given),)
        request = {
            "task": task,
            "limits": asdict(limits),
            "parent": os.getpid(),
            "sound": sound,
            "pictures": pictures and {name: getattr(pictures, name) for name in ("memory", "free", "bytes")},
            "given": told[0] if told else None,
            "datagrams": list(datagrams),
        }
        shared = () if pictures is None else (pictures.memory, pictures.free)
        child = await _start(request, descriptor, limits, (*shared, *told, *datagrams))
    finally:
        for each in (descriptor, *told, *datagrams):
            os.close(each)
    try:
        await child.ready()
        yield child
    finally:
        await child.close()


async def missing_limits(limits: Limits) -> tuple[str, ...]:
    """Which of a child's limits this system does not have, by trying: memory, privileges, files, descriptors.

    Raises Overloaded when no child starts.
    """
    async with running("nothing", Path(__file__), limits) as child:
        return child.missing


class Child:
    """One process with one file. `running` makes it."""

    def __init__(self, process: asyncio.subprocess.Process, out: int, errors: int, limits: Limits) -> None:
        self._process = process
        self._limits = limits
        self._out = os.fdopen(out, "rb", buffering=0)
        self._errors = errors
        self._reader = asyncio.StreamReader(limit=wire.MAX_BYTES // 4)
        self._transport: asyncio.ReadTransport | None = None
        self._left_s = limits.wait_s
        self.missing: tuple[str, ...] = ()
        """Limits that this system does not have."""

    async def ready(self) -> None:
        """Wait until the child has confined itself. Raises Overloaded."""
        protocol = asyncio.StreamReaderProtocol(self._reader)
        self._transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, self._out)
        try:
            async with asyncio.timeout(self._limits.start_s):
                kind, payload = await self._read()
        except TimeoutError:
            raise Overloaded(f"the decoder did not start within {self._limits.start_s:g} s") from None
        except asyncio.IncompleteReadError:
            raise Overloaded("the decoder did not start") from None
        self.missing = tuple(self.parse(Readiness, payload).missing) if kind == wire.READY else ()

    async def first(self, model: type[T]) -> T:
        """What is in the file. Raises as `messages`."""
        _, payload = await self._next(self._limits.open_s, f"cannot be opened within {self._limits.open_s:g} s")
        return self.parse(model, payload)

    async def messages(
        self, stall_s: float | None = None, room: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncGenerator[tuple[bytes, bytes], None]:
        """(kind, payload) up to and with `END`. The pipe waits while nobody takes one.

        With `stall_s` so long is waited for each, once there is `room` for what may come; else `wait_s` for all.
        Raises UnsupportedMedia and PayloadTooLarge for what the child says of its file, and for what the file did to
        the child: a crash, too much memory, processor time or time. Overloaded when the system has killed it.
        """
        kind = b""
        while kind != wire.END:
            if room is not None:
                await room()
            started = time.monotonic()
            if stall_s is not None:
                kind, payload = await self._next(stall_s, f"nothing was decoded of it for {stall_s:g} s")
            else:
                late = f"decoding it takes longer than {self._limits.wait_s:g} s"
                kind, payload = await self._next(self._left_s, late)
                self._left_s -= time.monotonic() - started
            yield kind, payload

    def parse(self, model: type[T], payload: bytes) -> T:
        """A payload that is JSON. Raises UnsupportedMedia."""
        try:
            return model.model_validate_json(payload)
        except ValidationError:
            raise self.nonsense() from None

    async def close(self) -> None:
        """Kill it if it runs, and free what it held."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        try:
            await self._process.wait()
            if words := _left_in(self._errors):
                logger.warning("the decoder said: %s", words)
        finally:
            os.close(self._errors)
            if self._transport is None:
                self._out.close()
            else:
                self._transport.close()

    async def _next(self, timeout_s: float, late: str) -> tuple[bytes, bytes]:
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                kind, payload = await self._read()
        except TimeoutError:
            raise DecoderLost(late) from None
        except asyncio.IncompleteReadError:
            raise await self._death() from None
        if kind == wire.FAULT:
            fault = self.parse(Fault, payload)
            raise FAULTS[fault.code](fault.message, fault.details)
        return kind, payload

    async def _read(self) -> tuple[bytes, bytes]:
        kind, length = wire.HEADER.unpack(await self._reader.readexactly(wire.HEADER.size))
        if kind not in wire.KINDS or length > wire.MAX_BYTES:
            raise self.nonsense()
        return kind, await self._reader.readexactly(length)

    def nonsense(self) -> VedetteError:
        """The refusal of a child that does not keep to the protocol, as one does that the file has taken over."""
        logger.error("the decoder sent something that is no message")
        return DecoderLost("the decoder failed on it")

    async def _death(self) -> VedetteError:
        """Why there is nothing more to read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_S):
                await self._process.wait()
        status = self._process.returncode
        if status is None or status >= 0:
            return DecoderLost(f"the decoder failed on it (status {status})")
        if status == -signal.SIGXCPU:
            return UnsupportedMedia(f"decoding it needs more than {self._limits.cpu_s} s of processor time")
        if status == -signal.SIGKILL:
            return Overloaded("the system has killed the decoder, most likely for want of memory")
        return DecoderLost(f"the decoder crashed on it ({signal.Signals(-status).name})")


async def _opened(path: Path, limits: Limits) -> int:
    """The descriptor of a regular file within the caps. Raises UnsupportedMedia and PayloadTooLarge."""
    opening = asyncio.get_running_loop().run_in_executor(None, _open, path)
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close_opened)
        raise
    found = os.fstat(file)
    refusal: VedetteError | None = None
    if not stat.S_ISREG(found.st_mode):
        refusal = UnsupportedMedia("it is not a file")
    elif found.st_size == 0:
        refusal = UnsupportedMedia("the file is empty (0 bytes)")
    elif found.st_size > limits.max_bytes:
        most = f"at most {limits.max_bytes / MIB:g} MiB are taken"
        refusal = PayloadTooLarge(f"the file has {found.st_size / MIB:.1f} MiB, {most}")
    if refusal is not None:
        os.close(file)
        raise refusal
    return file


def _close_opened(opening: asyncio.Future[int]) -> None:
    if opening.exception() is None:
        os.close(opening.result())


def _open(path: Path) -> int:
    """Blocking. Does not wait for the other end of a named pipe."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


async def _start(request: Mapping[str, Any], file: int, limits: Limits, descriptors: Collection[int]) -> Child:
    """The process, with the file as its stdin, and these descriptors under the numbers that they have here."""
    # -S, -P: nothing is run or imported but what these folders hold; they are where this process found its own modules.
    command = [sys.executable, "-S", "-P", "-B", "-m", CHILD, json.dumps(request)]
    variables = {name: value for name, value in os.environ.items() if name in HANDED_ON}
    variables["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, sys.path)]))
    # glibc reserves 64 MiB of address space for every thread otherwise.
    variables["MALLOC_ARENA_MAX"] = "1"
    out, their_out = os.pipe()
    errors, their_errors = os.pipe()
    os.set_blocking(errors, False)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=file,
            stdout=their_out,
            stderr=their_errors,
            pass_fds=descriptors,
            env=variables,
            start_new_session=True,
        )
    except BaseException:
        os.close(out)
        os.close(errors)
        raise
    finally:
        os.close(their_out)
        os.close(their_errors)
    return Child(process, out, errors, limits)


def _written(given: Mapping[str, Any]) -> int:
    """The end to read from of a pipe that has this in it, and nothing after it. 64 KiB are what a pipe holds."""
    reading, writing = os.pipe()
    try:
        os.write(writing, json.dumps(given).encode())
    finally:
        os.close(writing)
    return reading


def _left_in(pipe: int) -> str:
    """The end of what the child wrote to stderr: of a traceback the place and the error."""
    with contextlib.suppress(BlockingIOError):
        lines = os.read(pipe, LAST_WORDS_BYTES).decode(errors="replace").split("\n")
        return " / ".join(line.strip() for line in lines if line.strip())[-LAST_WORDS_CHARACTERS:]
    return ""
