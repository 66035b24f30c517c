"""The run's report: `report.json`, `.md`, `.html`; its headline figures, `summary.json`; `scores.png` for Slack."""

from __future__ import annotations

from datetime import UTC, datetime

from tradewind.extraction.told import bill_line, counts_line
from tradewind.files import read_jsonl, write_atomically
from tradewind.reporting.contract import Report, StageSummary
from tradewind.reporting.examples import best_and_worst
from tradewind.reporting.summary import SUMMARY, Summary
from tradewind.results import StageResult
from tradewind.scores import Scores
from tradewind.stages.shards import division_of
from tradewind.stages.stage_run import StageRun, StageSkipped
from tradewind.sweep.choose import trials_line


def run(stage: StageRun) -> None:
    """Gather what the stages published and write the report.

    Raises:
        StageSkipped: nothing was evaluated.
    """
    if "evaluate/scores.json" not in stage.inputs:
        raise StageSkipped("nothing was evaluated")
    from tradewind.reporting.plots import score_picture
    from tradewind.reporting.render import html, markdown

    scores = Scores.model_validate_json(stage.input("evaluate/scores.json").read_bytes())
    predictions = read_jsonl(stage.input("evaluate/predictions.jsonl"))
    results = _results(stage)
    best, worst = best_and_worst(scores, predictions)
    report = Report(
        run=stage.run_dir.path.name,
        recipe=stage.config.recipe,
        model=stage.config.model.model_name_or_path,
        data=stage.config.data_dir,
        seed=stage.config.seed,
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        scores=scores,
        stages=tuple(_summary(result) for result in results),
        warnings=tuple(dict.fromkeys(warning for result in results for warning in result.warnings)),
        best=tuple(best),
        worst=tuple(worst),
        versions=results[-1].versions,
    )
    curves = {
        name: read_jsonl(stage.input(f"{name}/log.jsonl"))
        for name in ("adapt", "finetune")
        if f"{name}/log.jsonl" in stage.inputs
    }
    write_atomically(stage.work / "report.json", report.model_dump_json(indent=1))
    write_atomically(stage.work / "report.md", markdown(report))
    write_atomically(stage.work / "report.html", html(report, predictions, curves))
    write_atomically(stage.work / SUMMARY, Summary.of(report).model_dump_json())
    (stage.work / "scores.png").write_bytes(score_picture(scores))
    stage.outputs += ["report.json", "report.md", "report.html", SUMMARY, "scores.png"]
    stage.metrics = {"verdict": scores.verdict, "verdict_reason": scores.verdict_reason}


def _results(stage: StageRun) -> list[StageResult]:
    """What the run's stages published, in their order."""
    shards = [] if stage.config.extract is None else division_of(stage.run_dir)
    folders = [*(shard.folder("extract") for shard in shards), "prepare", "baseline", "adapt", "finetune", "evaluate"]
    return [stage.run_dir.result(name) for name in folders if stage.run_dir.result_file(name).exists()]


def _summary(result: StageResult) -> StageSummary:
    return StageSummary(
        stage=result.stage if result.shard is None else f"{result.stage} {result.shard}",
        status=result.status,
        reason=result.reason or _told(result),
        source_run=result.source_run,
        seconds=result.seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        resumed_from_step=result.resumed_from_step,
        metrics=result.metrics,
    )


def _told(result: StageResult) -> str | None:
    """What a reader of the table of stages should know of this one."""
    if result.stage == "finetune" and result.status != "skipped":
        return trials_line(result.metrics)
    if result.status != "success":
        return None
    if result.stage == "extract":
        return f"{counts_line(result.metrics)}; the run so far: {bill_line(result.metrics['bill'])}"
    if result.stage in ("baseline", "evaluate"):
        generated = result.metrics["generated"]
        made = {"base": generated} if isinstance(generated, int) else generated
        return "answers generated: " + ", ".join(f"{model} {count}" for model, count in made.items())
    return None
