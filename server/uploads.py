"""Files that clients send: streamed to the disk under the caps, and gone when the request is."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from tracks.errors import InvalidRequest, PayloadTooLarge, StorageFull
from tracks.media.limits import MIB

T = TypeVar("T")

FILE_FIELD = "file"
IDLE_S = 30.0
"""Between two parts of a body."""
TOTAL_S = 900.0
"""For a whole body: 512 MiB at 5 Mb/s."""
WRITE_BYTES = MIB
"""Written to the disk at a time."""
LEFT_FREE_BYTES = 100 * MIB
"""Of the disk, for the database."""
MAX_FIELDS = 100
MAX_FIELD_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that was sent, and what was sent with it."""

    path: Path
    """With a name that the server chose."""
    fields: Mapping[str, Sequence[str]]
    """The form's other fields, `[]` after a name left out; every value that each was sent with, in their order."""


class Uploads:
    """Where files that are sent lie while they are worked on."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes

    async def start(self) -> None:
        """Make room; what a process that was killed left behind goes."""
        await asyncio.to_thread(shutil.rmtree, self._folder, True)
        await asyncio.to_thread(self._folder.mkdir, parents=True, mode=0o700)

    @asynccontextmanager
    async def receive(self, request: web.Request) -> AsyncIterator[Upload]:
        """The request's file: the part `file` of a form, or the whole of any other body. Removed at the end.

        Raises InvalidRequest for a form that is broken off or without a file, PayloadTooLarge over the cap, StorageFull
        when the disk has no room.
        """
        size = request.content_length or 0
        if size > self._max_bytes + MAX_FIELDS * MAX_FIELD_BYTES:
            raise self._too_large()
        file = await asyncio.to_thread(self._make, size)
        try:
            try:
                async with asyncio.timeout(TOTAL_S):
                    fields = await read_file(request, lambda chunks: self._write(chunks, file))
            except TimeoutError:
                raise InvalidRequest("the body did not arrive in time") from None
            yield Upload(Path(file.name), fields)
        finally:
            # Not awaited: a request that was cancelled leaves nothing behind either.
            file.close()
            with contextlib.suppress(FileNotFoundError):  # whoever keeps the file has moved it
                os.unlink(file.name)

    def _make(self, size: int) -> IO[bytes]:
        if shutil.disk_usage(self._folder).free < size + LEFT_FREE_BYTES:
            raise StorageFull("there is no room on the disk for this file")
        return tempfile.NamedTemporaryFile(dir=self._folder, delete=False)

    async def _write(self, chunks: AsyncIterator[bytes], file: IO[bytes]) -> None:
        waiting, written = bytearray(), 0
        async for chunk in chunks:
            written += len(chunk)
            if written > self._max_bytes:
                raise self._too_large()
            waiting += chunk
            if len(waiting) >= WRITE_BYTES:
                await _to_disk(file, bytes(waiting))
                waiting.clear()
        await _to_disk(file, bytes(waiting))

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"the file is larger than {self._max_bytes / MIB:g} MiB")


async def read_file(
    request: web.Request, save: Callable[[AsyncIterator[bytes]], Awaitable[None]]
) -> Mapping[str, Sequence[str]]:
    """Have the request's file saved as it comes: the part `file` of a form, or the whole of any other body.

    Returns the form's other fields, as `Upload.fields`. Raises InvalidRequest for a form that is broken off or has no
    file, TimeoutError when nothing comes any more, and what `save` raises.
    """
    if request.content_type != "multipart/form-data":
        await save(_chunks(request.content.readany))
        return {}
    fields: defaultdict[str, list[str]] = defaultdict(list)
    found = count = 0
    try:
        parts = await request.multipart()
        while (part := await _in_time(parts.next())) is not None:
            count += 1
            if count > MAX_FIELDS or not isinstance(part, BodyPartReader):
                raise InvalidRequest(f"expected a form of at most {MAX_FIELDS} fields")
            if part.name == FILE_FIELD:
                found += 1
                await save(_chunks(part.read_chunk))
            else:
                fields[(part.name or "").removesuffix("[]")].append(await _text(part))
    except (ValueError, AssertionError, EOFError) as error:  # what aiohttp raises about a broken form
        raise InvalidRequest(f"the form is broken: {error}") from None
    except HttpProcessingError:  # of the headers of a part
        raise InvalidRequest("the form is broken: the headers of a part cannot be read") from None
    if found != 1:
        raise InvalidRequest(f"expected one field {FILE_FIELD!r} with the file, got {found}", {"param": FILE_FIELD})
    return fields


async def _to_disk(file: IO[bytes], data: bytes) -> None:
    try:
        await asyncio.to_thread(_written, file, data)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull("there is no room on the disk for this file") from None
        raise


def _written(file: IO[bytes], data: bytes) -> None:
    file.write(data)
    file.flush()


async def _chunks(read: Callable[[], Awaitable[bytes]]) -> AsyncIterator[bytes]:
    while chunk := await _in_time(read()):
        yield chunk


async def _text(part: BodyPartReader) -> str:
    text = bytearray()
    async for chunk in _chunks(part.read_chunk):
        text += chunk
        if len(text) > MAX_FIELD_BYTES:
            raise InvalidRequest(f"field {part.name!r} is longer than {MAX_FIELD_BYTES} bytes")
    return text.decode()


async def _in_time(reading: Awaitable[T]) -> T:
    async with asyncio.timeout(IDLE_S):
        return await reading
