"""Only a checkpoint that is whole is gone on from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tradewind.training.checkpoints import is_verified, mark_verified, newest_verified


def _checkpoint(folder: Path, step: int) -> Path:
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(os.urandom(4096))
    (made / "trainer_state.json").write_text("{}", encoding="utf-8")
    mark_verified(made)
    return made


def test_the_highest_step_counts_not_the_file_time(tmp_path: Path) -> None:
    newest = _checkpoint(tmp_path, 100)
    older = _checkpoint(tmp_path, 20)
    os.utime(newest, (0, 0))
    assert newest_verified(tmp_path) == newest != older


def _truncate(checkpoint: Path) -> None:
    with (checkpoint / "model.safetensors").open("r+b") as file:
        file.truncate(1000)


def _flip(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(bytes(data))


def _lose_a_file(checkpoint: Path) -> None:
    (checkpoint / "trainer_state.json").unlink()


def _lose_the_manifest(checkpoint: Path) -> None:
    (checkpoint / "verified.json").unlink()


def _break_the_manifest(checkpoint: Path) -> None:
    (checkpoint / "verified.json").write_text('{"model.saf', encoding="utf-8")


@pytest.mark.parametrize("damage", [_truncate, _flip, _lose_a_file, _lose_the_manifest, _break_the_manifest])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    tmp_path: Path, damage: object, caplog: pytest.LogCaptureFixture
) -> None:
    before = _checkpoint(tmp_path, 50)
    damaged = _checkpoint(tmp_path, 100)
    assert callable(damage)
    damage(damaged)
    assert not is_verified(damaged)
    assert newest_verified(tmp_path) == before
    assert "checkpoint-100" in caplog.text


def test_no_checkpoint_is_a_fresh_start(tmp_path: Path) -> None:
    assert newest_verified(tmp_path / "absent") is None
