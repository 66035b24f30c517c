"""A finished run's model becomes a version, and champion where the gate lets it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import iter_jsonl, write_atomically
from tradewind.lease import run_dir_lock
from tradewind.registry.card import model_card
from tradewind.registry.gate import Decision, Difference, decide
from tradewind.registry.history import Move, taken_back
from tradewind.registry.placing import files_below, place_file, place_tree
from tradewind.registry.store import Change, Registry
from tradewind.registry.version import (
    CARD,
    CHAMPION_INPUT,
    CONFIG,
    MODEL,
    RECORD,
    REPORTS,
    FileSum,
    Version,
    VersionRecord,
)
from tradewind.reporting.contract import Report, read_report
from tradewind.results import StageResult, folder_digest
from tradewind.run_dir import RunDir
from tradewind.serving.questions import SMOKE, SmokeSet
from tradewind.store.mirror import complete, mirror_of


class NothingToRegister(Exception):  # noqa: N818 - not an error: the run has no model, and its text says why
    """The run made no tuned model, did not score it, or made neither anew."""


@dataclass(frozen=True)
class Run:
    """What of a run belongs to a version."""

    run_dir: RunDir
    prepare: StageResult
    finetune: StageResult
    evaluate: StageResult
    report_dir: Path
    report: Report
    config: RunConfig

    @classmethod
    def read(cls, run_dir: RunDir) -> Run:
        """Gather it.

        Raises:
            NothingToRegister: there is no tuned model with scores.
            UserError: a stage's files are not those that a later stage has read.
        """
        for stage in ("finetune", "evaluate", "report"):
            if not run_dir.result_file(stage).exists():
                raise NothingToRegister(f"the run made no scored model: the stage {stage} was not run")
            if (result := run_dir.result(stage)).is_left_out:
                raise NothingToRegister(f"the run made no scored model: {stage} was skipped: {result.reason}")
        prepare, finetune = run_dir.result("prepare"), run_dir.result("finetune")
        evaluate, report = run_dir.result("evaluate"), run_dir.result("report")
        if _adapted(finetune):
            adapt = run_dir.result("adapt")
            _check_used(run_dir, "adapt", adapt, "prepare/corpus.jsonl", prepare)
            _check_used(run_dir, "finetune", finetune, "adapt/model", adapt)
        _check_used(run_dir, "finetune", finetune, "prepare/train.jsonl", prepare)
        _check_used(run_dir, "evaluate", evaluate, "prepare/heldout.jsonl", prepare)
        _check_used(run_dir, "evaluate", evaluate, "finetune/model", finetune)
        _check_used(run_dir, "report", report, "evaluate/scores.json", evaluate)
        folder = run_dir.published("report")
        return cls(
            run_dir=run_dir,
            prepare=prepare,
            finetune=finetune,
            evaluate=evaluate,
            report_dir=folder,
            report=read_report(folder / REPORTS[0]),
            config=_config(run_dir, finetune, evaluate, report),
        )

    @property
    def model_sha256(self) -> str:
        """The model's hash as `finetune` published it."""
        return self.finetune.outputs["model"].sha256

    def difference(self) -> Difference:
        """How far the model is from the base, by what training recorded and what evaluation let them answer."""
        answers = [item["answers"] for item in iter_jsonl(self.run_dir.published("evaluate") / "predictions.jsonl")]
        return Difference(
            tensors=self.finetune.metrics.get("tensors", 0),
            changed_tensors=self.finetune.metrics.get("changed_tensors", 0),
            answers=len(answers),
            changed_answers=sum(answer["tuned"] != answer["base"] for answer in answers),
        )


def _adapted(finetune: StageResult) -> bool:
    """Whether the tuned model was trained on the running text, too."""
    return "adapt/model" in finetune.inputs


def _config(run_dir: RunDir, finetune: StageResult, evaluate: StageResult, report: StageResult) -> RunConfig:
    """What the model was made by and scored by; of what decides over it, the recipe's word when the report was made."""
    said = {"evaluate": evaluate.config, "gate": report.config, "registry": report.config}
    later = {block: config[block] for block, config in said.items() if block in config}
    try:
        return RunConfig.model_validate(finetune.config | later)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise UserError(
            f"{run_dir.result_file('finetune')}: config.{place}: {error.errors()[0]['msg']}; "
            "the run is of another release of tradewind: run it again"
        ) from error


def _check_used(run_dir: RunDir, stage: str, result: StageResult, key: str, made: StageResult) -> None:
    used, there = result.inputs.get(key), made.outputs.get(key.partition("/")[2])
    if used is None or there is None or used.sha256 != there.sha256:
        raise UserError(
            f"{run_dir.published(stage)}: was made from another {key} than stands there now; "
            f"run the stage '{stage}' again"
        )


@dataclass(frozen=True)
class Registered:
    """A run's version, and whether it is champion now."""

    version: Version
    champion: bool
    config: RunConfig
    taken_back: str | None
    """Why it must not become champion again by itself, if it was."""

    @property
    def asks(self) -> bool:
        """Whether it waits for a human's approval."""
        record = self.version.record
        return record.decision.promote and record.approval and not self.champion and not self.taken_back


