"""The run's report: `report.json`, `report.md` and `report.html`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tradewind.files import read_jsonl, write_atomically
from tradewind.reporting.contract import Example, Report, StageSummary
from tradewind.results import Stage, StageResult
from tradewind.scores import Scores
from tradewind.stages.stage_run import StageRun, StageSkipped

EXAMPLES_PER_GROUP = 3


def run(stage: StageRun) -> None:
    """Gather what the stages published and write the report.

    Raises:
        StageSkipped: nothing was evaluated.
    """
    if "evaluate/scores.json" not in stage.inputs:
        raise StageSkipped("nothing was evaluated")
    from tradewind.reporting.render import html, markdown

    scores = Scores.model_validate_json(stage.input("evaluate/scores.json").read_bytes())
    predictions = read_jsonl(stage.input("evaluate/predictions.jsonl"))
    before: tuple[Stage, ...] = ("prepare", "adapt", "finetune", "evaluate")
    results = [stage.run_dir.result(name) for name in before if stage.run_dir.result_file(name).exists()]
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
        examples=tuple(_examples(scores, predictions)),
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
    stage.outputs += ["report.json", "report.md", "report.html"]
    stage.metrics = {"verdict": scores.verdict, "verdict_reason": scores.verdict_reason}


def _summary(result: StageResult) -> StageSummary:
    return StageSummary(
        stage=result.stage,
        status=result.status,
        reason=result.reason,
        seconds=result.seconds,
        resumed_from_step=result.resumed_from_step,
        metrics=result.metrics,
    )


def _examples(scores: Scores, predictions: list[dict[str, Any]]) -> list[Example]:
    """Of each group the items at the best, middle and worst tuned score: not a choice that flatters."""
    chosen = []
    for group in scores.groups:
        last = scores.models[-1]
        items = [
            item
            for item in predictions
            if (item["kind"], item["language"]) == (group.kind, group.language)
            and all(item["scores"][group.headline][model] is not None for model in scores.models)
        ]
        items.sort(key=lambda item: -float(item["scores"][group.headline][last]))
        places = {round(step * (len(items) - 1) / (EXAMPLES_PER_GROUP - 1)) for step in range(EXAMPLES_PER_GROUP)}
        for place in sorted(places) if items else ():
            item = items[place]
            chosen.append(
                Example(
                    kind=group.kind,
                    language=group.language,
                    question=item["question"],
                    reference=item["answer"],
                    answers=item["answers"],
                    score=item["scores"][group.headline],
                )
            )
    return chosen
