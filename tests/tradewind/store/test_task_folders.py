"""What tasks of anyone's image leave: any names, any bytes, and nothing in the folder that says whose it is."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from published import RUN, tree, weights
from shared_home import Worker
from tradewind.errors import UserError
from tradewind.retention.plan import sources_of
from tradewind.store.contents import files_of
from tradewind.store.manifest import mark_of, sealed
from tradewind.store.mirror import Mirror
from tradewind.store.units import is_unit, unit_of

ANYTHING = {
    "result.json": b"no result of ours" * 6000, "version.json": b"{", ".lock": b"", ".hidden/.lock-1": b"mine",
    "model/w.bin": weights(0.3), "a name with blanks, and 한글": b"\0",
}  # fmt: skip


def _leave(mirror: Mirror, files: Mapping[str, bytes], name: str = "work", number: int = 1) -> Path:
    folder = mirror.root / RUN / "tasks" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file, data in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(data)
    said = {"job_id": "trade_qa/night", "task_id": f"{name}/{number}", "started_at": f"2026-11-23T02:0{number}:00Z"}
    mark_of(folder).write_text(json.dumps(said))
    return folder


def test_another_worker_has_just_what_was_left(worker: Worker, proxy: FaultyProxy) -> None:
    first = worker("first")
    left = _leave(first, ANYTHING)
    (left / "model/w.bin").chmod(0o750)
    (left / ".lock").chmod(0o700)
    first.publish_run(first.root / RUN)
    assert sources_of(first.root / RUN) == frozenset()
    second = worker("second")
    second.refresh("runs/trade_qa")
    folder = second.root / RUN / "tasks/work"
    assert not (folder / "result.json").exists(), "100 kB come when they are asked for"
    second.complete(folder)
    assert tree(folder) == tree(left) == ANYTHING
    assert {name for name in ANYTHING if os.access(folder / name, os.X_OK) or (folder / name).stat().st_mode & 0o100} \
        == {"model/w.bin", ".lock"}  # fmt: skip
    assert (folder / "model/w.bin").stat().st_mtime_ns == (left / "model/w.bin").stat().st_mtime_ns
    before = len(proxy.seen)
    second.publish_run(second.root / RUN)
    assert [seen for seen in proxy.seen[before:] if seen[0] == "PUT"] == []


def test_one_that_left_nothing_is_a_folder_there(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    _leave(first, {})
    first.publish_run(first.root / RUN)
    second.refresh("runs/trade_qa")
    assert list((second.root / RUN / "tasks/work").iterdir()) == []


def test_what_is_under_way_is_not_sent(worker: Worker, endpoint: str) -> None:
    first = worker("first")
    mark_of(_leave(first, ANYTHING)).unlink()
    (first.root / RUN / "tasks/.work.work").mkdir()
    first.publish_run(first.root / RUN)
    assert keys(endpoint) == []


def test_what_is_made_again_replaces_the_first(worker: Worker) -> None:
    first, second = worker("first"), worker("second")
    _leave(first, {"a": b"1", "big": weights(0.2, 1)})
    first.publish_run(first.root / RUN)
    second.refresh("runs/trade_qa")
    second.complete(second.root / RUN)
    second.withdraw(second.root / RUN / "tasks/work")
    (second.root / RUN / "tasks/work/a").unlink()
    _leave(second, {"b": b"2", "big": weights(0.2, 2)}, number=2)
    second.publish_run(second.root / RUN)
    first.refresh("runs/trade_qa")
    first.complete(first.root / RUN)
    assert tree(first.root / RUN / "tasks/work") == {"b": b"2", "big": weights(0.2, 2)}


def test_room_is_made_of_its_large_files_too(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    from tradewind.store.room import make_room

    first = worker("first")
    left = _leave(first, ANYTHING)
    (first.root / RUN / ".lock").touch()
    (first.root / RUN / ".use.lock").touch()
    first.publish_run(first.root / RUN)
    monkeypatch.setenv("TRADEWIND_CACHE_GB", "0.000001")
    make_room(first.root, first.records, 0, but="")
    assert not (left / "model/w.bin").exists()
    first.publish_run(first.root / RUN)
    first.complete(left)
    assert tree(left) == ANYTHING


@pytest.mark.parametrize("name", ["back\\slash", "no utf-8 \udcff"])
def test_a_name_that_no_manifest_can_hold(worker: Worker, endpoint: str, name: str) -> None:
    first = worker("first")
    _leave(first, {name: b""})
    with pytest.raises(UserError, match="holds a character that no name in a bucket may") as caught:
        first.publish_run(first.root / RUN)
    str(caught.value).encode()
    assert keys(endpoint) == []


def test_a_link_is_told_and_nothing_is_sent(worker: Worker, endpoint: str) -> None:
    first = worker("first")
    (_leave(first, {}) / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="passwd: not a plain file; nothing of it is sent"):
        first.publish_run(first.root / RUN)
    assert keys(endpoint) == []


def test_a_folder_that_may_not_be_read_is_not_left_out() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    with tempfile.TemporaryDirectory() as folder:  # not below pytest's, which are root's alone
        Path(folder).chmod(0o755)
        (Path(folder) / "private").mkdir(mode=0o700)
        os.seteuid(65534)
        try:
            with pytest.raises(PermissionError, match="private"):
                files_of(Path(folder), all_of_it=True)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("unit", [f"{RUN}/tasks/work", f"{RUN}/finetune"])
def test_a_manifest_without_its_mark_or_with_one_too_many_is_refused(
    worker: Worker, endpoint: str, unit: str
) -> None:  # fmt: skip
    first = worker("first")
    _leave(first, {"a": b"b"})
    first.publish_run(first.root / RUN)
    key = f"home/manifests/{RUN}/tasks/work/00000001.json"
    document = json.loads(client(endpoint).get_object(Bucket=BUCKET, Key=key)["Body"].read().split(b"\n", 1)[1])
    changed = document | {"unit": unit} | ({"mark": None} if unit.endswith("work") else {})
    body = sealed(json.dumps(changed))
    client(endpoint).put_object(Bucket=BUCKET, Key=f"home/manifests/{unit}/00000001.json", Body=body)
    with pytest.raises(UserError, match="a task's folder has a mark with its bytes, and nothing else has one"):
        worker("second").refresh(unit)


def test_the_folder_of_them_all_is_none(worker: Worker) -> None:
    root = worker("first").root
    assert not is_unit(f"{RUN}/tasks")
    assert is_unit(f"{RUN}/tasks/a.b-c_d")
    assert not is_unit(f"{RUN}/tasks/.work.work")
    assert not is_unit(f"{RUN}/tasks/a/b")
    assert unit_of(root / RUN / "tasks/work/model/w.bin", root) == f"{RUN}/tasks/work"
