"""A judge's agreement with the anchors, day by day, beside the answers that were paid for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import date
from pathlib import Path

from tradewind.asking.store import answers_file
from tradewind.config import JudgeConfig, Language
from tradewind.files import write_atomically
from tradewind.judging.anchors import anchors_sha256
from tradewind.judging.prompts import rubric_sha256


def falls(kappa: float, day: date, config: JudgeConfig, languages: Collection[Language]) -> list[str]:
    """Enter a day's agreement; returns, in words, from which it fell by more than `max_drift`.

    The first day counts beside the last one before, so that a slow fall is told too.
    """
    path = _file(config, languages)
    by_day: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["kappa"] if path.exists() else {}
    earlier = sorted(other for other in by_day if other < day.isoformat())
    about = {
        "model": config.model,
        "base_url": config.base_url,
        "temperature": config.temperature,
        "languages": sorted(languages),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps({**about, "kappa": by_day | {day.isoformat(): kappa}}, indent=1))
    return [
        f"it fell from {by_day[other]:.2f} on {other} to {kappa:.2f}, by more than max_drift {config.max_drift:.2f}"
        for other in dict.fromkeys((*earlier[-1:], *earlier[:1]))
        if by_day[other] - kappa > config.max_drift
    ]


def _file(config: JudgeConfig, languages: Collection[Language]) -> Path:
    """One for each judge: by its model and server, its rubrics and the anchors that it is measured by."""
    rubrics = {language: rubric_sha256(language) for language in sorted(languages)}
    judge = json.dumps([config.model, config.base_url, config.temperature, rubrics, anchors_sha256()])
    return answers_file().with_name(f"judge-{hashlib.sha256(judge.encode()).hexdigest()[:16]}.json")
