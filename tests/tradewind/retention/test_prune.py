from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from documents import Cli
from finished_run import finished_run
from published import publish_stage, weights
from tradewind.__main__ import main
from tradewind.commands import prune
from tradewind.lease import run_dir_lock
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.retention import bucket as retention
from tradewind.retention.disk import bytes_of
from tradewind.store.bucket import Bucket, Entry
from tradewind.store.mirror import Mirror, using

Worker = Callable[[str], Mirror]


def _age(folder: Path, hours: float) -> None:
    """Have it last written so long ago."""
    when = time.time() - hours * 3600
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (when, when), follow_symlinks=False)


def _night(home: Path, number: int, **more: object) -> Path:
    run = home / f"runs/trade_qa/night-{number}"
    publish_stage(run, "finetune", {"model/w.bin": weights(0.1, number)}, **more)  # type: ignore[arg-type]
    _age(run, 1000 - 24 * number)
    return run


def _names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "runs/trade_qa").iterdir() if not path.name.startswith("."))


def _prune(home: object, *more: str) -> int:
    return main(["prune", str(home), *more])


def test_the_newest_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 6):
        _night(tmp_path, number)
    assert _prune(tmp_path, "--keep", "2", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert _names(tmp_path) == [f"night-{number}" for number in range(1, 6)], "a dry run removes nothing"
    sizes = [
        sum(path.stat().st_size for path in (tmp_path / f"runs/trade_qa/night-{number}").rglob("*") if path.is_file())
        for number in (1, 2, 3)
    ]
    assert "would go trade_qa/night-1, last written " in shown
    assert f", {sizes[0]:,} bytes" in shown
    assert f"3 of 5 runs: would free {sum(sizes):,} bytes" in shown
    assert _prune(tmp_path, "--keep", "2") == 0
    assert _names(tmp_path) == ["night-4", "night-5"]
    assert f"3 of 5 runs: freed {sum(sizes):,} bytes" in capsys.readouterr().out


def test_what_a_run_that_stays_refers_to_stays(tmp_path: Path) -> None:
    _night(tmp_path, 1)
    _night(tmp_path, 2)
    _night(tmp_path, 3, status="cached", source_run="night-1")
    assert _prune(tmp_path, "--keep", "1") == 0
    assert _names(tmp_path) == ["night-1", "night-3"]


def test_a_shared_file_frees_nothing_while_a_name_of_it_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = _night(tmp_path, 1), _night(tmp_path, 2)
    (second / "finetune/model/w.bin").unlink()
    (second / "finetune/model/w.bin").hardlink_to(first / "finetune/model/w.bin")
    _age(second, 900)
    small = sum(path.stat().st_size for path in first.rglob("*") if path.is_file() and path.name != "w.bin")
    assert _prune(tmp_path, "--keep", "1") == 0
    assert f"freed {small:,} bytes" in capsys.readouterr().out


def test_the_runs_of_versions_stay(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models/trade_qa")
    for number in (1, 2):
        run = finished_run(
            tmp_path / f"runs/trade_qa/night-{number}", champion=registry.champion(), weights=str(number)
        )
        register(registry, run, who="test")
        _age(run.path, 1000 - number)
    for number in (3, 4, 5):
        _night(tmp_path, number)
    assert _prune(tmp_path, "--keep", "1") == 0
    assert _names(tmp_path) == ["night-1", "night-2", "night-5"]
    for version in registry.versions():
        version.verify()


def test_a_run_under_way_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = _night(tmp_path, 1)
    for number in (2, 3):
        _night(tmp_path, number)
    with run_dir_lock(old, "finetune"):
        _age(old, 1000)
        assert _prune(tmp_path, "--keep", "1") == 0
        assert _names(tmp_path) == ["night-1", "night-3"]
    assert "stays  trade_qa/night-1: under way" in capsys.readouterr().out


def test_what_was_written_to_lately_may_be_another_machine_s(tmp_path: Path) -> None:
    for number in (1, 2):
        _night(tmp_path, number)
    _age(tmp_path / "runs/trade_qa/night-1", 3)
    _age(tmp_path / "runs/trade_qa/night-2", 2)
    assert _prune(tmp_path, "--keep", "1") == 0
    assert _names(tmp_path) == ["night-1", "night-2"]
    assert _prune(tmp_path, "--keep", "1", "--idle-hours", "2.5") == 0
    assert _names(tmp_path) == ["night-2"]


def test_links_stay_and_what_they_lead_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2, 3, 4):
        _night(tmp_path, number)
    runs, elsewhere = tmp_path / "runs/trade_qa", tmp_path / "elsewhere"
    (runs / "latest").symlink_to("night-4")
    (runs / "night-1").rename(elsewhere)
    (runs / "night-1").symlink_to(elsewhere)
    for _ in range(2):
        assert _prune(tmp_path, "--keep", "2", "--idle-hours", "0") == 0
        assert _names(tmp_path) == ["latest", "night-1", "night-3", "night-4"]
    assert (elsewhere / "finetune/result.json").is_file()
    assert "stays  trade_qa/night-1: a link, and so not ours to remove" in capsys.readouterr().out
    assert sorted(path.name for path in runs.glob(".[!l]*")) == [".results"] * (runs / ".results").exists()


def test_what_another_prune_removes_meanwhile_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (1, 2, 3):
        _night(tmp_path, number)

    def meanwhile(*given: object) -> list[int]:
        shutil.rmtree(tmp_path / "runs/trade_qa/night-1")
        return bytes_of(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(prune, "bytes_of", meanwhile)
    assert _prune(tmp_path, "--keep", "1", "--idle-hours", "0") == 0
    assert _names(tmp_path) == ["night-3"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--keep", "0"), "--keep: 0 would remove the newest run as well"),
        (("--keep", "2"), "holds no runs; name"),
        (("--keep", "2", "--idle-hours", "nan"), "--idle-hours: nan is no time"),
    ],
)
def test_what_cannot_be_meant(cli: Cli, tmp_path: Path, more: tuple[str, ...], words: str) -> None:
    if more[1] == "0":
        _night(tmp_path, 1)
    done = cli("prune", tmp_path, *more)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_result_that_cannot_be_read_removes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (1, 2, 3):
        _night(tmp_path, number)
    (tmp_path / "runs/trade_qa/night-3/finetune/result.json").write_text("{")
    assert _prune(tmp_path, "--keep", "1") == 2
    assert len(_names(tmp_path)) == 3
    assert "night-3/finetune/result.json" in capsys.readouterr().err


def _shared(mirror: Mirror, *numbers: int) -> None:
    for number in numbers:
        run = mirror.root / f"runs/trade_qa/night-{number}"
        source = {"status": "cached", "source_run": "night-1"} if number == 4 else {}
        publish_stage(run, "finetune", {"model/w.bin": weights(0.1, 1 if number == 4 else number)}, **source)
        mirror.publish_run(run)
        time.sleep(1.1)  # S3 tells times in seconds


def test_in_a_bucket_parts_go_a_day_later(
    worker: Worker, endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = worker("first"), worker("second")
    _shared(first, 1, 2, 3, 4)
    second.refresh("runs/trade_qa")
    worker("third")  # the machine that prunes has nothing yet
    address = f"s3://{BUCKET}/home"
    before = keys(endpoint)
    assert _prune(address, "--keep", "1", "--idle-hours", "0", "--dry-run") == 0
    assert keys(endpoint) == before
    shown = capsys.readouterr().out
    assert f"2 of 4 runs: would free {2 * len(weights(0.1)):,} bytes" in shown
    assert "stays  trade_qa/night-1: made what night-4 has" in shown
    assert _prune(address, "--keep", "1", "--idle-hours", "0") == 0
    assert {key.split("/")[4] for key in keys(endpoint, "home/manifests/runs")} == {"night-1", "night-4"}
    assert len(keys(endpoint, "home/blobs/")) == 3, "an upload may rely on them"
    second.refresh("runs/trade_qa")
    assert _names(second.root) == ["night-1", "night-4"], "gone from caches, too"
    late = datetime.now(UTC) + timedelta(hours=25)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return late

    monkeypatch.setattr(retention, "datetime", Later)
    assert _prune(address, "--keep", "2", "--idle-hours", "0") == 0
    assert f"freed {2 * len(weights(0.1)):,} bytes" in capsys.readouterr().out
    assert len(keys(endpoint, "home/blobs/")) == 1
    assert keys(endpoint, "home/removed/") == []
    second.complete(second.root / "runs/trade_qa/night-4")
    assert (second.root / "runs/trade_qa/night-4/finetune/model/w.bin").read_bytes() == weights(0.1, 1)


def test_what_others_put_into_the_bucket_is_left_alone(worker: Worker, endpoint: str) -> None:
    _shared(worker("first"), 1, 2)
    strange = [
        "manifests/", "manifests/runs/", "manifests/runs/trade_qa/", "manifests/runs/readme.txt", "manifests/x",
        "manifests/models/", "manifests/models/00000001.json", "blobs/", "blobs/readme.txt", "removed/", "removed/x",
    ]  # fmt: skip
    for key in strange:
        client(endpoint).put_object(Bucket=BUCKET, Key=f"home/{key}", Body=b"")
    worker("second")
    assert _prune(f"s3://{BUCKET}/home", "--keep", "1", "--idle-hours", "0") == 0
    there = keys(endpoint)
    assert {f"home/{key}" for key in strange} <= set(there)
    left = [key.split("/")[4] for key in there if "/manifests/" in key and key.endswith("/finetune/00000001.json")]
    assert left == ["night-2"]


def test_a_run_that_a_task_takes_up_is_not_taken_from_the_bucket(
    worker: Worker, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = worker("first")
    _shared(mirror, 1, 2)
    old = mirror.root / "runs/trade_qa/night-1"
    listed = retention.shared_bytes

    def meanwhile(*given: object) -> object:
        held.enter_context(using(old))
        return listed(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(prune, "shared_bytes", meanwhile)
    with ExitStack() as held:
        before = keys(endpoint)
        assert _prune(f"s3://{BUCKET}/home", "--keep", "1", "--idle-hours", "0") == 0
    assert keys(endpoint) == before
    assert _names(mirror.root) == ["night-1", "night-2"]


def test_a_part_that_is_sent_again_meanwhile_stays(
    worker: Worker, endpoint: str, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = worker("first")
    _shared(mirror, 1)
    mirror.remove("runs/trade_qa/night-1/finetune")
    client(endpoint).delete_object(Bucket=BUCKET, Key=next(key for key in keys(endpoint) if "/removed/" in key))
    (part,) = keys(endpoint, "home/blobs/")
    find = Bucket.find

    def meanwhile(self: Bucket, prefix: str) -> list[Entry]:
        if prefix == "manifests":
            time.sleep(1.1)  # S3 tells times in seconds
            store = client(endpoint)
            store.put_object(Bucket=BUCKET, Key=part, Body=store.get_object(Bucket=BUCKET, Key=part)["Body"].read())
        return find(self, prefix)

    monkeypatch.setattr(Bucket, "find", meanwhile)
    monkeypatch.setattr(retention, "GRACE", timedelta(seconds=-1))
    assert retention.sweep(mirror.bucket, dry_run=False) == 0
    assert keys(endpoint, "home/blobs/") == [part]
    monkeypatch.setattr(Bucket, "find", find)
    assert retention.sweep(mirror.bucket, dry_run=False) == len(weights(0.1))
    assert keys(endpoint, "home/blobs/") == []


def test_a_bucket_that_is_away_has_nothing_removed(worker: Worker, proxy: FaultyProxy, endpoint: str) -> None:
    first = worker("first")
    _shared(first, 1, 2)
    proxy.spoil("GET", "list-type", "unavailable", times=99)
    before = keys(endpoint)
    assert _prune(f"s3://{BUCKET}/home", "--keep", "1", "--idle-hours", "0") == 75
    assert keys(endpoint) == before
