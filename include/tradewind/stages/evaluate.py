"""Base, adapted, tuned and the champion answer every held-out question, and their answers are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradewind.exposure import EXPOSURE, Exposure
from tradewind.files import read_jsonl, write_atomically, write_jsonl
from tradewind.models import base_source
from tradewind.registry.version import CHAMPION_INPUT, Version
from tradewind.scores import METRIC_NAMES, Scores
from tradewind.stages.champion import champion_of
from tradewind.stages.stage_run import StageRun, StageSkipped

MANY_CUT = 0.2  # a larger share of cut answers says that the model does not stop, or the limit is too small


def run(stage: StageRun) -> None:
    """Write `predictions.jsonl` (one held-out question a line, with every answer and score) and `scores.json`.

    Raises:
        StageSkipped: nothing was trained, so there is nothing to compare.
        UserError: a model, the encoder or the judge cannot be had.
    """
    if not {"adapt/model", "finetune/model"} & stage.inputs.keys():
        raise StageSkipped("neither adaptation nor fine-tuning made a model to compare with the base")
    champion = champion_of(stage)
    sources: dict[str, Path | str] = {"base": base_source(stage.config.model)}
    for name, key in (("adapted", "adapt/model"), ("tuned", "finetune/model"), ("champion", CHAMPION_INPUT)):
        if key in stage.inputs:
            sources[name] = stage.input(key)
    from tradewind.judging.judge import judge_answers
    from tradewind.metrics.item_scores import score_items
    from tradewind.metrics.summary import summarise

    items = read_jsonl(stage.input("prepare/heldout.jsonl"))
    predictions: list[dict[str, Any]] = [item | {"answers": {}, "hit_token_limit": {}, "scores": {}} for item in items]
    generated = _answer(predictions, sources, stage)
    known = _mark_known(predictions, champion)
    measured = score_items(predictions, list(sources), stage.config.evaluate)
    judged = None
    if stage.config.evaluate.judge is not None:
        judged = judge_answers(predictions, list(sources), stage.config, stage.run_name)
    scores = summarise(predictions, list(sources), measured, stage.config, judged)
    write_jsonl(stage.work / "predictions.jsonl", predictions)
    write_atomically(stage.work / "scores.json", scores.model_dump_json(indent=1))
    stage.outputs += ["predictions.jsonl", "scores.json"]
    stage.metrics = {"items": len(items), "generated": generated, "verdict": scores.verdict} | {
        f"{group.kind}.{group.language}.{group.headline}": group.metric(group.headline).mean for group in scores.groups
    }
    if judged is not None:
        stage.metrics["left_to_ask"] = judged.left_to_ask
    if champion is not None:
        stage.metrics |= {"champion": champion.name, "known_to_champion": known}
    if known:
        stage.warn(
            f"{known} of {len(items)} held-out questions were learnt by the champion, which was trained on another "
            "split; they do not count in the comparison with it"
        )
    for warning in _warnings(scores):
        stage.warn(warning)


def _answer(
    predictions: Sequence[dict[str, Any]], sources: Mapping[str, Path | str], stage: StageRun
) -> dict[str, int]:
    """Enter every model's answers; returns how many of each model's had to be generated."""
    from tradewind.training.answer_cache import answers_of

    questions = [prediction["question"] for prediction in predictions]
    generated = {}
    for name, source in sources.items():
        found = answers_of(name, source, questions, stage.config.model, stage.config.evaluate, team=stage.team,
                           work=stage.work)  # fmt: skip
        stage.note_peaks(found.peaks)
        generated[name] = found.generated
        for prediction, answer in zip(predictions, found.answers, strict=True):
            prediction["answers"][name] = answer.text
            prediction["hit_token_limit"][name] = answer.hit_token_limit
    return generated


def _mark_known(predictions: Sequence[dict[str, Any]], champion: Version | None) -> int:
    """Mark the questions that the champion has learnt, which do not count against it; returns how many."""
    if champion is None:
        return 0
    exposure = Exposure.read(champion.path / EXPOSURE)
    known = [prediction for prediction in predictions if exposure.knows(prediction)]
    for prediction in known:
        prediction["known_to"] = ["champion"]
    return len(known)


def _warnings(scores: Scores) -> list[str]:
    """What a reader must know before believing the table."""
    found = [f"{group.kind}: {metric.note}" for group in scores.groups for metric in group.metrics if metric.note]
    for group in scores.groups:
        found += [
            f"{group.kind} ({group.language}): {METRIC_NAMES[metric.metric]} leaves out {metric.unscored} of "
            f"{group.n} questions, which have no score of some model"
            for metric in group.metrics
            if metric.unscored
        ]
    for name, share in scores.hit_token_limit.items():
        if share > MANY_CUT:
            found.append(f"{name}: {share:.0%} of the answers reached evaluate.max_new_tokens without an end")
    if scores.judge_record is not None and scores.judge_record.drift is not None:
        found.append(scores.judge_record.drift)
    return found
