from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bucket_server import BUCKET, FaultyProxy, client, keys
from published import RUN, litter, publish_stage, tree, weights
from tradewind.errors import TemporaryError, UserError
from tradewind.faults import told_to_user
from tradewind.store.address import cache_limit, home_of
from tradewind.store.bucket import Bucket
from tradewind.store.manifest import Manifest, Part, StoredFile, read_manifest, sealed
from tradewind.store.mirror import Mirror
from tradewind.store.units import is_unit
from tradewind.store.upload import Upload

Worker = Callable[[str], Mirror]


def _manifest(path: str, unit: str = f"{RUN}/finetune", **more: Any) -> str:
    # Built without checks, as a hostile writer does.
    file = StoredFile.model_construct(path=path, sha256="0" * 64, bytes=0, mtime_ns=0, inline="", parts=(), **more)
    return Manifest.model_construct(
        schema_version=1, unit=unit, is_folder=True, made_at="", id="", files=(file,)
    ).model_dump_json()


@pytest.mark.parametrize(
    "path", ["/etc/cron.d/x", "../../x", "model/../../../x", "a/./b", "", "a//b", "a\\..\\b", "a\0b"]
)
def test_a_manifest_with_a_path_that_leads_out_writes_nothing(worker: Worker, endpoint: str, path: str) -> None:
    store = client(endpoint)
    store.put_object(
        Bucket=BUCKET, Key=f"home/manifests/{RUN}/finetune/00000001.json", Body=sealed(_manifest(path))
    )  # fmt: skip
    here = worker("first")
    with pytest.raises(UserError, match=r"00000001.json: files.0.path: .* is no path below a folder; nothing of it"):
        here.refresh("runs/trade_qa")
    assert not (here.root / "runs").exists()
    assert litter(here.root.parent) == []


@pytest.mark.parametrize(
    "unit",
    ["runs/trade_qa/night-1/.lock", "runs/trade_qa/../../x", "runs/../x/y", ".bucket", "models/trade_qa/champion",
     "runs/trade_qa/night-1/errors", "runs/trade_qa/.night/finetune", "models/trade_qa/versions/.new-1"],
)  # fmt: skip
def test_a_unit_that_is_none_is_not_looked_at(unit: str) -> None:
    assert not is_unit(unit)


def test_a_manifest_of_another_unit_is_refused(worker: Worker, endpoint: str) -> None:
    body = sealed(_manifest("log.jsonl", unit="runs/trade_qa/night-1/report"))
    client(endpoint).put_object(Bucket=BUCKET, Key=f"home/manifests/{RUN}/finetune/00000001.json", Body=body)
    with pytest.raises(UserError, match="is a manifest of runs/trade_qa/night-1/report"):
        worker("first").refresh("runs/trade_qa")


def test_a_manifest_that_was_changed_is_refused(worker: Worker, endpoint: str) -> None:
    body = sealed(_manifest("log.jsonl")).replace(b"log.jsonl", b"lag.jsonl")
    client(endpoint).put_object(Bucket=BUCKET, Key=f"home/manifests/{RUN}/finetune/00000001.json", Body=body)
    with pytest.raises(UserError, match=r"00000001.json: the checksum does not match"):
        worker("first").refresh("runs/trade_qa")


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "Invalid JSON"), ("[]", "should be an object"), ('{"schema_version": 0}', "schema_version"),
     ('{"schema_version": 2}', r"x.json: was written by a newer tradewind \(form 2\); update this one$"),
     (_manifest("a") [:-1] + ', "more": 1}', "more: Extra inputs")],
)  # fmt: skip
def test_a_document_that_is_no_manifest(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_manifest(text, "s3://b/x.json")


def test_a_path_that_is_a_file_and_a_folder() -> None:
    files = [{"path": path, "sha256": "0" * 64, "bytes": 0, "mtime_ns": 0} for path in ("a", "a/b")]
    with pytest.raises(ValueError, match="a file and a folder"):
        Manifest.model_validate(
            {"unit": "u", "is_folder": True, "made_at": "", "id": "", "files": files}, strict=False
        )  # fmt: skip


@pytest.mark.parametrize(
    ("stated", "words"),
    [("s3://", "no bucket's address"), ("s3:///x", "no bucket's address"), ("s3://b/../c", "no bucket's address"),
     ("s3:/b/x", "write it as s3://bucket/prefix"), ("S3:b", "write it as s3://bucket/prefix"),
     ("s3://AKIA:secret@b/x", "an address holds no key"), ("s3://b/x?key=1", "an address holds no key")],
)  # fmt: skip
def test_an_address_that_is_none(stated: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path))
    with pytest.raises(UserError, match=words) as caught:
        home_of(stated)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_two_spellings_of_one_address_have_one_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_CACHE", str(tmp_path))
    assert home_of("s3://b/x/") == home_of("s3://b//x") != home_of("s3://b/x-y")
    assert home_of(str(tmp_path / "plain")) == tmp_path / "plain"


def test_a_library_that_is_not_installed_is_named() -> None:
    with pytest.raises(UserError, match=r"its library is not installed|write it as s3://bucket/prefix"):
        Bucket("nosuch://b/x")


