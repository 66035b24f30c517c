from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from published import publish_stage, weights
from tradewind.lease import run_dir_lock
from tradewind.store import room
from tradewind.store.mirror import Mirror, using
from tradewind.store.record import Records

Worker = Callable[[str], Mirror]
NIGHTS = [f"runs/trade_qa/night-{number}" for number in (1, 2, 3)]


@pytest.fixture
def reader(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A machine with room for two models of the three that there are."""
    first = worker("first")
    for number, night in enumerate(NIGHTS):
        first.publish_run(publish_stage(first.root / night, "finetune", {"model/w.bin": weights(0.4, number)}).path)
    monkeypatch.setenv("TRADEWIND_CACHE_GB", "0.001")
    found = worker("second")
    found.refresh("runs/trade_qa")
    return found


def _held(mirror: Mirror) -> list[int]:
    return [number for number, night in enumerate(NIGHTS, 1) if (mirror.root / night / "finetune/model/w.bin").exists()]


def _ask_for(mirror: Mirror, *numbers: int) -> None:
    for number in numbers:
        mirror.complete(mirror.root / NIGHTS[number - 1] / "finetune")


def test_what_was_not_asked_for_longest_goes(reader: Mirror) -> None:
    _ask_for(reader, 1, 2, 1, 3)
    assert _held(reader) == [1, 3]
    assert (reader.root / NIGHTS[1] / "finetune/result.json").is_file(), "small files stay"
    _ask_for(reader, 2)
    assert (reader.root / NIGHTS[1] / "finetune/model/w.bin").read_bytes() == weights(0.4, 1)


def test_what_is_in_use_stays(reader: Mirror) -> None:
    with using(reader.root / NIGHTS[0]):
        _ask_for(reader, 1, 2, 3)
        assert _held(reader) == [1, 3]
    with run_dir_lock(reader.root / NIGHTS[0], "finetune"):  # a container whose worker was killed
        _ask_for(reader, 3, 2)
        assert _held(reader) == [1, 2]


def test_what_the_bucket_has_not_stays(reader: Mirror, caplog: pytest.LogCaptureFixture) -> None:
    _ask_for(reader, 1)
    own = publish_stage(reader.root / NIGHTS[0], "finetune", {"model/w.bin": weights(0.9, 7)}, task_id="finetune/2")
    _ask_for(reader, 2, 3)
    assert (own.published("finetune") / "model/w.bin").read_bytes() == weights(0.9, 7)


def test_a_file_of_two_units_takes_its_room_once(reader: Mirror) -> None:
    _ask_for(reader, 1)
    linked = reader.root / "models/trade_qa/versions/v1/model/w.bin"
    linked.parent.mkdir(parents=True)
    linked.hardlink_to(reader.root / NIGHTS[0] / "finetune/model/w.bin")
    (linked.parents[1] / "version.json").write_text("{}")
    reader.publish(["models/trade_qa/versions/v1"])
    _ask_for(reader, 2)
    assert _held(reader) == [1, 2], "three names, two files"
    _ask_for(reader, 3)
    assert not linked.exists()
    assert _held(reader) == [2, 3]


@pytest.mark.parametrize("change", ["comes", "goes"])
def test_another_task_fetches_or_makes_room_meanwhile(
    reader: Mirror, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    _ask_for(reader, 1, 2)
    monkeypatch.setenv("TRADEWIND_CACHE_GB", "0.0005")
    first, scan, seen = reader.root / NIGHTS[0] / "finetune/model", room._large, []

    def meanwhile(root: Path, records: Records, unit: str) -> list[Path]:
        found = scan(root, records, unit)
        seen.append(unit)
        if change == "goes" and unit.startswith(NIGHTS[0]):
            (first / "w.bin").unlink(missing_ok=True)
        if change == "comes" and seen.count(unit) == 1 and unit.startswith(NIGHTS[0]):
            return []  # it came a moment later
        return found

    monkeypatch.setattr(room, "_large", meanwhile)
    _ask_for(reader, 3)
    assert (reader.root / NIGHTS[2] / "finetune/model/w.bin").read_bytes() == weights(0.4, 2)


def test_no_limit(reader: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_CACHE_GB", "0")
    _ask_for(reader, 1, 2, 3)
    assert _held(reader) == [1, 2, 3]
