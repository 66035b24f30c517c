"""The base model answers every held-out question, beside the trainings."""

from __future__ import annotations

from tradewind.files import iter_jsonl, write_jsonl
from tradewind.models import base_source
from tradewind.stages.stage_run import StageRun


def run(stage: StageRun) -> None:
    """Write `answers.jsonl`: the id of each held-out question with the base's answer.

    They are kept for `evaluate` and for runs to come with the same base and the same questions.

    Raises:
        UserError: the model cannot be had.
    """
    from tradewind.training.answer_cache import answers_of

    items = list(iter_jsonl(stage.input("prepare/heldout.jsonl")))
    config = stage.config
    found = answers_of("base", base_source(config.model), [item["question"] for item in items], config.model,
                       config.evaluate, team=stage.team, work=stage.work)  # fmt: skip
    stage.note_peaks(found.peaks)
    rows = zip(items, found.answers, strict=True)
    write_jsonl(stage.work / "answers.jsonl", ({"id": item["id"], "answer": answer.text} for item, answer in rows))
    stage.outputs += ["answers.jsonl"]
    stage.metrics = {"answers": len(items), "generated": found.generated}
