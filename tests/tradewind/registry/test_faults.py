"""A registry after SIGKILL at every step, on a full disk, with two writers: real processes, real files."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from finished_run import Night, finished_run
from tradewind.faults import told_to_user
from tradewind.registry.promotion import rollback
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.run_dir import RunDir

_FORK = multiprocessing.get_context("fork")
_CHANGES = {"os.mkdir", "os.link", "os.symlink", "os.rename", "os.remove", "os.rmdir", "os.truncate"}


def _killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed before its `step`-th change of the disk; False: it had fewer."""

    def run() -> None:
        left = step

        def before(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal left
            writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa+")
            if writes or event in _CHANGES:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(before)  # for good, and so in a process of its own
        work()

    process = _FORK.Process(target=run)
    process.start()
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _check(registry: Registry, champions: set[str | None]) -> None:
    """Whatever is shown is whole, and the pointer is at one of these."""
    for version in registry.versions():
        version.verify()
    champion = registry.champion()
    assert (champion.name if champion else None) in champions


def test_killed_at_any_step_a_registration_shows_nothing_half_and_the_next_ends_it(tmp_path: Path) -> None:
    steps = 0
    for step in count(1):
        registry = Registry(tmp_path / f"models-{step}")
        run = finished_run(tmp_path / f"run-{step}")
        if not _killed_at(step, lambda registry=registry, run=run: register(registry, run, who="night")):  # type: ignore[misc]
            break
        steps += 1
        _check(registry, {None, "v1"})
        again = register(registry, run, who="night")
        assert (again.version.name, again.champion) == ("v1", True)
        _check(registry, {"v1"})
        assert registry.names() == ["v1"]
        assert [(move.before, move.after) for move in registry.history()] == [(None, "v1")]
        assert sorted(entry.name for entry in registry.path.iterdir()) == [
            ".lock", "champion", "history.jsonl", "versions",
        ]  # fmt: skip
        register(registry, finished_run(tmp_path / f"next-{step}"), who="night")  # which clears what was left
        assert sorted(entry.name for entry in (registry.path / "versions").iterdir()) == ["v1", "v2"]
    assert steps > 25  # or the hook has not seen the work


def test_killed_at_any_step_a_rollback_has_happened_or_not_and_is_noted_once(
    registry: Registry, night: Night, tmp_path: Path
) -> None:
    night()
    night()
    kept = tmp_path / "kept"
    shutil.copytree(registry.path, kept, symlinks=True)
    seen = set()
    for step in count(1):
        shutil.rmtree(registry.path)
        shutil.copytree(kept, registry.path, symlinks=True)
        if not _killed_at(step, lambda: rollback(registry, who="a human", why="it swears")):
            break
        _check(registry, {"v1", "v2"})
        after = registry.champion_name()
        seen.add(after)
        with registry.changing("look"):
            moves = [(move.before, move.after) for move in registry.history()]
        assert moves == [(None, "v1"), ("v1", "v2")] + ([("v2", "v1")] if after == "v1" else [])
    assert seen == {"v1", "v2"}


def test_killed_at_any_step_retirement_leaves_no_half_of_a_version(
    registry: Registry, night: Night, tmp_path: Path
) -> None:
    for _ in range(3):
        night(gain=0.0)
    kept = tmp_path / "kept"
    shutil.copytree(registry.path, kept)

    def retire() -> None:
        with registry.changing("retire") as change:
            change.retire(1)

    seen = set()
    for step in count(1):
        shutil.rmtree(registry.path)
        shutil.copytree(kept, registry.path)
        if not _killed_at(step, retire):
            break
        _check(registry, {None})
        seen.add(len(registry.names()))
        with registry.making():  # which clears what was left
            names = {entry.name for entry in (registry.path / "versions").iterdir() if entry.name[0] != "."}
            assert names == set(registry.names())
        assert len(list((registry.path / "versions").iterdir())) == len(registry.names())
    assert seen == {1, 2, 3}


def _register_at_once(registry: Registry, run: RunDir, start: Barrier) -> None:
    start.wait(30)
    register(registry, run, who=run.path.name)


def test_of_runs_registered_at_once_one_becomes_champion_and_all_are_kept(tmp_path: Path) -> None:
    names = [f"run-{number}" for number in range(4)]
    for attempt in range(3):
        registry = Registry(tmp_path / f"models-{attempt}")
        runs = [finished_run(tmp_path / f"{attempt}" / name, weights=name) for name in names]
        start = _FORK.Barrier(len(runs))
        processes = [_FORK.Process(target=_register_at_once, args=(registry, run, start)) for run in runs]
        for process in processes:
            process.start()
        for process in processes:
            process.join(60)
        assert [process.exitcode for process in processes] == [0] * 4
        assert registry.names() == ["v1", "v2", "v3", "v4"]
        assert sorted(version.record.run for version in registry.versions()) == names
        _check(registry, set(registry.names()))
        assert [move.after for move in registry.history()] == [registry.champion_name()]
        let_through = [version.name for version in registry.versions() if version.record.decision.promote]
        assert let_through == [registry.champion_name()]


def test_what_a_live_registration_makes_is_not_taken_for_a_leftover(registry: Registry, tmp_path: Path) -> None:
    with registry.making() as folder:
        register(registry, finished_run(tmp_path / "run"), who="test")
        assert folder.is_dir()
    assert not folder.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_full_disk_nothing_is_shown_and_the_fault_is_named(small_disk: Path, tmp_path: Path) -> None:
    registry = Registry(small_disk / "models")
    with pytest.raises(OSError, match="No space left") as caught:
        register(registry, finished_run(tmp_path / "large", weights="w" * 100_000), who="test")
    assert caught.value.errno == errno.ENOSPC
    assert "the disk is full; free space" in str(told_to_user(caught.value))
    assert registry.names() == []
    assert list((registry.path / "versions").iterdir()) == []
    assert register(registry, finished_run(tmp_path / "small-run"), who="test").champion
