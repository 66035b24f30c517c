"""The folders of runs and models: what of a file system the stages need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from doctoring import Doctor
from tradewind.doctor.check import Outcome
from tradewind.doctor.checks import disk
from tradewind.doctor.subject import Subject
from tradewind.recipes import resolve

MOUNT = shutil.which("mount") or "/bin/mount"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")


@contextmanager
def _tmpfs(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    done = subprocess.run([MOUNT, "-t", "tmpfs", "-o", options, "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this container may not mount")
    try:
        yield place
    finally:
        subprocess.run([f"{Path(str(MOUNT)).parent}/umount", place], check=True)


@needs_root
def test_a_full_disk_and_one_that_is_read_only_are_failures(doctor: Doctor, tmp_path: Path) -> None:
    with _tmpfs(tmp_path / "full", "size=700k") as full:
        told = doctor("tiny", "disk", TRADEWIND_HOME=str(full / "home"))
        assert told.words("disk").startswith(f"{full}/home: the disk is full ->")
        assert list(full.iterdir()) == []
    with _tmpfs(tmp_path / "fixed", "ro") as fixed:
        told = doctor("tiny", "disk", TRADEWIND_HOME=str(fixed / "home"))
        assert "cannot be written to (Read-only file system)" in told.words("disk")


@needs_root
def test_a_disk_with_less_room_than_a_run_leaves_is_a_failure(doctor: Doctor, tmp_path: Path) -> None:
    with _tmpfs(tmp_path / "small", "size=30m") as small:
        told = doctor("tiny", "disk", TRADEWIND_HOME=str(small))
    assert told.outcome("disk") == "failure"
    assert "0.0 GB free; a run leaves 0.1 GB" in told.words("disk")


_PROGRAM = """
import os
from tradewind.doctor.checks import CHECKS
from tradewind.doctor.examine import examine
from tradewind.doctor.subject import Subject
from tradewind.recipes import resolve
os.setuid(4242)
subject = Subject(resolve("gemma-2-2b-it", "embedded:en"))
for name, found in examine(subject, [check for check in CHECKS if check.name in ("disk", "model cache")]).items():
    print(name, found.outcome, found.found, found.to_do, sep="|")
"""


@needs_root
def test_a_user_without_a_home_or_rights_is_told_what_to_name(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    (tmp_path / "closed").mkdir(mode=0o700)
    for stated in ({}, {"TRADEWIND_HOME": f"{tmp_path}/closed/home", "HF_HOME": f"{tmp_path}/closed/cache"}):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM], env=environment | stated, cwd="/", capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        for line in done.stdout.splitlines():
            assert line.split("|")[1] == "failure", line
            words = "cannot be reached (Permission denied)" if stated else "is no path: Could not determine home"
            assert words in line
        assert len(done.stdout.splitlines()) == 2


def test_a_home_that_is_a_file_is_told(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    told = doctor("tiny", "disk", TRADEWIND_HOME=str(tmp_path / "file" / "home"))
    assert told.words("disk").startswith(f"{tmp_path}/file: is no folder -> move it away")


def test_a_disk_of_another_machine_s_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    shared = tmp_path / "with blank 한글"
    shared.mkdir()
    told = str(shared).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/export {told} nfs4 rw 0 0\n", encoding="utf-8")
    monkeypatch.setattr(disk, "_MOUNTS", mounts)
    subject = Subject(resolve("tiny", "embedded:en"))
    for home, outcome in ((shared / "home", Outcome.WARNING), (tmp_path / "home", Outcome.OK)):
        monkeypatch.setenv("TRADEWIND_HOME", str(home))
        found = disk.look_at_home(subject)
        assert found.outcome is outcome
        assert ("nfs4" in found.found) == (outcome is Outcome.WARNING)
