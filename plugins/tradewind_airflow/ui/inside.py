"""What a path names below a run's folder, opened so that nothing else can come into its place meanwhile."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

_FOLDER, _FILE = os.O_RDONLY | os.O_DIRECTORY, os.O_RDONLY | os.O_NONBLOCK  # a pipe must not hold us up


class OpenedFile(FileResponse):
    """Sends a file that is open already: as many bytes as it had when it was opened, however much it has grown."""

    def __init__(self, file: BinaryIO, **more: Any) -> None:
        super().__init__(f"/dev/fd/{file.fileno()}", stat_result=os.fstat(file.fileno()), **more)
        self.file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI calls it."""
        left = 0

        async def send_what_was_told(message: Message) -> None:
            nonlocal left
            if message["type"] != "http.response.body":
                left = int(dict(message["headers"])[b"content-length"])
                await send(message)
                return
            body = message.get("body", b"")[:left]
            left -= len(body)
            more = message.get("more_body", False)
            await send({**message, "body": body, "more_body": more and left > 0})
            if more and not left:
                raise _EnoughError

        with self.file, suppress(_EnoughError):
            await super().__call__(scope, receive, send_what_was_told)


class _EnoughError(Exception):
    """All that was told has been sent; the file may grow faster than it is read."""


def _find(root: Path, path: str) -> Path | None:
    """The place itself, no link; None for all that is not to be seen, whether it is there or not."""
    parts = [part for part in path.split("/") if part]
    if path.startswith("/") or any(part.startswith(".") for part in parts):
        return None
    try:
        place = root.joinpath(*parts).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # of a NUL, and of links in a circle
        return None
    return place if is_shown(root, place) else None


def is_shown(root: Path, place: Path) -> bool:
    """Whether it is of the run, and neither a work folder's nor a lock."""
    return place.is_relative_to(root) and not any(part.startswith(".") for part in place.relative_to(root).parts)


def open_inside(root: Path, path: str) -> BinaryIO | None:
    """A file, open; None where there is none. PermissionError where it may not be read."""
    place = _find(root, path)
    opened = None if place is None else _open(root, place, _FILE)
    if opened is None:
        return None
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return os.fdopen(opened, "rb")
    os.close(opened)
    return None


@contextmanager
def folder_inside(root: Path, path: str) -> Iterator[tuple[Path, int] | None]:
    """A folder, and it open; None where there is none. PermissionError where it may not be read."""
    place = _find(root, path)
    opened = None if place is None else _open(root, place, _FOLDER)
    if place is None or opened is None:
        yield None
        return
    try:
        yield place, opened
    finally:
        os.close(opened)


def _open(root: Path, place: Path, how: int) -> int | None:
    """Part by part, and none of them through a link: `place` holds no link, so one that is met is new."""
    *folders, name = place.relative_to(root).parts or (".",)
    try:
        folder = os.open(root, _FOLDER)
        try:
            for part in folders:
                inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            return os.open(name, how | os.O_NOFOLLOW, dir_fd=folder)
        finally:
            os.close(folder)
    except PermissionError:
        raise
    except OSError:  # what stood there a moment ago is gone, or has become a link
        return None
