"""Answers to judge, and the judge in the test's own process against a server on loopback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from llm_server import LlmServer, Model, Reply, graded_of
from tradewind.config import RunConfig
from tradewind.judging.anchors import anchors
from tradewind.judging.judge import judge_answers
from tradewind.judging.record import JudgeRecord
from tradewind.recipes import resolve

MODELS = ("base", "tuned")
DAY = date(2026, 11, 20)
ALL_OF_THEM = {(anchor.question, anchor.answer): anchor for anchor in anchors(("en", "ko"))}


def predictions(answers: Sequence[tuple[str, str]], language: str = "en") -> list[dict[str, Any]]:
    """An item for each pair of base's and tuned's answer; the references are alike and the questions not."""
    return [
        {
            "id": str(number), "language": language, "question": f"What is meant by rule {number}?",
            "answer": "The seller hands the goods over to the carrier.", "scores": {},
            "answers": dict(zip(MODELS, pair, strict=True)),
        }
        for number, pair in enumerate(answers)
    ]  # fmt: skip


def config_for(server: LlmServer, **settings: Any) -> RunConfig:
    """The configuration of a run with this judge."""
    stated = {"model": "judge-1", "base_url": server.base_url, "patience": 5.0, **settings}
    return resolve("tiny", "documents", overrides={f"evaluate.judge.{name}": value for name, value in stated.items()})


def judge(items: list[dict[str, Any]], server: LlmServer, *, today: date = DAY, **settings: Any) -> JudgeRecord:
    """Judge the items in place."""
    return judge_answers(items, MODELS, config_for(server, **settings), "dag/run", today=today)


def scores(items: Sequence[dict[str, Any]]) -> dict[tuple[str, str], float | None]:
    """Truthfulness by item and model."""
    return {(item["id"], name): item["scores"]["truthfulness"][name] for item in items for name in MODELS}


def is_anchor(body: Any) -> bool:
    """Whether a request is about an anchor."""
    data = graded_of(body)
    return data is not None and (data["question"], data["answer"]) in ALL_OF_THEM


def knowing(change: Callable[[int], int] = lambda grade: grade) -> Callable[[dict[str, Any]], Reply]:
    """A judge that grades anchors as they are graded, but for `change`, and everything else as `Model` does."""
    model = Model()

    def answer(body: dict[str, Any]) -> Reply:
        data = graded_of(body)
        assert data is not None
        anchor = ALL_OF_THEM.get((data["question"], data["answer"]))
        if anchor is None:
            return model(body)
        return Reply(f'{{"reasoning": "known", "score": {change(anchor.grade)}}}')

    return answer
