"""The YAML that a run keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bucket_server import FaultyProxy
from shared_home import Worker
from tradewind.errors import TemporaryError, UserError
from tradewind.pipeline.snapshot import Snapshot, digest, keep


def test_the_first_tasks_text_is_the_runs(tmp_path: Path) -> None:
    source, run = tmp_path / "mine.yaml", tmp_path / "run"
    assert keep(run, "name: 한글\n", source) == "name: 한글\n"
    assert keep(run, "name: other\n", source) == "name: 한글\n"
    assert (run / "pipeline.yaml").read_text(encoding="utf-8") == "name: 한글\n"
    record = Snapshot.model_validate_json((run / "pipeline.json").read_bytes())
    assert record == Snapshot(file="mine.yaml", sha256=digest("name: 한글\n"), commit=None)


def test_the_ends_of_its_lines_are_kept(tmp_path: Path) -> None:
    text = "name: a\r\n# b\rc\n"
    assert [keep(tmp_path, text, tmp_path / "mine.yaml") for _ in range(2)] == [text, text]
    assert (tmp_path / "pipeline.yaml").read_bytes() == text.encode()


def test_of_tasks_that_start_together_one_counts_for_all(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        kept = set(pool.map(lambda n: keep(tmp_path / "run", f"name: n{n}\n", tmp_path / "mine.yaml"), range(8)))
    assert len(kept) == 1
    record = Snapshot.model_validate_json((tmp_path / "run/pipeline.json").read_bytes())
    assert record.sha256 == digest(kept.pop())
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["pipeline.json", "pipeline.yaml"]


def test_what_was_changed_afterwards_is_refused(tmp_path: Path) -> None:
    keep(tmp_path, "name: a\n", tmp_path / "mine.yaml")
    (tmp_path / "pipeline.yaml").write_text("name: b\n")
    with pytest.raises(UserError, match=r"pipeline.yaml: was changed after the run began; trigger a new run"):
        keep(tmp_path, "name: a\n", tmp_path / "mine.yaml")
    (tmp_path / "pipeline.json").write_text("{")
    with pytest.raises(UserError, match=r"pipeline.json: is damaged"):
        keep(tmp_path, "name: a\n", tmp_path / "mine.yaml")


def test_a_record_that_was_never_written_is_made_of_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text("name: a\n")
    assert keep(tmp_path, "name: b\n", tmp_path / "mine.yaml") == "name: a\n"


def test_of_two_workers_that_start_together_the_first_in_the_bucket_counts_for_both(
    worker: Worker, tmp_path: Path
) -> None:
    runs = [worker(name).root / "runs/mine/night-1" for name in ("first", "second")]
    source = tmp_path / "mine.yaml"
    with ThreadPoolExecutor(2) as pool:
        kept = set(pool.map(lambda n: keep(runs[n], f"name: n{n}\n", source), range(2)))
    assert len(kept) == 1
    assert keep(worker("third").root / "runs/mine/night-1", "name: edited\n", source) == kept.pop()
    (runs[1] / "pipeline.yaml").write_text("name: b\n")
    with pytest.raises(UserError, match="was changed after the run began"):
        keep(runs[1], "name: edited\n", source)


def test_what_a_worker_could_not_send_does_not_count(worker: Worker, proxy: FaultyProxy, tmp_path: Path) -> None:
    first, second = (worker(name).root / "runs/mine/night-1" for name in ("first", "second"))
    proxy.spoil("PUT", "pipeline.yaml", "unavailable", times=99)
    with pytest.raises(TemporaryError, match="nothing is lost: try again"):
        keep(first, "name: a\n", tmp_path / "mine.yaml")
    proxy.faults.clear()
    assert keep(second, "name: b\n", tmp_path / "mine.yaml") == "name: b\n"
    assert keep(first, "name: a\n", tmp_path / "mine.yaml") == "name: b\n"
