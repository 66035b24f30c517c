"""What git knows of a pipeline's file, by the git program; nothing here rewrites history."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tradewind.errors import UserError
from tradewind.files import write_atomically

_LIMIT = 30.0
_FORMAT = "%x01%H%x00%cI%x00%an%x00%s%x00"


@dataclass(frozen=True)
class Version:
    """One commit that changed the file."""

    number: int
    """From 1, the oldest."""
    commit: str
    at: str
    author: str
    subject: str
    path: str
    """The file's name then, from the top of the repository."""


def history(file: Path) -> list[Version]:
    """The commits that changed the file, renames followed, the newest first.

    Raises:
        UserError: git is not installed, the file is in no repository, or in none of its commits.
    """
    _require(file)
    log = _git(file, "log", "--follow", "--name-only", "-z", f"--format={_FORMAT}", "--", file.name)
    # A merge that changed nothing of its own names no file.
    entries = [entry for text in log.split("\x01")[1:] if len(entry := text.split("\0")) > 5 and entry[5]]
    if not entries:
        raise UserError(f"{file}: git keeps no version of it; `git add` and `git commit` it first")
    return [
        Version(len(entries) - index, commit, at, author, subject, path.removeprefix("\n"))
        for index, (commit, at, author, subject, _, path, *_rest) in enumerate(entries)
    ]


def text_of(file: Path, version: Version) -> str:
    """The file as it was in that version.

    Raises:
        UserError: it was deleted there, or is no text.
    """
    try:
        content = _asked(file, "show", f"{version.commit}:{version.path}")
    except UserError as error:
        if re.search(r"(does not exist|exists on disk, but not) in", str(error)):
            raise UserError(f"{file}: was deleted in v{version.number}; choose the version before") from None
        raise
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: v{version.number} is not UTF-8; take it by `git checkout`, as it is") from error


def is_shallow(file: Path) -> bool:
    """Whether the clone holds the newest commits only: its v1 is another one than a whole clone's."""
    return _git(file, "rev-parse", "--is-shallow-repository").strip() == "true"


def find(file: Path, wanted: str) -> Version:
    """The version `v3`, or the one whose commit begins so; UserError where there is none."""
    versions = history(file)
    by_hash = wanted if len(wanted) >= 4 else "none"
    found = [one for one in versions if wanted == f"v{one.number}" or one.commit.startswith(by_hash)]
    if len(found) != 1:
        raise UserError(f"{file}: has no version '{wanted}'; there are v1 to v{versions[0].number}, see `history`")
    return found[0]


def restore(file: Path, version: Version) -> None:
    """Make an earlier version the file's content again, as a change that is yet to be committed.

    Raises:
        UserError: the file holds what git does not have.
    """
    if is_changed(file):
        raise UserError(f"{file}: has changes that are not committed, and would be lost; commit them, then restore")
    write_atomically(file, text_of(file, version))


def is_changed(file: Path) -> bool:
    """Whether the file differs from what is committed."""
    return bool(_git(file, "status", "--porcelain", "-z", "--", file.name))


def commit_of(file: Path, text: str) -> str | None:
    """The newest commit of the file, if it holds just this text; None where git cannot say, or it does not."""
    try:
        commit = _git(file, "log", "-1", "--format=%H", "--", file.name).strip()
        return commit if commit and _git(file, "show", f"{commit}:./{file.name}") == text else None
    except UserError:
        return None


def _require(file: Path) -> None:
    if not file.is_file():
        raise UserError(f"{file}: no such file; name a pipeline's YAML")
    try:
        _git(file, "rev-parse", "--show-toplevel")
    except UserError as error:
        if "not a git repository" in str(error):
            raise UserError(
                f"{file}: is in no git repository, so no versions are kept; `git init` its folder"
            ) from None
        raise


def _git(file: Path, *arguments: str) -> str:
    return _asked(file, *arguments).decode(errors="replace")


def _asked(file: Path, *arguments: str) -> bytes:
    # Of a hook or a session that this runs in, another repository's.
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {"LC_ALL": "C.UTF-8"}
    # Names as they are (quotepath), and no file of the folder's own decides what runs (fsmonitor).
    options = ["-c", "core.quotepath=off", "-c", "core.fsmonitor=false", "--no-pager", "--literal-pathspecs"]
    try:
        done = subprocess.run(
            ["git", *options, *arguments], cwd=file.absolute().parent, env=own, capture_output=True, timeout=_LIMIT,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except FileNotFoundError:
        raise UserError("git: is not installed; a pipeline's versions are git's") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{file}: git does not answer within {_LIMIT:.0f} s; try `git status` there") from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no word"]
        said = lines[0].removeprefix("fatal: ")
        if "dubious ownership" in said:
            said = "the repository is another user's; run this as its owner, or see git's setting safe.directory"
        raise UserError(f"{file}: git: {said}")
    return done.stdout