def register(registry: Registry, run_dir: RunDir, *, who: str) -> Registered:
    """Keep the run's model as a version and promote it, where the gate says so and no approval is asked for.

    A second call for the same model and report makes no second version; it ends what a killed one began.

    Raises:
        NothingToRegister: the run has no tuned model with scores, or both are an earlier run's, and the model is a
            version already.
        UserError: something the user can mend; nothing is left that looks like a version then.
    """
    if not run_dir.path.is_dir():
        raise UserError(f"{run_dir.path}: no such run")
    with run_dir_lock(run_dir.path, "register"):
        for stage in ("prepare", "adapt", "finetune", "evaluate", "report"):
            complete(run_dir.published(stage))
        run = Run.read(run_dir)
        version = _known(registry, run)
        if version is None:
            _stop_if_nothing_new(registry, run)
            version = _publish(registry, run, who=who)
    with registry.changing("register") as change:
        reason = _promote(registry, change, version, who=who)
        change.retire(run.config.registry.keep)
        return Registered(version, registry.champion_name() == version.name, run.config, reason)


def _known(registry: Registry, run: Run) -> Version | None:
    """The version that an earlier call made of this very model and report."""
    report = FileSum.of(run.report_dir / REPORTS[0])
    for version in reversed(registry.versions()):
        record = version.record
        same = (run.run_dir.path.name, run.model_sha256, report)
        if (record.run, record.model_sha256, record.files[REPORTS[0]]) == same:
            version.verify()
            return version
    return None


def _stop_if_nothing_new(registry: Registry, run: Run) -> None:
    if "success" in (run.finetune.status, run.evaluate.status):
        return
    for version in reversed(registry.versions()):
        if version.record.model_sha256 == run.model_sha256:
            raise NothingToRegister(
                f"nothing new: this run's model is {version.name}, made by run {version.record.run}"
            )


def _promote(registry: Registry, change: Change, version: Version, *, who: str) -> str | None:
    """Have the pointer move where the gate said so; returns why it must not, if the version was taken back."""
    record = version.record
    # Once only: a cleared task must not undo a rollback.
    reason = taken_back(registry.history(), record.model_sha256, version.name)
    if record.decision.promote and not record.approval and not reason and registry.champion_name() == record.parent:
        change.point_to(version.name, "promote", who=who, why=record.decision.reasons)
    return reason


def _publish(registry: Registry, run: Run, *, who: str) -> Version:
    from tradewind.exposure import EXPOSURE, Exposure  # numpy, which a DAG's parsing does without

    with registry.making() as folder:
        place_tree(run.run_dir.path / run.finetune.outputs["model"].path, folder / MODEL)
        for name in REPORTS:
            place_file(run.report_dir / name, folder / name)
        write_atomically(folder / CONFIG, run.config.model_dump_json(indent=1))
        smoke = SmokeSet.of(run.run_dir, run.evaluate, "tuned")
        write_atomically(folder / SMOKE, smoke.model_dump_json(indent=1))
        Exposure.of(run.run_dir.published("prepare"), adapted=_adapted(run.finetune)).write(folder / EXPOSURE)
        model = {path: FileSum.of(folder / MODEL / path) for path in files_below(folder / MODEL)}
        if folder_digest({path: made.sha256 for path, made in model.items()}) != run.model_sha256:
            raise UserError(
                f"{run.run_dir.published('finetune') / MODEL}: is not what finetune published; clear finetune"
            )
        files = {f"{MODEL}/{path.as_posix()}": made for path, made in model.items()}
        files |= {name: FileSum.of(folder / name) for name in (*REPORTS, CONFIG, EXPOSURE, SMOKE)}
        difference = run.difference()
        # The gate decides, the version appears and the pointer moves while nobody else can move it: of two runs that
        # are registered at once the second is compared with the first.
        with registry.changing("register") as change:
            champion = registry.champion()
            record = VersionRecord(
                name=change.next_name(),
                made_at=datetime.now(UTC).isoformat(timespec="seconds"),
                run=run.run_dir.path.name,
                dag_id=registry.path.name,
                recipe=run.config.recipe,
                base_model=run.config.model.model_name_or_path,
                seed=run.config.seed,
                data={name: artifact.sha256 for name, artifact in run.prepare.outputs.items()},
                model_sha256=run.model_sha256,
                files=files,
                verdict=run.report.scores.verdict,
                verdict_reason=run.report.scores.verdict_reason,
                decision=_decide(run, champion, difference, registry.history()),
                approval=run.config.gate.approval,
                parent=champion.name if champion else None,
            )
            write_atomically(folder / CARD, model_card(record, run.report, run.config, run.prepare.metrics))
            record = record.model_copy(update={"files": files | {CARD: FileSum.of(folder / CARD)}})
            write_atomically(folder / RECORD, record.model_dump_json(indent=1))
            version = change.publish(folder, record.name, _sources(run))
            _promote(registry, change, version, who=who)
            return version


def _sources(run: Run) -> tuple[str, ...]:
    """What the run's model and report are in a bucket, so that nothing is sent twice."""
    mirror = mirror_of(run.run_dir.path)
    folders = run.run_dir.published("finetune"), run.report_dir
    return () if mirror is None else tuple(unit for folder in folders if (unit := mirror.unit(folder)))


def _decide(run: Run, champion: Version | None, difference: Difference, moves: list[Move]) -> Decision:
    """The gate's word; or that its weights were taken back, or compared with another champion than there is now."""
    if refused := taken_back(moves, run.model_sha256):
        return Decision(promote=False, reasons=(refused,))
    if champion is not None and champion.record.model_sha256 == run.model_sha256:
        return Decision(promote=False, reasons=(f"its weights are those of the champion, {champion.name}",))
    compared = run.evaluate.inputs.get(CHAMPION_INPUT)
    if champion is not None and (compared is None or compared.sha256 != champion.record.model_sha256):
        what = "with no champion" if compared is None else "with another champion"
        reason = f"the champion is {champion.name}, but this run was compared {what}; clear evaluate to compare again"
        return Decision(promote=False, reasons=(reason,))
    return decide(
        run.report.scores,
        champion=champion.name if champion else None,
        difference=difference,
        config=run.config.gate,
    )