def test_a_name_that_no_bucket_has_is_no_passing_fault(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    here = worker("first")
    with pytest.raises(UserError, match=r"s3://No_Bucket!/home.*Invalid bucket name.*; check the address") as caught:
        Mirror(here.root, "s3://No_Bucket!/home").refresh("runs/trade_qa")
    assert not isinstance(caught.value, TemporaryError)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    with pytest.raises(
        UserError, match="Invalid endpoint: minio:9000; check the address, and AWS_ENDPOINT_URL"
    ) as caught:
        Mirror(here.root, f"s3://{BUCKET}/other").refresh("runs/trade_qa")
    assert not isinstance(caught.value, TemporaryError)


def test_a_limit_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_CACHE_GB", "plenty")
    with pytest.raises(UserError, match="TRADEWIND_CACHE_GB: 'plenty' is no size"):
        cache_limit()


def test_a_bucket_that_is_not_there(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker("first")
    other = Mirror(home_of("s3://no-such-bucket/home"), "s3://no-such-bucket/home")
    with pytest.raises(UserError, match="there is no bucket 'no-such-bucket'; create it, or correct the address"):
        other.refresh("runs/trade_qa")
    run = publish_stage(other.root / RUN, "finetune", {"model/weights.bin": weights(0.2)})
    with pytest.raises(UserError, match="there is no bucket 'no-such-bucket'"):
        other.publish_run(run.path)
    assert (run.published("finetune") / "model/weights.bin").is_file()


def test_no_credentials_and_wrong_ones(worker: Worker, proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    here = worker("first")
    proxy.spoil("GET", "list-type", "refused", times=99)
    with pytest.raises(UserError, match=r"refused: .*; check the credentials, see docs/storage.md") as caught:
        here.refresh("runs/trade_qa")
    assert not isinstance(caught.value, TemporaryError)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with pytest.raises(UserError, match="check the credentials"):
        Mirror(here.root, f"s3://{BUCKET}/another").refresh("runs/trade_qa")


def test_a_server_that_is_away(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    here = worker("first")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TemporaryError, match="nothing is lost: try again"):
        Mirror(here.root, f"s3://{BUCKET}/away").refresh("runs/trade_qa")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 700 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_local_disk_that_is_full(worker: Worker, small_disk: Path) -> None:
    first = worker("first")
    run = publish_stage(first.root / RUN, "finetune", {"model/weights.bin": weights(2), "log.jsonl": b"a"})
    first.publish_run(run.path)
    second = worker("small")
    assert second.root.parent == small_disk
    second.refresh("runs/trade_qa")
    before = tree(second.root)
    with pytest.raises(OSError, match="No space left") as caught:
        second.complete(second.root / RUN / "finetune")
    told = str(told_to_user(caught.value))
    assert told.endswith("weights.bin: the disk is full; free space, then clear the task")
    assert {name for name in tree(second.root) if ".locks" not in name} <= set(before)
    assert not (second.root / RUN / "finetune/model/weights.bin").exists()
    assert litter(second.root) == []


def test_a_disk_that_is_full_of_small_files_leaves_nothing_half(worker: Worker, small_disk: Path) -> None:
    first = worker("first")
    run = publish_stage(first.root / RUN, "finetune", {f"{number}.bin": weights(0.06, number) for number in range(16)})
    first.publish_run(run.path)
    second = worker("small")
    with pytest.raises(OSError, match="No space left") as caught:
        second.refresh("runs/trade_qa")
    assert "the disk is full; free space" in str(told_to_user(caught.value))
    assert not (second.root / RUN / "finetune").exists()
    assert litter(second.root) == []
    subprocess.run(["mount", "-o", "remount,size=9m", str(small_disk)], check=True)
    second.refresh("runs/trade_qa")
    assert tree(second.root / RUN / "finetune") == tree(run.published("finetune"))


def test_a_file_that_changes_while_it_is_sent_is_not_published(
    worker: Worker, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = worker("first")
    run = publish_stage(here.root / RUN, "finetune", {"weights.bin": weights(0.2)})
    file, send = run.published("finetune") / "weights.bin", Upload._send

    def meanwhile(self: Upload, data: bytes) -> Part:
        if data != b"more":
            with file.open("ab") as more:
                more.write(b"more")
        return send(self, data)

    monkeypatch.setattr(Upload, "_send", meanwhile)
    with pytest.raises(UserError, match=r"weights.bin: changed while it was sent to .*; clear the task"):
        here.publish_run(run.path)
    assert keys(endpoint, "home/manifests/runs/trade_qa/night-1/finetune") == []


@pytest.mark.parametrize("name", [b"a\\b", b"\xe9"])
def test_a_file_whose_name_no_bucket_keeps_is_told(worker: Worker, endpoint: str, name: bytes) -> None:
    here = worker("first")
    run = publish_stage(here.root / RUN, "finetune", {"log.jsonl": b"a"})
    Path(os.fsdecode(os.fsencode(run.published("finetune")) + b"/" + name)).touch()
    with pytest.raises(UserError, match="holds a character that no name in a bucket may; rename the file") as told:
        here.publish_run(run.path)
    str(told.value).encode()
    assert keys(endpoint) == []


def test_what_is_no_plain_file_is_not_sent(worker: Worker, endpoint: str) -> None:
    here = worker("first")
    run = publish_stage(here.root / RUN, "finetune", {"log.jsonl": b"a"})
    (run.published("finetune") / "link").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="link: not a plain file"):
        here.publish_run(run.path)
    assert keys(endpoint) == []
