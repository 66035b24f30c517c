"""An earlier result is taken if nothing that decides it has changed, and only then."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finished_run import finished_run
from quick_run import ORDER, QuickRun, spoil
from tradewind.errors import UserError
from tradewind.recipes import read_config
from tradewind.registry.register import register
from tradewind.registry.store import Registry
from tradewind.registry.version import CHAMPION_INPUT
from tradewind.reuse.cached import remember, reuse
from tradewind.reuse.index import results_folder
from tradewind.reuse.placed import place, placing
from tradewind.run_dir import RunDir
from tradewind.stages import STAGES, Stage

Nights = Callable[..., QuickRun]
ALL_MADE = dict.fromkeys(ORDER, "made")
ALL_CACHED = dict.fromkeys(ORDER, "cached")


def test_a_night_with_nothing_new_takes_every_result_of_the_first(night: Nights) -> None:
    first, second, third = night(), night(), night()
    assert first.run() == ALL_MADE
    assert second.run() == ALL_CACHED
    assert third.run() == ALL_CACHED
    for run in (second, third):
        assert run.consistent()
        for stage in ORDER:
            result, made = run.result(stage), first.result(stage)
            assert (result.status, result.source_run, result.gpu_seconds) == ("cached", first.dir.path.name, 0.0)
            assert (result.job_id, result.task_id) == (run.job_id, f"{stage}/1")
            assert (result.outputs, result.metrics, result.versions) == (made.outputs, made.metrics, made.versions)
    assert not [path for path in second.dir.path.iterdir() if path.name.startswith(".") and path.is_dir()]


def test_what_is_placed_takes_no_room_and_leaves_the_source_as_it_was(night: Nights) -> None:
    first, second = night(), night()
    first.run()
    before = first.dir.result_file("finetune").read_bytes()
    second.run()
    model = "finetune/model/model.safetensors"
    assert (first.dir.path / model).samefile(second.dir.path / model)
    assert first.dir.result_file("finetune").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "made"),
    [
        ({"seed": 7}, set(ORDER)),
        ({"finetune__learning_rate": 1e-3}, {"finetune", "evaluate", "report"}),
        ({"adapt__num_train_epochs": 1}, {"adapt", "finetune", "evaluate", "report"}),
        ({"evaluate__max_new_tokens": 9}, {"baseline", "evaluate", "report"}),
        ({"evaluate__bootstrap_resamples": 500}, {"evaluate", "report"}),
        ({"split__min_items": 4}, set(ORDER)),
        ({"data__max_records": 5}, set(ORDER)),
        ({"gate__approval": True}, {"report"}),
        ({"model__dtype": "bfloat16"}, set(ORDER) - {"prepare"}),
    ],
)
def test_a_changed_setting_has_those_stages_made_that_it_decides_and_those_after(
    night: Nights, changed: dict[str, Any], made: set[Stage]
) -> None:
    night().run()
    ended = night(**changed).run()
    assert {stage for stage, how in ended.items() if how == "made"} == made


@pytest.mark.parametrize(
    "change",
    [
        lambda data: (data / "term_data/a.json").write_text('[{"term": "CIF", "description": "Cost and freight."}]'),
        lambda data: (data / "term_data/b.json").write_text("[]"),
        lambda data: (data / "exam_data/e.json").unlink(),
        lambda data: (data / "transcript_data/l.txt").rename(data / "transcript_data/m.txt"),
        lambda data: (data / "term_data/notes.odt").write_text("in no known format, and told as such"),
    ],
)
def test_changed_documents_are_read_anew(night: Nights, documents: Path, change: Callable[[Path], object]) -> None:
    night().run()
    change(documents)
    assert night().run()["prepare"] == "made"


def test_documents_that_moved_or_were_touched_are_the_same(night: Nights, documents: Path, tmp_path: Path) -> None:
    night().run()
    os.utime(documents / "term_data/a.json")
    (documents / "README.txt").write_text("read by nobody")
    assert night().task("prepare") == "cached"
    other = tmp_path / "elsewhere" / "documents"
    shutil.copytree(documents, other)
    moved = night(data=other)
    # The report is drawn anew: it says where they lie.
    assert moved.run() == ALL_CACHED | {"report": "made"}
    assert moved.consistent()


def test_other_code_makes_everything_anew(night: Nights) -> None:
    night().run()
    assert night().task("prepare", code="other") == "made"


def test_force_makes_everything_anew_and_what_it_made_is_found_next(night: Nights) -> None:
    night().run()
    forced, third = night(luck="another"), night()
    assert forced.run(force=True) == ALL_MADE
    assert third.run() == ALL_CACHED
    assert {third.result(stage).source_run for stage in ORDER} == {forced.dir.path.name}


def test_a_local_base_model_counts_by_what_is_in_it(night: Nights, tmp_path: Path) -> None:
    for name in ("one", "moved"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "model.safetensors").write_text("weights")
        _age(tmp_path / name)
    assert night(model__model_name_or_path=str(tmp_path / "one")).run() == ALL_MADE
    ended = night(model__model_name_or_path=str(tmp_path / "moved")).run()
    assert ended == ALL_CACHED | {"report": "made"}  # which names it
    (tmp_path / "moved" / "model.safetensors").write_text("trained further")
    ended = night(model__model_name_or_path=str(tmp_path / "moved")).run()
    assert (ended["prepare"], ended["baseline"], ended["adapt"]) == ("cached", "made", "made")


def _age(folder: Path) -> None:
    """The quick stages say that they began long ago; a real one begins after its model was written."""
    for path in folder.iterdir():
        os.utime(path, (0, 0))


def test_a_model_that_is_written_to_while_a_stage_reads_it_is_not_kept(night: Nights, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    settings = {"model__model_name_or_path": str(folder)}
    first = night(**settings)
    first.task("prepare")
    first.make("baseline", "baseline/1")
    spoil(first, "baseline", started_at="2026-01-01T00:00:00+00:00")
    remember("baseline", first.dir, code="code")
    assert not list(results_folder(first.dir).glob("baseline/*"))
    spoil(first, "baseline", started_at="2999-01-01T00:00:00+00:00")
    remember("baseline", first.dir, code="code")
    assert len(list(results_folder(first.dir).glob("baseline/*"))) == 1


def test_what_was_read_while_the_documents_changed_is_not_kept(night: Nights) -> None:
    first = night()
    first.make("prepare", "prepare/1")
    spoil(first, "prepare", inputs={})
    remember("prepare", first.dir, code="code")
    assert night().task("prepare") == "made"


def test_scores_that_lack_verdicts_which_a_server_may_give_later_are_not_kept(night: Nights) -> None:
    first = night()
    first.run("prepare", "baseline", "adapt", "finetune")
    first.make("evaluate", "evaluate/1")
    spoil(first, "evaluate", metrics={"left_to_ask": 2})
    remember("evaluate", first.dir, code="code")
    assert night().run()["evaluate"] == "made"


def test_a_stage_that_the_recipe_turned_off_is_not_cached(night: Nights) -> None:
    for _ in range(2):
        run = night(adapt__enabled=False)
        assert run.run()["adapt"] == "made"  # its process is what says that it is off
        assert run.result("adapt").is_left_out
        assert run.consistent()


def test_a_cleared_task_runs_and_what_follows_sees_the_new_result(night: Nights) -> None:
    run = night(luck="first")
    run.run()
    run.luck = "second"
    old = run.result("finetune").outputs["model"]
    assert run.run("finetune", "evaluate", "report") == dict.fromkeys(("finetune", "evaluate", "report"), "made")
    assert run.result("finetune").outputs["model"] != old
    assert run.consistent()


def test_a_cleared_task_runs_also_where_its_result_was_an_earlier_run_s(night: Nights) -> None:
    night().run()
    run = night(luck="retrained")
    assert run.run() == ALL_CACHED
    assert run.run("finetune", "evaluate", "report") == dict.fromkeys(("finetune", "evaluate", "report"), "made")
    assert run.result("finetune").source_run is None
    assert run.consistent()
    assert night().run()["finetune"] == "cached"


def test_after_a_cleared_prepare_nothing_is_mixed(night: Nights, documents: Path) -> None:
    run = night()
    run.run()
    (documents / "term_data/a.json").write_text('[{"term": "CIF", "description": "Cost and freight."}]')
    assert run.run() == ALL_MADE
    assert run.consistent()


def test_a_try_that_failed_before_it_published_is_no_clear(night: Nights) -> None:
    night().run()
    run = night()
    run.run("prepare")
    run.tries["baseline"] = 1  # it ended without a result
    assert run.task("baseline") == "cached"


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: (run / "finetune/result.json").write_text("{"),
        lambda run: (run / "finetune/result.json").unlink(),
        lambda run: (run / "finetune/model/model.safetensors").unlink(),
        lambda run: (run / "finetune/model/model.safetensors").write_text("cut"),
        lambda run: (run / "finetune/model/link").symlink_to("/etc/passwd"),
        lambda run: shutil.rmtree(run / "finetune/model"),
        shutil.rmtree,
    ],
)
def test_a_damaged_result_is_made_anew(night: Nights, damage: Callable[[Path], object]) -> None:
    first, second = night(), night()
    first.run()
    damage(first.dir.path)
    second.run("prepare", "adapt")
    assert second.task("finetune") == "made"
    second.run("evaluate", "report")
    assert second.consistent()
    assert not list(second.dir.path.glob(".*placing-*"))


def test_a_damaged_index_is_no_index(night: Nights, caplog: pytest.LogCaptureFixture) -> None:
    first = night()
    first.run()
    for entry in results_folder(first.dir).glob("*/*.json"):
        entry.write_text("{")
    (results_folder(first.dir) / "files.sqlite3").write_text("no database")
    assert night().run() == ALL_MADE
    assert "is damaged" in caplog.text


def test_the_newest_run_that_has_a_result_is_enough(night: Nights) -> None:
    """Old runs are deleted; what they made lives on in the runs that took it."""
    first, second = night(), night()
    first.run()
    second.run()
    shutil.rmtree(first.dir.path)
    third = night()
    assert third.run() == ALL_CACHED
    assert third.result("finetune").source_run == first.dir.path.name
    assert third.consistent()


def test_a_result_that_was_replaced_since_it_was_entered_is_not_taken_for_it(night: Nights) -> None:
    first = night()
    first.run()
    first.luck = "not remembered"
    first.make("finetune", "finetune/2")
    assert night().run()["finetune"] == "made"


def test_leftovers_of_a_killed_placing_are_swept(night: Nights) -> None:
    night().run()
    run = night()
    half = run.dir.path / ".prepare.placing-killed"
    (half / "dataset").mkdir(parents=True)
    assert run.task("prepare") == "cached"
    assert not half.exists()


def test_tasks_that_place_the_same_folder_leave_one_whole_folder(night: Nights) -> None:
    night().run()
    run = night()
    ended: list[Any] = []

    def place(task: str) -> None:
        found = reuse("prepare", run.config, run.dir, code="code", task=task, job_id=run.job_id, task_id=f"{task}/1")
        ended.append(found and found.status)

    threads = [threading.Thread(target=place, args=(f"task-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == ["cached"] * 6
    assert run.consistent()
    assert not [path.name for path in run.dir.path.iterdir() if path.name.startswith(".prepare")]


def test_a_run_that_is_deleted_meanwhile_is_a_miss(night: Nights) -> None:
    first = night()
    first.run()
    stop = threading.Event()
    away = first.dir.path.with_name(".away")

    def come_and_go() -> None:
        while not stop.is_set():
            first.dir.path.rename(away)
            away.rename(first.dir.path)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        runs = [night() for _ in range(30)]
        ended = [run.task("prepare") for run in runs]
    finally:
        stop.set()
        thread.join()
    assert set(ended) <= {"made", "cached"}
    assert all(run.consistent() for run in runs)


def _take(run: RunDir, config: Any, models: Path | None, *stages: Stage) -> dict[str, Any]:
    return {
        stage: reuse(
            stage, config, run, code="code", task=stage, job_id=f"dag/{run.path.name}", task_id=f"{stage}/1",
            models=models,
        )
        for stage in stages
    }  # fmt: skip


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "home/models/dag")


def _remembered(run: RunDir) -> RunDir:
    for stage in STAGES:
        if run.result_file(stage).is_file():
            remember(stage, run, code="code")
    return run


_STAGES: tuple[Stage, ...] = ("prepare", "finetune", "evaluate", "report")


def test_the_evaluation_by_which_a_model_became_champion_does_for_it(tmp_path: Path, registry: Registry) -> None:
    """The champion of the second night is the tuned model itself, which is no opponent."""
    runs = tmp_path / "home/runs/dag"
    old = register(registry, finished_run(runs / "old", weights="old"), who="test")
    first = _remembered(finished_run(runs / "first", champion=old.version))
    assert register(registry, first, who="test").champion
    config = read_config(first.config_file)
    found = _take(RunDir(runs / "second"), config, registry.path, *_STAGES)
    assert [result and result.source_run for result in found.values()] == ["first"] * 4
    assert found["evaluate"].inputs[CHAMPION_INPUT].sha256 == old.version.record.model_sha256


def test_an_evaluation_against_another_champion_does_not_do(tmp_path: Path, registry: Registry) -> None:
    runs = tmp_path / "home/runs/dag"
    first = _remembered(finished_run(runs / "first"))
    register(registry, finished_run(runs / "other", weights="other"), who="test")
    found = _take(RunDir(runs / "second"), read_config(first.config_file), registry.path, *_STAGES[:3])
    assert [result and result.status for result in found.values()] == ["cached", "cached", None]


def test_an_evaluation_against_the_champion_that_still_is_does(tmp_path: Path, registry: Registry) -> None:
    runs = tmp_path / "home/runs/dag"
    champion = register(registry, finished_run(runs / "champion", weights="best"), who="test").version
    worse = _remembered(finished_run(runs / "worse", champion=champion, gain=-0.3))
    assert not register(registry, worse, who="test").champion
    found = _take(RunDir(runs / "next"), read_config(worse.config_file), registry.path, *_STAGES)
    assert {result and result.source_run for result in found.values()} == {"worse"}


def test_champions_files_are_not_read_to_look_a_result_up(tmp_path: Path, registry: Registry) -> None:
    runs = tmp_path / "home/runs/dag"
    first = _remembered(finished_run(runs / "first"))
    version = register(registry, first, who="test").version
    (version.model / "model.safetensors").unlink()
    (version.model / "model.safetensors").write_text("damaged")
    found = _take(RunDir(runs / "second"), read_config(first.config_file), registry.path, *_STAGES)
    assert None not in found.values()


def test_an_index_names_runs_by_their_folders_alone(night: Nights) -> None:
    """So that the home can be moved, and is the same in a container."""
    first = night()
    first.run()
    for path in results_folder(first.dir).glob("*/*.json"):
        entry = json.loads(path.read_text())
        assert (entry["run"], "/" in entry["folder"]) == ("night-1", False)


def _swept(run: QuickRun, *others: str, status: str = "success", failed: str = "") -> None:
    """Have the run's `finetune` be what a sweep chose, of these settings beside its own."""
    rows = [{"trial": "1", "settings": "the best", "status": status, "validation_loss": 1.0, "seconds": len(status)}]
    rows += [
        {"trial": "2", "settings": other, "status": status, "validation_loss": 2.0, "seconds": 9.0} for other in others
    ]
    spoil(run, "finetune", metrics={"trials": rows, "validation_pairs": 8}, warnings=(failed,) if failed else ())


