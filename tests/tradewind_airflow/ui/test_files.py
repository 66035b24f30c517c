"""A run's files can be looked through and taken along; nothing outside of its folder can."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from airflow_pages import DAG_ID, RUN_ID
from finished_run import HOSTILE, finished_run
from tradewind.run_dir import RunDir

LIST, DOWNLOAD = "/tradewind/api/files", "/tradewind/api/files/download"
SECRET = "nothing of this may be seen"


@pytest.fixture
def listed(get: Any) -> Any:
    def ask(path: str = "", **more: Any) -> Any:
        return get(LIST, dag_id=DAG_ID, run_id=RUN_ID, path=path, **more)

    return ask


@pytest.fixture
def downloaded(get: Any) -> Any:
    def ask(path: str, **more: Any) -> Any:
        return get(DOWNLOAD, dag_id=DAG_ID, run_id=RUN_ID, path=path, **more)

    return ask


def _names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [entry["name"] for entry in answer.json()["entries"]]


def test_a_folder_shows_folders_first_with_sizes_and_times(run: RunDir, listed: Any) -> None:
    body = listed().json()
    assert [(entry["name"], entry["kind"]) for entry in body["entries"]] == [
        ("evaluate", "folder"), ("finetune", "folder"), ("prepare", "folder"), ("report", "folder"),
        ("config.json", "file"),
    ]  # fmt: skip
    assert body["entries"][-1]["bytes"] == run.config_file.stat().st_size
    assert body["entries"][-1]["modified"].endswith("+00:00")
    assert (body["path"], body["truncated"]) == ("", False)


def test_a_folder_in_a_folder(run: RunDir, listed: Any) -> None:
    for path in ("finetune/model", "finetune/model/", "finetune//model"):
        assert _names(listed(path)) == ["extra", "config.json", "model.safetensors"]
    assert listed("finetune/model").json()["path"] == "finetune/model"


def test_work_folders_locks_and_odd_things_are_not_shown(run: RunDir, listed: Any, downloaded: Any) -> None:
    run.work("finetune").mkdir()
    (run.work("finetune") / "progress.json").write_text(SECRET)
    for name in (".lock", ".training.lock", ".prepare.config.json"):
        (run.path / name).write_text(SECRET)
    os.mkfifo(run.path / "fifo")
    (run.path / "into_work").symlink_to(run.work("finetune"))
    (run.path / os.fsdecode(b"no\xfftext")).write_text(SECRET)
    assert _names(listed()) == ["evaluate", "finetune", "prepare", "report", "config.json"]
    for path in (".lock", ".finetune.work", ".finetune.work/progress.json", "into_work/progress.json", "fifo"):
        for answer in (listed(path), downloaded(path)):
            assert answer.status_code == 404
            assert SECRET not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt", "prepare/../../secret.txt", "..", ".", "/etc/passwd", "//etc/passwd", "%2e%2e/secret.txt",
        "..%2fsecret.txt", "..\\secret.txt", "prepare/..;/secret.txt", "report.html\0.txt", "\0", "x" * 300,
        "x/" * 3000, "link_out", "link_to_folder/secret.txt", "link_up/secret.txt", "dangling", "loop/loop",
        "~/secret.txt", "prepare/train.jsonl/..", "prepare/train.jsonl/more", "does-not-exist", "．．/secret.txt",
    ],
)  # fmt: skip
def test_nothing_outside_of_the_run_is_reached(run: RunDir, listed: Any, downloaded: Any, path: str) -> None:
    outside = run.path.parent / "secret.txt"
    outside.write_text(SECRET)
    (run.path / "link_out").symlink_to(outside)
    (run.path / "link_to_folder").symlink_to(run.path.parent)
    (run.path / "link_up").symlink_to("..")
    (run.path / "dangling").symlink_to("nowhere")
    (run.path / "loop").symlink_to("loop")
    for answer in (listed(path), downloaded(path)):
        assert answer.status_code == 404
        assert SECRET not in answer.text
    assert _names(listed()) == ["evaluate", "finetune", "prepare", "report", "config.json"]


def test_a_path_may_not_be_hidden_in_the_address(client: Any, run: RunDir) -> None:
    """Encoded twice, or twice in the query: what the server decodes once is what is checked."""
    from airflow_pages import login

    (run.path.parent / "secret.txt").write_text(SECRET)
    place = f"{DOWNLOAD}?dag_id={DAG_ID}&run_id={RUN_ID.replace('+', '%2B')}"
    for query in ("path=%2e%2e%2fsecret.txt", "path=%252e%252e%252fsecret.txt", "path=config.json&path=../secret.txt"):
        answer = client.get(f"{place}&{query}", headers=login("admin"))
        assert answer.status_code == 404
        assert SECRET not in answer.text


@pytest.mark.parametrize("path", ["", "/", "prepare", "prepare/", "pipe"])
def test_what_is_no_file_is_no_download(run: RunDir, downloaded: Any, path: str) -> None:
    (run.path / "prepare").mkdir(exist_ok=True)
    os.mkfifo(run.path / "pipe")
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert downloaded(path).status_code == 404
    assert len(list(Path("/proc/self/fd").iterdir())) <= before  # nothing is left open


def test_a_link_within_the_run_is_what_it_leads_to(run: RunDir, listed: Any, downloaded: Any) -> None:
    (run.path / "newest").symlink_to("finetune/model")
    assert "newest" in _names(listed())
    assert downloaded("newest/model.safetensors").content == b"weights"


def test_another_run_of_the_same_pipeline_is_out_of_reach(run: RunDir, listed: Any) -> None:
    other = finished_run(run.path.parent / "other")
    assert listed(f"../{other.path.name}").status_code == 404


def test_a_run_that_is_none_of_ours_is_404_in_one_line(home: Any, get: Any) -> None:
    answer = get(LIST, dag_id="foreign", run_id=RUN_ID)
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("no run of Tradewind")


def test_a_run_id_whose_plus_came_unencoded_is_found(client: Any, run: RunDir) -> None:
    from airflow_pages import login

    answer = client.get(f"{LIST}?dag_id={DAG_ID}&run_id={RUN_ID}", headers=login("admin"))
    assert "config.json" in _names(answer)


def test_a_download_is_a_file_to_keep_and_never_a_page(run: RunDir, downloaded: Any) -> None:
    (run.path / "report" / "evil.html").write_text(HOSTILE)
    answer = downloaded("report/evil.html")
    assert answer.text == HOSTILE
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="evil.html"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_download_tells_its_size_and_goes_on_where_it_ended(run: RunDir, downloaded: Any) -> None:
    """As a browser asks, which takes packed answers: their size would not be told."""
    content = os.urandom(1_500_000)
    (run.path / "finetune" / "model" / "model.safetensors").write_bytes(content)
    path, headers = "finetune/model/model.safetensors", {"Accept-Encoding": "gzip, br"}
    whole = downloaded(path, headers=headers)
    assert whole.content == content
    assert whole.headers["content-length"] == str(len(content))
    assert whole.headers["content-type"] == "application/octet-stream"
    part = downloaded(path, headers=headers | {"Range": "bytes=1000000-"})
    assert (part.status_code, part.content) == (206, content[1_000_000:])
    assert part.headers["content-range"] == f"bytes 1000000-{len(content) - 1}/{len(content)}"
    assert downloaded(path, headers={"Range": "bytes=9999999-"}).status_code == 416


@pytest.mark.parametrize("grows", [1, 1_000_000])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1000-"}])
def test_a_file_that_grows_comes_as_long_as_it_was_told_to_be(
    client: Any, tmp_path: Path, grows: int, headers: dict[str, str]
) -> None:
    """Else the server breaks off: a log of a training that goes on could not be taken along."""
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from tradewind_airflow.ui.inside import OpenedFile, open_inside

    app, log = FastAPI(), tmp_path / "log.jsonl"
    log.write_bytes(b"x" * 100_000)

    @app.get("/")
    def download() -> OpenedFile:
        opened = open_inside(tmp_path, "log.jsonl")
        assert opened
        answer = OpenedFile(opened)
        with log.open("ab") as file:
            file.write(b"y" * grows)
        return answer

    answer = TestClient(app).get("/", headers=headers)
    left = 99_000 if headers else 100_000
    assert (answer.content, answer.headers["content-length"]) == (b"x" * left, str(left))


@contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """`work` over and over in another thread, as long as the context lasts."""
    ended = threading.Event()

    def on_and_on() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=on_and_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_file_that_becomes_a_link_while_it_is_looked_at_leads_nowhere(run: RunDir, downloaded: Any) -> None:
    outside, name, beside = run.path.parent / "secret.txt", run.path / "file.txt", run.path / "beside"
    outside.write_text(SECRET)
    name.write_text("inside")

    def swap() -> None:
        beside.symlink_to(outside)
        beside.replace(name)
        beside.write_text("inside")
        beside.replace(name)

    with _meanwhile(swap):
        answers = [downloaded("file.txt") for _ in range(400)]
    assert {answer.status_code for answer in answers} <= {200, 404}
    assert any(answer.text == "inside" for answer in answers)
    assert not [answer for answer in answers if SECRET in answer.text]


@pytest.mark.parametrize(
    "name", ["보고서 1.txt", 'quote".txt', "semi;colon.txt", "line\nbreak.txt", "-rf.txt", "%41.txt"]
)
def test_a_files_name_comes_as_it_is_and_breaks_no_header(run: RunDir, listed: Any, downloaded: Any, name: str) -> None:
    from urllib.parse import unquote

    (run.path / "prepare" / name).write_text("text")
    assert name in _names(listed("prepare"))
    told = downloaded(f"prepare/{name}").headers["content-disposition"]
    assert told.isascii()
    assert "\n" not in told
    assert name in (unquote(told.partition("''")[2]), told.partition('"')[2].rpartition('"')[0])


def test_what_may_not_be_read_is_said(run: RunDir, listed: Any, downloaded: Any) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (run.path / "config.json").chmod(0)
    (run.path / "prepare").chmod(0)
    for answer in (downloaded("config.json"), listed("prepare")):
        assert answer.status_code == 404
        assert "may not be read" in answer.json()["detail"]
    (run.path / "prepare").chmod(0o755)


def test_a_folder_of_very_many_files_is_cut_and_says_so(run: RunDir, listed: Any) -> None:
    folder = run.path / "many"
    folder.mkdir()
    for at in range(2001):
        (folder / f"{at:05}").touch()
    body = listed("many").json()
    assert (len(body["entries"]), body["truncated"]) == (2000, True)
