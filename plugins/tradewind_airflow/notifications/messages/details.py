"""The part of a result that only those read who open the thread."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.reporting.contract import Example, Report
from tradewind.reporting.notes import judge_line, notes
from tradewind.scores import Scores
from tradewind_airflow.notifications.message import Message, bullets, context, message, said, section
from tradewind_airflow.notifications.messages.result import warnings_of
from tradewind_airflow.notifications.outcome import Outcome, duration

_WARNINGS, _WARNING = 5, 500  # so many fit into a section
_STAGES, _LINE = 20, 140
_QUOTED = 300


def details(report: Report, outcome: Outcome, *, examples: bool) -> Message:
    """Stages, notes, warnings, and the answers that training changed most.

    Args:
        examples: whether questions and answers may be quoted.
    """
    scores = report.scores
    warnings, noted = warnings_of(report), notes(scores)
    return message(
        f"{report.recipe}: how it was made",
        section(f"*Stages*\n{_stages(outcome)}"),
        section(f"*Notes*\n{bullets(noted, _WARNINGS, _WARNING)}") if noted else None,
        section(f":warning: *Warnings*\n{bullets(warnings, _WARNINGS, _WARNING)}") if warnings else None,
        _example("Helped most", report.best) if examples and report.best else None,
        _example("Helped least", report.worst) if examples and report.worst else None,
        context(said(f"model {report.model}"), said(f"encoder {scores.encoder}"), said(_judge(scores))),
    )


def _stages(outcome: Outcome) -> str:
    lines = [
        f"{result.stage if result.shard is None else f'{result.stage} {result.shard}'}: "
        + (duration(result.seconds) if result.status == "success" else result.reason or result.status)
        for result in outcome.results
    ]
    return bullets(lines, _STAGES, _LINE) or "none was kept"


def _example(title: str, found: Sequence[Example]) -> dict[str, object]:
    example = found[0]
    answers = [(name, example.answers[name]) for name in ("base", "tuned") if name in example.answers]
    lines = [("question", example.question), *answers, ("reference", example.reference)]
    return section("\n".join([f"*{title}*", *(f"_{name}_: {said(_one_line(text), _QUOTED)}" for name, text in lines)]))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _judge(scores: Scores) -> str:
    measured = any(metric.metric == "truthfulness" for group in scores.groups for metric in group.metrics)
    return judge_line(scores) or f"judge {scores.judge}" if measured else "truthfulness not measured: no judge"