def test_a_report_that_tells_of_other_trials_is_drawn_anew(night: Nights) -> None:
    """Of two sweeps with one best setting the second report must not name what only the first one tried."""
    first = night()
    first.run("prepare", "baseline", "adapt", "finetune")
    _swept(first, "a setting", "another")
    first.run("evaluate", "report")

    def report_of_a_sweep(*others: str, **how: str) -> str:
        run = night()
        run.run("prepare", "baseline", "adapt", "finetune")
        _swept(run, *others, **how)
        assert run.task("evaluate") == "cached"
        return run.task("report")

    assert report_of_a_sweep("a setting", "a third") == "made"
    assert report_of_a_sweep("a setting", "another", failed="trial 3 failed") == "made"
    assert report_of_a_sweep("a setting", "another", status="cached") == "cached"


def test_what_stood_in_for_a_skipped_stage_says_nothing_of_it_where_it_is_reused(night: Nights) -> None:
    first, second = night(), night()
    first.run()
    assert first.task("finetune", skip=True) == "stand-in"  # skipped after it was made: its own result stays
    second.run()
    result = second.result("finetune")
    assert (result.status, result.source_run, result.reason) == ("cached", first.dir.path.name, None)


def test_a_folder_that_is_replaced_while_it_is_placed_is_not_published(night: Nights) -> None:
    """Of one size as the other: a run that was cleared meanwhile, whose model is another."""
    first, second = night(luck="first"), night()
    first.run()
    made = first.result("finetune")
    first.luck = "other"
    first.make("finetune", "finetune/2")
    assert first.result("finetune").outputs != made.outputs
    with pytest.raises(UserError, match="finetune: was replaced meanwhile"), placing(second.dir):
        place(first.dir.published("finetune"), second.dir, "finetune", made)
    assert not second.dir.published("finetune").exists()
