"""What went wrong in words a user can act on, where the exception alone does not tell."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from tradewind.errors import TemporaryError, UserError

# A full disk comes out of torch, safetensors and pyarrow as errors of their own, with the system's words in them.
_DISK_FULL = ("No space left on device", "os error 28", "Errno 28", "iostream error")
_FREE_SPACE = "the disk is full; free space, then clear the task"


def told_to_user(error: BaseException, run_dir: Path | None = None) -> UserError | None:
    """The one line for this failure; None where only a traceback can help.

    Args:
        run_dir: where the command writes, for an error that does not say.
    """
    if isinstance(error, UserError):
        return error
    if isinstance(error, sqlite3.Error):
        return _told_of_answers(error)
    if _is_disk_full(error):
        place = getattr(error, "filename", None) or run_dir or "the working folder"
        return UserError(f"{place}: {_FREE_SPACE}")
    if isinstance(error, OSError) and error.filename is not None:
        return UserError(f"{error.filename}: {error.strerror}; check the path, its rights and the disk")
    if type(error).__name__ == "OutOfMemoryError" and type(error).__module__.startswith("torch"):
        first = str(error).splitlines()[0] if str(error) else "out of memory"
        return UserError(
            f"{first.rstrip('.')}; not even one example fits: lower max_length or evaluate.max_new_tokens, "
            "or turn gradient_checkpointing on, in the recipe"
        )
    return None


def _told_of_answers(error: sqlite3.Error) -> UserError | None:
    """The file of answers is the one database here; SQLite's errors do not name it."""
    from tradewind.asking.store import answers_file

    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest tells more of the same
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return TemporaryError(f"{answers_file()}: another process holds the file ({error}); try again")
    if code == sqlite3.SQLITE_FULL:
        return UserError(f"{answers_file()}: {_FREE_SPACE}")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return UserError(
            f"{answers_file()}: {error}; move the file away (its answers will be paid for again), then clear the task"
        )
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return UserError(f"{answers_file()}: {error}; check the path, its rights and the disk")
    return None


def _is_disk_full(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno == errno.ENOSPC:
            return True
        if any(words in str(seen) for words in _DISK_FULL):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
