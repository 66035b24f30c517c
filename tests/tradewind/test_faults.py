"""What a full disk, a refused path and a full GPU are told as; what they raise is made by the real thing."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from documents import Cli, complaint
from tradewind.asking.store import AnswerStore
from tradewind.asking.usage import Spent, Usage
from tradewind.config import BudgetConfig
from tradewind.errors import GpuBusyError, RunDirBusyError, TemporaryError, UserError
from tradewind.faults import told_to_user

FULL = "the disk is full; free space, then clear the task"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk for 64 kB and some 60 names."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk to fill")
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=64", "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a library may hold its broken file still


def _raised(action: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is each library's own affair
        action()
    return caught.value


def _torch_file(folder: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(100_000)}, folder / "optimizer.pt")


def _safetensors_file(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(100_000)}, folder / "model.safetensors")


def _text_file(folder: Path) -> None:
    (folder / "rows.jsonl").write_text("x" * 200_000)


def _folder(folder: Path) -> None:
    for number in range(100):
        (folder / f"folder{number}").mkdir()


@pytest.mark.parametrize(
    "write",
    [
        _text_file,
        _folder,
        *(pytest.param(write, marks=pytest.mark.slow) for write in (_torch_file, _safetensors_file)),
    ],
)
def test_a_full_disk_is_told_whoever_wrote(small_disk: Path, write: Callable[[Path], None]) -> None:
    told = told_to_user(_raised(lambda: write(small_disk)), small_disk)
    assert type(told) is UserError
    place, _, words = str(told).partition(": ")
    assert words == FULL
    assert Path(place).is_relative_to(small_disk)


def test_a_stage_on_a_full_disk_ends_with_one_line(small_disk: Path, cli: Cli) -> None:
    refused = cli("prepare", "--run-dir", small_disk / "run")
    assert refused.returncode == 2, refused.stderr
    assert complaint(refused).startswith(str(small_disk / "run"))
    assert complaint(refused).endswith(f": {FULL}")
    assert not (small_disk / "run/prepare").exists()


def _chained(inner: Exception, *, cause: bool) -> Exception:
    outer = RuntimeError("writing failed")
    if cause:
        outer.__cause__ = inner
    else:
        outer.__context__ = inner
    return outer


@pytest.mark.parametrize("cause", [True, False])
@pytest.mark.parametrize(
    "inner", [OSError(errno.ENOSPC, "in another language"), RuntimeError("I/O error: No space left on device")]
)
def test_a_full_disk_behind_another_error_is_found(inner: Exception, cause: bool) -> None:
    error = _chained(inner, cause=cause)
    assert str(told_to_user(error)) == f"the working folder: {FULL}"
    assert str(told_to_user(error, Path("/runs/r"))) == f"/runs/r: {FULL}"


def test_a_full_disk_is_named_by_the_file_where_one_is_known() -> None:
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/cache/model")
    assert str(told_to_user(error, Path("/runs/r"))) == f"/cache/model: {FULL}"


def test_an_error_about_a_file_names_it_and_what_to_check(tmp_path: Path) -> None:
    told = told_to_user(_raised((tmp_path / "absent").read_text))
    assert str(told) == f"{tmp_path}/absent: No such file or directory; check the path, its rights and the disk"


@pytest.mark.parametrize("error", [UserError("a"), TemporaryError("b"), RunDirBusyError("c"), GpuBusyError("d")])
def test_what_is_told_already_stays_as_it_is(error: UserError) -> None:
    assert told_to_user(error) is error


@pytest.mark.parametrize(
    ("kind", "code"), [(UserError, 2), (TemporaryError, 75), (RunDirBusyError, 75), (GpuBusyError, 69)]
)
def test_each_kind_has_its_exit_code(kind: type[UserError], code: int) -> None:
    assert kind.exit_code == code


class OutOfMemoryError(Exception):
    """Somebody else's of that name."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        KeyError("key"),
        OSError("no number, no name"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
    ],
)
def test_any_other_error_is_left_to_its_traceback(error: Exception) -> None:
    assert told_to_user(error) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "first"),
    [
        (
            "CUDA out of memory. Tried to allocate 2 GiB.\nSee documentation",
            "CUDA out of memory. Tried to allocate 2 GiB",
        ),
        ("", "out of memory"),
    ],
)
def test_a_full_gpu_is_told_with_what_to_lower(text: str, first: str) -> None:
    import torch

    told = told_to_user(torch.OutOfMemoryError(text))
    assert str(told) == (
        f"{first}; not even one example fits: lower max_length or evaluate.max_new_tokens, "
        "or turn gradient_checkpointing on, in the recipe"
    )


ANSWER = ("x" * 200_000, "m")


def _asked(store: AnswerStore) -> int:
    number = store.open_request("run", "key", Spent(Usage(1, 1, 1), 0.1), BudgetConfig())
    assert isinstance(number, int)
    return number


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of answers, in a folder of its own."""
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(tmp_path))
    return tmp_path / "answers.sqlite3"


def test_a_disk_that_answers_filled_is_told_with_their_file(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRADEWIND_ANSWERS", str(small_disk))
    store = AnswerStore(small_disk / "answers.sqlite3")
    number = _asked(store)
    error = _raised(lambda: store.close_request(number, Spent(Usage(1), 0.0), ANSWER))
    assert isinstance(error, sqlite3.Error)
    told = told_to_user(error, tmp_path / "run")
    assert str(told) == f"{small_disk}/answers.sqlite3: {FULL}"
    store.close()


def test_a_file_of_answers_that_another_process_holds_is_told_as_passing(answers: Path) -> None:
    AnswerStore(answers).close()
    holder, waiting = (sqlite3.connect(answers, timeout=0, isolation_level=None) for _ in range(2))
    holder.execute("BEGIN EXCLUSIVE")
    told = told_to_user(_raised(lambda: waiting.execute("SELECT * FROM answer")))
    assert isinstance(told, TemporaryError)
    assert str(told) == f"{answers}: another process holds the file (database is locked); try again"
    holder.close()
    waiting.close()


def test_a_file_of_answers_that_is_damaged_is_to_be_moved_away(answers: Path) -> None:
    store = AnswerStore(answers)
    store.close_request(_asked(store), Spent(Usage(1), 0.0), ANSWER)
    store.close()
    size = answers.stat().st_size
    with answers.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    told = told_to_user(_raised(lambda: AnswerStore(answers).answer("key")))
    assert type(told) is UserError
    assert str(told).startswith(f"{answers}: database disk image is malformed; move the file away")


def test_a_file_of_answers_that_may_not_be_written_is_told_with_what_to_check(answers: Path) -> None:
    AnswerStore(answers).close()
    reader = sqlite3.connect(f"{answers.as_uri()}?mode=ro", uri=True)
    told = told_to_user(_raised(lambda: reader.execute("DELETE FROM answer")))
    assert str(told) == (f"{answers}: attempt to write a readonly database; check the path, its rights and the disk")
    reader.close()


def test_a_wrong_question_to_the_file_of_answers_is_left_to_its_traceback(answers: Path) -> None:
    database = sqlite3.connect(answers)
    assert told_to_user(_raised(lambda: database.execute("SELECT * FROM nothing"))) is None
    database.close()
