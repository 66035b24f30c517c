from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from published import RUN, litter, publish_stage, tree, weights
from tradewind.errors import TemporaryError, UserError
from tradewind.files import write_atomically
from tradewind.run_dir import run_path
from tradewind.store import upload
from tradewind.store.mirror import Mirror

Worker = Callable[[str], Mirror]

_MODEL = {"model/weights.bin": weights(1.5), "model/config.json": b"{}", "log.jsonl": b"a line\n"}


def _published(mirror: Mirror, files: dict[str, bytes] = _MODEL, task_id: str = "finetune/1") -> Path:
    run = publish_stage(mirror.root / RUN, "finetune", files, task_id=task_id).path
    write_atomically(run / "run.json", "{}")
    mirror.publish_run(run)
    return run


def test_another_worker_has_what_was_published(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    run = _published(first)
    second = worker("second")
    second.refresh("runs/trade_qa")
    folder = second.root / RUN / "finetune"
    assert (folder / "result.json").read_bytes() == (run / "finetune" / "result.json").read_bytes()
    assert not (folder / "model/weights.bin").exists(), "a model comes when it is asked for"
    assert [file.path for file in second.absent_files(folder)] == ["model/weights.bin"]
    second.complete(folder)
    assert tree(folder) == tree(run / "finetune")
    assert (folder / "result.json").stat().st_mtime_ns == (run / "finetune" / "result.json").stat().st_mtime_ns
    assert (second.root / RUN / "run.json").read_text() == "{}"
    before = len(proxy.seen)
    second.complete(folder)
    second.refresh("runs/trade_qa")
    assert [path for _, path, _ in proxy.seen[before:] if "blobs" in path or ".json" in path] == []


@pytest.mark.parametrize("dag_id", ["무역_qa", "q" * 200, "_x.y-z"], ids=["korean", "long", "signs"])
def test_a_dag_of_any_name_is_shared(worker: Worker, dag_id: str) -> None:
    first, run = worker("first"), run_path("", dag_id, f"manual__2026-11-22T00:00:00+00:00 {'r' * 100}")
    made = publish_stage(first.root / run, "finetune", {"뜻/empty": b"", "weights.bin": weights(0.1)})
    first.publish_run(made.path)
    second = worker("second")
    second.refresh(f"runs/{dag_id}")
    second.complete(second.root / run / "finetune")
    assert tree(second.root / run / "finetune") == tree(made.published("finetune"))


def test_only_what_is_asked_for_is_fetched(worker: Worker) -> None:
    files = {**_MODEL, "predictions.jsonl": weights(0.3, 1)}
    _published(worker("first"), files)
    second = worker("second")
    second.refresh("runs/trade_qa")
    folder = second.root / RUN / "finetune"
    second.complete(folder, without=("model",))
    assert [file.path for file in second.absent_files(folder)] == ["model/weights.bin"]
    second.complete(folder / "model" / "weights.bin")
    assert second.absent_files(folder) == []


def test_a_stage_that_is_made_again_replaces_the_first(worker: Worker, endpoint: str) -> None:
    first, second = worker("first"), worker("second")
    _published(first)
    second.refresh("runs/trade_qa")
    second.complete(second.root / RUN / "finetune")
    again = {**_MODEL, "log.jsonl": b"another line\n", "model/more.bin": weights(0.2, 2)}
    _published(first, again, task_id="finetune/2")
    second.refresh("runs/trade_qa")
    folder = second.root / RUN / "finetune"
    assert (folder / "log.jsonl").read_bytes() == b"another line\n"
    assert (folder / "model/weights.bin").read_bytes() == _MODEL["model/weights.bin"], "it was here already"
    assert [file.path for file in second.absent_files(folder)] == ["model/more.bin"]
    assert len(keys(endpoint, f"home/manifests/{RUN}/finetune/")) == 1


def test_what_is_not_in_the_bucket_yet_is_left_alone(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    _published(first)
    own = publish_stage(second.root / RUN, "finetune", {"log.jsonl": b"mine"}, task_id="finetune/2")
    second.refresh("runs/trade_qa")
    assert (own.published("finetune") / "log.jsonl").read_bytes() == b"mine"


def test_what_is_withdrawn_goes_from_the_bucket(worker: Worker, endpoint: str) -> None:
    first, second = worker("first"), worker("second")
    run = publish_stage(first.root / RUN, "finetune", _MODEL)
    first.publish_run(run.path)
    run.withdraw("finetune")
    first.publish_run(run.path)
    assert keys(endpoint, "home/manifests") == []
    second.refresh("runs/trade_qa")
    assert not (second.root / RUN).exists()


def test_a_folder_that_somebody_deleted_here_comes_back(worker: Worker, endpoint: str) -> None:
    first = worker("first")
    run = _published(first)
    shutil.rmtree(run)
    first.publish_run(run)
    first.refresh("runs/trade_qa")
    first.complete(run)
    assert (run / "finetune/model/weights.bin").read_bytes() == _MODEL["model/weights.bin"]


def test_equal_files_are_sent_once(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    run = _published(first)
    sent = proxy.count("PUT", "/blobs/")
    other = publish_stage(run.with_name("night-2"), "finetune", _MODEL, status="cached", source_run=run.name)
    first.publish_run(other.path)
    assert proxy.count("PUT", "/blobs/") == sent == 1


def test_an_upload_that_was_cut_off_goes_on(
    worker: Worker, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PART_BYTES", 2**18)
    first = worker("first")
    run = publish_stage(first.root / RUN, "finetune", {"model/weights.bin": weights(4)})
    proxy.spoil("PUT", "/blobs/", "refused", times=1000)
    _let_through(proxy, 9)
    with pytest.raises(UserError, match="check the credentials"):
        first.publish_run(run.path)
    sent = proxy.count("PUT", "/blobs/")
    assert 0 < sent < 16
    assert proxy.count("PUT", "/manifests/") == 0, "nobody sees a half of it"
    proxy.faults.clear()
    first.publish_run(run.path)
    assert proxy.count("PUT", "/blobs/") == 16, "what was there was not sent again"
    second = worker("second")
    second.refresh("runs/trade_qa")
    second.complete(second.root / RUN)
    assert (second.root / RUN / "finetune/model/weights.bin").read_bytes() == weights(4)


def _let_through(proxy: FaultyProxy, number: int) -> None:
    """Keep the faults off the first parts."""
    due = proxy.due
    passed = threading.Semaphore(number)

    def counted(method: str, path: str) -> str | None:
        is_early = method == "PUT" and "/blobs/" in path and passed.acquire(blocking=False)
        return None if is_early else due(method, path)

    proxy.due = counted  # type: ignore[method-assign]


@pytest.mark.parametrize("how", ["busy", "unavailable", "reset"])
def test_a_server_that_is_busy_is_asked_again(worker: Worker, proxy: FaultyProxy, how: str) -> None:
    first = worker("first")
    for method, part in (("PUT", "/blobs/"), ("PUT", "/manifests/"), ("GET", "list-type")):
        proxy.spoil(method, part, how, times=2)
    _published(first)
    second = worker("second")
    for part in ("/blobs/", "/manifests/"):
        proxy.spoil("GET", part, how, times=2)
    second.refresh("runs/trade_qa")
    second.complete(second.root / RUN)
    assert all(fault.times == 0 for fault in proxy.faults)
    assert tree(second.root / RUN) == tree(first.root / RUN)


@pytest.mark.parametrize("how", ["cut", "short", "changed"])
def test_bytes_that_are_missing_or_others_are_asked_for_again(worker: Worker, proxy: FaultyProxy, how: str) -> None:
    _published(worker("first"))
    second = worker("second")
    proxy.spoil("GET", "/blobs/", how)
    proxy.spoil("GET", "/manifests/", how)
    second.refresh("runs/trade_qa")
    second.complete(second.root / RUN)
    assert (second.root / RUN / "finetune/model/weights.bin").read_bytes() == _MODEL["model/weights.bin"]


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [("short", TemporaryError, "bytes came"), ("changed", UserError, "checksum does not match"),
     ("refused", UserError, "check the credentials"), ("busy", TemporaryError, "nothing is lost")],
)  # fmt: skip
def test_what_stays_spoilt_is_told_and_not_used(
    worker: Worker, proxy: FaultyProxy, how: str, kind: type[UserError], words: str
) -> None:
    _published(worker("first"))
    second = worker("second")
    second.refresh("runs/trade_qa")
    proxy.spoil("GET", "/blobs/", how, times=1000)
    with pytest.raises(kind, match=words) as caught:
        second.complete(second.root / RUN)
    assert type(caught.value) is kind
    assert "testing" not in str(caught.value), "no secret"
    assert "\n" not in str(caught.value)
    assert not (second.root / RUN / "finetune/model/weights.bin").exists()
    assert litter(second.root) == []
    proxy.faults.clear()
    second.complete(second.root / RUN)


def test_a_part_that_was_changed_in_the_bucket_is_not_used(worker: Worker, endpoint: str) -> None:
    _published(worker("first"))
    (key,) = keys(endpoint, "home/blobs/")
    client(endpoint).put_object(Bucket=BUCKET, Key=key, Body=weights(1.5, seed=9))
    second = worker("second")
    second.refresh("runs/trade_qa")
    with pytest.raises(UserError, match=f"{key}: the checksum does not match, so model/weights.bin is not used"):
        second.complete(second.root / RUN)
    client(endpoint).delete_object(Bucket=BUCKET, Key=key)
    with pytest.raises(UserError, match=r"is gone, a part of model/weights.bin"):
        second.complete(second.root / RUN)


def test_two_that_publish_one_stage_at_once_do_not_mix(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = worker("first"), worker("second")
    run = publish_stage(first.root / RUN, "finetune", _MODEL)
    other = publish_stage(second.root / RUN, "finetune", {"log.jsonl": b"mine"}, task_id="finetune/2")
    create = type(second.bucket).create

    def late(self: object, key: str, data: bytes) -> None:
        monkeypatch.undo()
        second.publish_run(other.path)  # between the first's look and its manifest
        create(self, key, data)  # type: ignore[arg-type]

    monkeypatch.setattr(type(first.bucket), "create", late)
    with pytest.raises(TemporaryError, match="another worker published it at this moment"):
        first.publish_run(run.path)
    third = worker("third")
    third.refresh("runs/trade_qa")
    assert (third.root / RUN / "finetune/log.jsonl").read_bytes() == b"mine"
    assert third.absent_files(third.root / RUN / "finetune") == []
