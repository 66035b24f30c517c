"""What a registration leaves: a whole version, a pointer that only the gate moves, and its history."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from finished_run import PREPARED, Night, finished_run, report_again
from tradewind.errors import RunDirBusyError, UserError
from tradewind.files import sha256_of
from tradewind.lease import run_dir_lock
from tradewind.registry.promotion import promote, promote_approved, rollback
from tradewind.registry.register import NothingToRegister, register
from tradewind.registry.store import Registry
from tradewind.registry.version import Version
from tradewind.results import Artifact
from tradewind.run_dir import RunDir
from tradewind.stages import Stage


def _everything(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    return {path.relative_to(folder).as_posix(): sha256_of(path) for path in folder.rglob("*") if path.is_file()}


def test_the_first_model_that_beats_its_base_becomes_champion(registry: Registry, night: Night, tmp_path: Path) -> None:
    registered = night()
    assert registered.champion
    version = registry.champion()
    assert version == registered.version == Version.read(tmp_path / "models" / "trade_qa" / "versions" / "v1")
    run = tmp_path / "runs" / "night-1"
    assert _everything(version.model) == _everything(run / "finetune" / "model")
    for name in ("report.json", "report.html"):
        assert (version.path / name).read_bytes() == (run / "report" / name).read_bytes()
    record = version.record
    assert (record.name, record.run, record.dag_id, record.recipe) == ("v1", "night-1", "trade_qa", "tiny")
    assert record.data == {name: sha256_of(run / "prepare" / name) for name in PREPARED}
    assert {name: made.sha256 for name, made in record.files.items()} == {
        name: digest for name, digest in _everything(version.path).items() if name != "version.json"
    }
    assert record.model_sha256 == Artifact.of(version.model, version.path).sha256
    assert record.decision.promote
    assert record.parent is None
    assert json.loads((version.path / "config.json").read_text())["recipe"] == "tiny"
    version.verify()
    assert not list((registry.path / "versions").glob(".*"))


def test_the_pointer_is_a_relative_link_so_that_the_folder_can_be_moved(registry: Registry, night: Night) -> None:
    night()
    assert str(registry.pointer.readlink()) == "versions/v1"
    moved = registry.path.with_name("elsewhere")
    registry.path.rename(moved)
    assert (moved / "champion" / "model" / "model.safetensors").read_text() == "weights of night 1"


def test_the_next_night_moves_it_only_for_a_better_model(registry: Registry, night: Night) -> None:
    night()
    equal = night(gain=0.0)
    assert (equal.champion, equal.version.record.decision.promote, equal.version.record.parent) == (False, False, "v1")
    assert registry.champion_name() == "v1"
    better = night(gain=0.2)
    assert better.champion
    assert [(move.before, move.after, move.action, move.who) for move in registry.history()] == [
        (None, "v1", "promote", "test"),
        ("v1", "v3", "promote", "test"),
    ]
    assert registry.history()[-1].why == better.version.record.decision.reasons


def test_a_model_with_the_base_s_answers_is_kept_but_not_promoted(registry: Registry, night: Night) -> None:
    registered = night(same_answers=True)
    assert registered.version.record.decision.reasons == ("0 of 40 answers differ from the base's",)
    assert registry.champion() is None


def test_a_run_that_was_compared_with_another_champion_does_not_replace_this_one(
    registry: Registry, night: Night, tmp_path: Path
) -> None:
    one, two = (finished_run(tmp_path / name, weights=name) for name in ("one", "two"))  # both without a champion
    assert register(registry, one, who="test").champion
    late = register(registry, two, who="test")
    assert late.version.record.decision.reasons == (
        "the champion is v1, but this run was compared with no champion; clear evaluate to compare again",
    )
    old = registry.version("v1")
    assert night().champion
    later = register(registry, finished_run(tmp_path / "three", champion=old, weights="three"), who="test")
    assert (
        "the champion is v3, but this run was compared with another champion"
        in later.version.record.decision.reasons[0]
    )
    assert registry.champion_name() == "v3"


def test_a_version_has_the_settings_that_each_stage_was_run_with(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    for stage, block, settings in (
        ("evaluate", "evaluate", {"max_new_tokens": 999}),
        ("report", "registry", {"keep": 3}),
        ("report", "evaluate", {"max_new_tokens": 7}),
    ):
        result = run.result(stage)
        config = result.config | {block: result.config[block] | settings}
        run.result_file(stage).write_text(result.model_copy(update={"config": config}).model_dump_json())
    version = register(registry, run, who="test").version
    kept = json.loads((version.path / "config.json").read_text())
    assert (kept["evaluate"]["max_new_tokens"], kept["registry"]["keep"]) == (999, 3)
    assert "max_new_tokens=999" in (version.path / "README.md").read_text()


def test_registering_again_makes_no_second_version(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    first = register(registry, run, who="test")
    again = register(registry, run, who="test")
    assert (again.version, again.champion) == (first.version, True)
    assert registry.names() == ["v1"]
    assert len(registry.history()) == 1


def test_a_cleared_registration_does_not_undo_a_rollback(registry: Registry, night: Night, tmp_path: Path) -> None:
    night()
    run = finished_run(tmp_path / "run", champion=registry.champion(), weights="second")
    assert register(registry, run, who="test").champion
    rollback(registry, who="a human", why="it swears")
    again = register(registry, run, who="test")
    assert (again.version.name, again.champion, again.asks, again.taken_back) == ("v2", False, False, _TAKEN_BACK)
    assert registry.champion_name() == "v1"


def _as(status: str, run: RunDir, *stages: Stage, source: str = "one") -> RunDir:
    """The run with these stages taken from another."""
    for stage in stages:
        taken = run.result(stage).model_copy(update={"status": status, "source_run": source, "reason": "elsewhere"})
        run.result_file(stage).write_text(taken.model_dump_json())
    return run


@pytest.mark.parametrize("status", ["cached", "skipped"])
def test_a_run_that_made_nothing_new_registers_nothing(registry: Registry, tmp_path: Path, status: str) -> None:
    register(registry, finished_run(tmp_path / "one"), who="test")
    run = _as(status, finished_run(tmp_path / "two"), "prepare", "finetune", "evaluate", "report")
    with pytest.raises(NothingToRegister) as raised:
        register(registry, run, who="test")
    assert str(raised.value) == "nothing new: this run's model is v1, made by run one"
    assert registry.names() == ["v1"]


def test_an_earlier_run_s_model_that_no_version_has_is_registered(registry: Registry, tmp_path: Path) -> None:
    """The run that made it did not come to its registration."""
    run = _as("cached", finished_run(tmp_path / "two"), "prepare", "finetune", "evaluate", "report")
    assert register(registry, run, who="test").champion
    assert register(registry, run, who="test").version.name == "v1"  # cleared


def test_an_earlier_run_s_model_that_was_compared_anew_is_registered(
    registry: Registry, night: Night, tmp_path: Path
) -> None:
    night()
    better = night(weights="better")
    rollback(registry, who="a human", why="it swears")
    run = finished_run(tmp_path / "run", champion=registry.champion(), weights="better")
    again = register(registry, _as("cached", run, "prepare", "finetune"), who="test")
    assert again.version.name == "v3"
    assert again.version.record.model_sha256 == better.version.record.model_sha256
    assert not again.champion


def test_the_champion_s_own_weights_are_not_promoted_over_it(registry: Registry, tmp_path: Path) -> None:
    """A cleared training may come to the same model; evaluate does not compare it with itself then."""
    register(registry, finished_run(tmp_path / "one"), who="test")
    again = register(registry, finished_run(tmp_path / "two"), who="test")
    assert again.version.record.decision.reasons == ("its weights are those of the champion, v1",)
    assert (again.version.name, registry.champion_name()) == ("v2", "v1")


_TAKEN_BACK = (
    "these weights were champion before, as v2, and were taken back or replaced; "
    "tradewind models promote --force promotes them all the same"
)


@pytest.mark.parametrize("approval", [False, True])
def test_neither_a_new_report_nor_the_next_night_brings_back_weights_that_were_taken_back(
    registry: Registry, night: Night, tmp_path: Path, approval: bool
) -> None:
    night()
    settings: dict[str, Any] = {"weights": "bad", "overrides": {"gate.approval": approval}}
    run = finished_run(tmp_path / "run", champion=registry.champion(), **settings)
    register(registry, run, who="test")
    if approval:
        promote_approved(registry, "v2", who="Mina")
    rollback(registry, who="a human", why="it swears")
    assert [move.model_sha256 for move in registry.history()] == [
        registry.version(name).record.model_sha256 for name in ("v1", "v2", "v1")
    ]
    report_again(run, finished_at="2026-11-23T09:00:00+00:00")
    cleared = register(registry, run, who="test")
    again = night(**settings)
    for registered, name in ((cleared, "v3"), (again, "v4")):
        assert (registered.version.name, registered.champion, registered.asks) == (name, False, False)
        assert registered.version.record.decision.reasons == (_TAKEN_BACK,)
    assert registry.champion_name() == "v1"
    promote(registry, "v4", who="a human", why="it was the prompt", force=True)
    assert registry.champion_name() == "v4"


def test_an_approval_does_not_bring_back_what_was_taken_back(registry: Registry, night: Night) -> None:
    night()
    for _ in range(2):
        night(weights="bad", overrides={"gate.approval": True})
    promote_approved(registry, "v2", who="Mina")
    rollback(registry, who="a human", why="it swears")
    for name in ("v2", "v3"):
        with pytest.raises(UserError) as refused:
            promote_approved(registry, name, who="Mina")
        assert str(refused.value) == f"{registry.path}: {name}: {_TAKEN_BACK}"
    assert registry.champion_name() == "v1"


def test_the_same_run_trained_again_is_another_version(registry: Registry, tmp_path: Path) -> None:
    register(registry, finished_run(tmp_path / "run", weights="first"), who="test")
    shutil.rmtree(tmp_path / "run")
    again = register(registry, finished_run(tmp_path / "run", weights="second"), who="test")
    assert again.version.name == "v2"
    assert (registry.version("v1").model / "model.safetensors").read_text() == "first"


def test_with_approval_asked_for_nothing_moves_until_it_comes(registry: Registry, night: Night) -> None:
    registered = night(overrides={"gate.approval": True})
    assert (registered.champion, registered.asks) == (False, True)
    assert registry.champion() is None
    promote_approved(registry, "v1", who="Mina")
    assert registry.champion_name() == "v1"
    assert registry.history()[0].who == "Mina"
    promote_approved(registry, "v1", who="Mina")  # a retry of what has happened
    assert len(registry.history()) == 1


def test_an_approval_that_comes_after_another_promotion_is_refused(registry: Registry, night: Night) -> None:
    night(overrides={"gate.approval": True})
    night()
    assert registry.champion_name() == "v2"
    with pytest.raises(UserError, match="v1 was compared with the base, but the champion is v2 now; clear evaluate"):
        promote_approved(registry, "v1", who="Mina")


def test_an_approval_cannot_promote_what_the_gate_refused(registry: Registry, night: Night) -> None:
    night(gain=0.0, overrides={"gate.approval": True})
    with pytest.raises(UserError, match="v1: the gate refused it: SemScore on reworded"):
        promote_approved(registry, "v1", who="Mina")


def test_a_run_s_folder_may_go_and_takes_no_second_room_while_it_stays(
    registry: Registry, night: Night, tmp_path: Path
) -> None:
    version = night().version
    made = tmp_path / "runs" / "night-1" / "finetune" / "model" / "model.safetensors"
    assert (version.model / "model.safetensors").samefile(made)
    shutil.rmtree(tmp_path / "runs")
    version.verify()


def test_on_another_file_system_files_are_copied(night: Night, tmp_path: Path) -> None:
    other = Path("/dev/shm")  # a tmpfs wherever Linux has one
    if other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("only one file system")
    registry = Registry(other / f"tradewind-{tmp_path.name}")
    try:
        version = register(registry, finished_run(tmp_path / "run"), who="test").version
        shutil.rmtree(tmp_path / "run")
        version.verify()
        assert (version.model / "model.safetensors").read_text() == "weights"
    finally:
        shutil.rmtree(registry.path)


def test_the_newest_stay_besides_champion_and_predecessor(registry: Registry, night: Night) -> None:
    keep = {"registry.keep": 2}
    night(overrides=keep)
    night(overrides=keep)
    for _ in range(4):
        night(gain=0.0, overrides=keep)
    assert registry.names() == ["v1", "v2", "v5", "v6"]
    assert (registry.champion_name(), registry.predecessor()) == ("v2", "v1")
    night(overrides=keep)
    assert registry.names() == ["v2", "v6", "v7"]


def test_numbers_are_not_given_twice(registry: Registry, night: Night) -> None:
    night()
    night()
    shutil.rmtree(registry.path / "versions" / "v2")
    registry.pointer.unlink()
    assert night().version.name == "v3"


@pytest.mark.parametrize("stage", ["finetune", "evaluate", "report"])
def test_a_run_without_a_scored_model_is_no_error_and_leaves_nothing(
    registry: Registry, tmp_path: Path, stage: str
) -> None:
    run = finished_run(tmp_path / "run")
    result = run.result(stage)
    run.result_file(stage).write_text(
        result.model_copy(update={"status": "skipped", "reason": "it is off", "outputs": {}}).model_dump_json()
    )
    with pytest.raises(NothingToRegister, match=f"no scored model: {stage} was skipped: it is off"):
        register(registry, run, who="test")
    shutil.rmtree(run.published(stage))
    with pytest.raises(NothingToRegister, match=f"the stage {stage} was not run"):
        register(registry, run, who="test")
    assert not registry.path.exists()


def test_a_model_that_changed_after_its_scores_is_refused(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    result = run.result("finetune")
    trained_again = result.outputs["model"].model_copy(update={"sha256": "0" * 64})
    run.result_file("finetune").write_text(
        result.model_copy(update={"outputs": {"model": trained_again}}).model_dump_json()
    )
    with pytest.raises(UserError, match="evaluate: was made from another finetune/model than stands there now"):
        register(registry, run, who="test")


@pytest.mark.parametrize(
    ("stage", "output", "reader"),
    [
        ("prepare", "train.jsonl", "finetune"),
        ("prepare", "heldout.jsonl", "evaluate"),
        ("prepare", "corpus.jsonl", "adapt"),
        ("adapt", "model", "finetune"),
    ],
)
def test_documents_prepared_again_after_the_training_are_not_taken_for_what_it_read(
    registry: Registry, tmp_path: Path, stage: Stage, output: str, reader: str
) -> None:
    run = finished_run(tmp_path / "run", adapted=True)
    result = run.result(stage)
    again = result.outputs | {output: result.outputs[output].model_copy(update={"sha256": "0" * 64})}
    run.result_file(stage).write_text(result.model_copy(update={"outputs": again}).model_dump_json())
    told = f"{run.published(reader)}: was made from another {stage}/{output} than stands there now; run the stage "
    with pytest.raises(UserError) as refused:
        register(registry, run, who="test")
    assert str(refused.value) == f"{told}'{reader}' again"
    assert registry.names() == []


def test_a_corpus_that_no_training_read_may_change(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    result = run.result("prepare")
    again = result.outputs | {"corpus.jsonl": result.outputs["corpus.jsonl"].model_copy(update={"sha256": "0" * 64})}
    run.result_file("prepare").write_text(result.model_copy(update={"outputs": again}).model_dump_json())
    assert register(registry, run, who="test").champion


@pytest.mark.parametrize("name", ["model.safetensors", "another.bin"])
def test_files_that_finetune_did_not_publish_are_refused(registry: Registry, tmp_path: Path, name: str) -> None:
    run = finished_run(tmp_path / "run")
    (run.published("finetune") / "model" / name).write_text("spoilt")
    with pytest.raises(UserError, match="finetune/model: is not what finetune published; clear finetune"):
        register(registry, run, who="test")
    assert registry.names() == []
    assert list((registry.path / "versions").iterdir()) == []


def test_a_link_in_the_model_s_folder_is_refused(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    (run.published("finetune") / "model" / "link").symlink_to("/etc/passwd")
    with pytest.raises(UserError, match="link: not a plain file; a model holds no links"):
        register(registry, run, who="test")


def test_a_run_that_is_being_written_is_not_registered(registry: Registry, tmp_path: Path) -> None:
    run = finished_run(tmp_path / "run")
    with run_dir_lock(run.path, "finetune"), pytest.raises(RunDirBusyError):
        register(registry, run, who="test")
    assert registry.names() == []
