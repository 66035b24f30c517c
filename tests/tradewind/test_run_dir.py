"""A run's folder: what is published is whole, and interrupted work is kept only for the same work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.recipes import read_config
from tradewind.results import StageResult
from tradewind.run_dir import RunDir, fingerprint, run_path, run_slug
from tradewind.stages import STAGES

CONFIG = RunConfig(recipe="tiny", data_dir="/documents", seed=3)


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    run_dir = RunDir(tmp_path / "run")
    run_dir.write_config(CONFIG)
    return run_dir


def _result(seed: int = 3) -> StageResult:
    return StageResult(stage="adapt", started_at="now", seconds=1, seed=seed, config={}, versions={})


def _publish(run_dir: RunDir, text: str, seed: int = 3) -> None:
    work = run_dir.open_work("adapt", "same inputs")
    (work / "model.txt").write_text(text)
    run_dir.publish("adapt", work, _result(seed))


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_configuration_is_kept_as_it_ran(run_dir: RunDir) -> None:
    assert read_config(run_dir.config_file) == CONFIG
    assert _names(run_dir.path) == ["config.json"]


def test_a_relative_path_is_made_absolute_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_dir = RunDir(Path("run"))
    monkeypatch.chdir("/")
    assert run_dir.path == tmp_path.resolve() / "run"


def test_nothing_is_published_before_the_stage_ends(run_dir: RunDir) -> None:
    (run_dir.open_work("adapt", "same inputs") / "model.txt").write_text("half")
    assert not run_dir.published("adapt").exists()
    with pytest.raises(UserError, match="run the stage 'adapt' first"):
        run_dir.result("adapt")


def test_a_published_stage_is_its_files_and_its_result_and_the_work_folder_is_gone(run_dir: RunDir) -> None:
    _publish(run_dir, "whole")
    assert _names(run_dir.published("adapt")) == ["model.txt", "result.json"]
    assert run_dir.result("adapt") == _result()
    assert _names(run_dir.path) == ["adapt", "config.json"]


def test_publishing_again_replaces_the_whole_folder(run_dir: RunDir) -> None:
    _publish(run_dir, "first")
    (run_dir.published("adapt") / "stale.txt").touch()
    _publish(run_dir, "second", seed=4)
    assert (run_dir.published("adapt") / "model.txt").read_text() == "second"
    assert _names(run_dir.published("adapt")) == ["model.txt", "result.json"]
    assert run_dir.result("adapt").seed == 4
    assert _names(run_dir.path) == ["adapt", "config.json"]


def test_a_folder_left_by_a_publishing_that_was_killed_does_not_stop_the_next(run_dir: RunDir) -> None:
    _publish(run_dir, "first")
    run_dir.published("adapt").rename(run_dir.path / ".adapt.old")  # killed between the two renames
    _publish(run_dir, "second")
    _publish(run_dir, "third")
    assert (run_dir.published("adapt") / "model.txt").read_text() == "third"
    assert _names(run_dir.path) == ["adapt", "config.json"]


def test_interrupted_work_is_kept_for_the_same_inputs_and_settings(run_dir: RunDir) -> None:
    (run_dir.open_work("adapt", "same inputs") / "checkpoint").touch()
    assert (run_dir.open_work("adapt", "same inputs") / "checkpoint").exists()


def test_interrupted_work_on_other_inputs_or_settings_is_thrown_away(run_dir: RunDir) -> None:
    (run_dir.open_work("adapt", "same inputs") / "checkpoint").touch()
    assert _names(run_dir.open_work("adapt", "other inputs")) == [".fingerprint"]


def test_old_work_is_emptied_in_place_and_what_it_links_to_is_left_alone(run_dir: RunDir, tmp_path: Path) -> None:
    """A container has the very folder mounted: another of its name would be invisible there."""
    work = run_dir.open_work("adapt", "same inputs")
    before = work.stat().st_ino
    (work / "deep/er").mkdir(parents=True)
    (work / "deep/er/checkpoint").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/kept").touch()
    (work / "folder").symlink_to(tmp_path / "elsewhere")
    (work / "file").symlink_to(tmp_path / "elsewhere/kept")
    (work / "nowhere").symlink_to(tmp_path / "absent")
    assert run_dir.open_work("adapt", "other inputs") == work == run_dir.work("adapt")
    assert _names(work) == [".fingerprint"]
    assert work.stat().st_ino == before
    assert (tmp_path / "elsewhere/kept").exists()


def test_a_work_folder_made_beforehand_is_used(run_dir: RunDir) -> None:
    run_dir.work("adapt").mkdir()
    assert _names(run_dir.open_work("adapt", "same inputs")) == [".fingerprint"]


def test_work_that_says_not_what_it_is_of_is_thrown_away(run_dir: RunDir) -> None:
    work = run_dir.open_work("adapt", "same inputs")
    (work / "checkpoint").touch()
    (work / ".fingerprint").unlink()
    assert _names(run_dir.open_work("adapt", "same inputs")) == [".fingerprint"]


def test_stages_do_not_share_their_work(run_dir: RunDir) -> None:
    assert len({run_dir.open_work(stage, "same inputs") for stage in STAGES}) == len(STAGES)


def test_a_fingerprint_tells_stage_settings_seed_and_inputs_apart() -> None:
    same = fingerprint("adapt", CONFIG, {"a": "1", "b": "2"})
    assert fingerprint("adapt", CONFIG.model_copy(), {"b": "2", "a": "1"}) == same
    others = [
        fingerprint("finetune", CONFIG, {"a": "1", "b": "2"}),
        fingerprint("adapt", CONFIG.model_copy(update={"seed": 4}), {"a": "1", "b": "2"}),
        fingerprint(
            "adapt", CONFIG.model_copy(update={"adapt": CONFIG.finetune.model_copy(update={"optim": "sgd"})}), {}
        ),
        fingerprint("adapt", CONFIG, {"a": "1", "b": "3"}),
        fingerprint("adapt", CONFIG, {"a": "1"}),
    ]
    assert len({same, *others}) == 1 + len(others)


@pytest.mark.parametrize(
    "run_id",
    ["scheduled__2026-01-01T00:00:00+00:00", "manual/../../etc", "..", ".", "한글", "a b\n", "x" * 500, "-rf"],
)
def test_any_run_id_becomes_a_safe_folder_name(run_id: str) -> None:
    slug = run_slug(run_id)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", slug)
    assert len(slug) <= 89
    assert slug == run_slug(run_id)
    path = run_path("/home", "trade_qa", run_id)
    assert path.resolve().parent == Path("/home/runs/trade_qa")
    assert not slug.startswith(".")


def test_run_ids_that_look_the_same_when_made_safe_get_different_folders() -> None:
    ids = ["a:b", "a/b", "a b", "a-b", "a::b", "x" * 90, "x" * 91]
    assert len({run_slug(run_id) for run_id in ids}) == len(ids)


@pytest.mark.parametrize(("dag_id", "run_id"), [("", "r"), ("d", "")])
def test_an_empty_id_has_no_folder(dag_id: str, run_id: str) -> None:
    with pytest.raises(UserError, match="needs a dag_id and a run_id"):
        run_path("/home", dag_id, run_id)
