"""The disks of runs and of downloaded models: room, rights, and what the stages ask of a file system."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from tradewind.doctor.check import Finding, Outcome, failure, not_needed, ok, warning
from tradewind.doctor.hub_files import cached_folder, has_weights, hub_cache
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind.files import path_of
from tradewind.models.needs import disk_need
from tradewind.store.address import cache_folder, is_address

_REMOTE = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "fuse.s3", "fuse.gcs", "lustre", "ceph", "glusterfs")
_MOUNTS = Path("/proc/self/mounts")
_OCTAL = re.compile(r"\\([0-7]{3})")  # how it writes a blank
_WRITTEN = 2**20
_NIGHTS = 3
_HUB_NUMBER = 2  # bytes: hubs keep models in half precision


def home() -> Path:
    """`TRADEWIND_HOME`, or a bucket's cache; without it what `make run` uses, if it is there, or Airflow."""
    if stated := os.environ.get("TRADEWIND_HOME"):
        return cache_folder() if is_address(stated) else path_of(stated)
    local = Path(".tradewind").resolve()
    return local if local.is_dir() else path_of(os.environ.get("AIRFLOW_HOME") or "~/airflow") / "tradewind"


def look_at_home(subject: Subject) -> Finding:
    """Where runs are kept: room for some nights, and locks, renames and links that work."""
    try:
        need: int | None = disk_need(subject.shape(), subject.config)
    except UserError:
        need = None
    return _look(home(), need, "a run leaves")


def look_at_model_cache(subject: Subject) -> Finding:
    """Where models are downloaded to."""
    wanted = list(subject.hub_models())
    if not wanted:
        return not_needed("no model of the recipe comes from the hub")
    absent = [name for _, name, revision in wanted if not has_weights(cached_folder(name, revision))]
    need: int | None = 0
    if subject.config.model.model_name_or_path in absent:
        try:
            need = subject.shape().parameters * _HUB_NUMBER
        except UserError:
            need = None
    found = _look(hub_cache(), need, "the download takes")
    have = f"; to download: {', '.join(absent)}" if absent else "; all models are there"
    return replace(found, found=found.found + have)


def _look(folder: Path, need: int | None, what: str) -> Finding:
    try:
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    except OSError as error:
        return failure(
            f"{folder}: {_words('cannot be reached', error)}", "give its owner rights, or name another folder"
        )
    if not there.is_dir():
        return failure(f"{there}: is no folder", f"move it away, or name another folder than {folder}")
    faults = _tried(there)
    if faults:
        return failure(f"{folder}: {faults}", "give its owner rights and room, or name another folder")
    room = _room(folder, shutil.disk_usage(there).free, need, what)
    remote = _remote(there) if room.outcome is not Outcome.FAILURE else ""
    if remote:
        told = f"{room.found}; on {remote}, whose locks are not to be trusted"
        return warning(told, "put it on a local disk: two writers could meet")
    return room


def _room(folder: Path, free: int, need: int | None, what: str) -> Finding:
    room = f"{folder}: {free / 1e9:.1f} GB free"
    if need is None:
        return warning(f"{room}; how much {what} cannot be told", "see the check of the model")
    told = f"{room}; {what} {need / 1e9:.1f} GB" if need >= 5e7 else room
    if free < need:
        return failure(told, "free space, or name a folder on a larger disk: docs/operations.md#disk")
    if free < _NIGHTS * need:
        return warning(f"{told}: not enough for {_NIGHTS} nights", "remove old runs: docs/operations.md#disk")
    return ok(told)


def _tried(there: Path) -> str:
    """Write, rename, link and lock in a folder of its own, which goes again; what does not work."""
    try:
        with tempfile.TemporaryDirectory(prefix=".tradewind-doctor-", dir=there) as made:
            return _written(Path(made)) or _linked(Path(made)) or _locked(Path(made))
    except OSError as error:
        return _words("cannot be written to", error)


def _written(folder: Path) -> str:
    try:
        with (folder / "file").open("wb") as file:
            file.write(b"\1" * _WRITTEN)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else _words("cannot be written", error)
    return ""


def _linked(folder: Path) -> str:
    try:
        (folder / "one").mkdir()
        (folder / "file").rename(folder / "one" / "file")
        (folder / "one").rename(folder / "two")  # as a stage publishes
        (folder / "link").hardlink_to(folder / "two" / "file")  # as a cached result is taken over
    except OSError as error:
        return _words("cannot rename folders or link files", error)
    return ""


def _locked(folder: Path) -> str:
    try:
        with (folder / "lock").open("w") as first, (folder / "lock").open("w") as second:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return ""
    except OSError as error:
        return _words("cannot lock files", error)
    return "grants one lock twice"


def _words(what: str, error: OSError) -> str:
    return f"{what} ({os.strerror(error.errno) if error.errno else type(error).__name__})"


def _remote(there: Path) -> str:
    """The type of the file system, where it is one of another machine's."""
    place, kind = Path("/"), ""
    for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines() if _MOUNTS.exists() else ():
        _, point, found, *_ = line.split(" ")
        mounted = Path(_OCTAL.sub(lambda found: chr(int(found[1], 8)), point))
        if there.resolve().is_relative_to(mounted) and mounted.is_relative_to(place):
            place, kind = mounted, found
    return kind if kind.startswith(_REMOTE) else ""
