"""A run that was evaluated, with as much of its folder as a comparison reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tradewind.config import RunConfig
from tradewind.files import write_jsonl
from tradewind.judging.record import JudgeRecord
from tradewind.metrics.item_scores import Measured, groups_of
from tradewind.metrics.summary import summarise
from tradewind.scores import Scores

Rows = list[dict[str, Any]]


def rows_of(seed: int) -> Rows:
    """Eighty answered questions; equal seeds give equal answers and scores."""
    rng = np.random.default_rng(seed)
    return [
        {
            "id": f"i{at}", "kind": ("reworded", "read")[at % 2], "language": "en", "context": "", "source": "qa",
            "question": f"q{at}?", "answer": f"r{at}", "record_id": str(at // 4), "fact_id": str(at),
            "answers": {"base": "x", "tuned": f"{seed}"}, "hit_token_limit": {"base": False, "tuned": False},
            "scores": {
                metric: {"base": 0.2, "tuned": round(float(rng.random()), 6)} for metric in ("semscore", "chrf")
            },
        }
        for at in range(80)
    ]  # fmt: skip


def scored(rows: Rows, record: JudgeRecord | None = None, **changes: Any) -> Scores:
    """What `evaluate` would find of the rows.

    Args:
        changes: of the scores, to make them another judge's or encoder's.
    """
    measured = Measured(256, 0.0, "1.0", {"en": 0.2}, {group: {} for group in groups_of(rows)})
    scores = summarise(rows, list(rows[0]["answers"]), measured, RunConfig(recipe="r", data_dir="d"), record)
    return scores.model_copy(update=changes)


def evaluated_run(folder: Path, rows: Rows, record: JudgeRecord | None = None, **changes: Any) -> Path:
    """Write the run's folder; `changes` as for `scored`."""
    (folder / "evaluate").mkdir(parents=True)
    write_jsonl(folder / "evaluate" / "predictions.jsonl", rows)
    scores = scored(rows, record, **changes)
    (folder / "evaluate" / "scores.json").write_text(scores.model_dump_json(), encoding="utf-8")
    (folder / "config.json").write_text(RunConfig(recipe="r", data_dir="d").model_dump_json(), encoding="utf-8")
    return folder
