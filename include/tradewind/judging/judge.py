"""Every answer of every model graded, and the judge measured by the anchors beside them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from tradewind.asking.asker import Asker, UnansweredError
from tradewind.asking.each import each
from tradewind.asking.question import Question
from tradewind.asking.server import Server, open_client
from tradewind.asking.store import AnswerStore, answers_file
from tradewind.config import JudgeConfig, Language, RunConfig
from tradewind.errors import UserError
from tradewind.judging.agreement import agreement
from tradewind.judging.anchors import anchors
from tradewind.judging.judgement import (
    ADDRESSED,
    EMPTY,
    Judgement,
    Unjudged,
    gather,
    occasion,
    plan,
    stop_if_unscored,
)
from tradewind.judging.prompts import grading, rubric_sha256
from tradewind.judging.record import JudgeRecord
from tradewind.judging.verdict import Verdict, read_verdict

_NOT_ASKED = "not asked: "
Verdicts = Mapping[str, Verdict | Unjudged]
"""By the key of the question."""


def judge_answers(
    predictions: Sequence[dict[str, Any]],
    models: Sequence[str],
    config: RunConfig,
    run: str,
    *,
    today: date | None = None,
) -> JudgeRecord:
    """Fill each prediction's `scores["truthfulness"]` and `judgements`, by model.

    The judge sees question, reference and answer, nothing of whose answer it is; the same three are asked
    about once, in an order that their content alone decides. Empty answers get 1, and answers that give the
    judge an order get no score, both without a request.

    Args:
        run: the ledger's name for the run; the judge's budget is apart from the extraction's.
        today: anchors are judged anew each day (UTC), since a verdict kept from another day hides a drift.

    Raises:
        UserError: the server refuses every request, the budget is reached, or too many answers of a model got
            no score. Verdicts so far are kept.
    """
    judge = config.evaluate.judge
    if judge is None:
        raise ValueError("the recipe has no block evaluate.judge")
    day = today or datetime.now(UTC).date()
    languages: list[Language] = sorted({item["language"] for item in predictions})
    planned = {(at, name): plan(item, name, judge) for at, item in enumerate(predictions) for name in models}
    probes = {
        anchor: grading(
            anchor.question, anchor.reference, anchor.answer, anchor.language, occasion(judge, f"anchor on {day}")
        )
        for anchor in anchors(languages)
    }
    asked = [question for part in planned.values() if isinstance(part, list) for question in part]
    store, ledger = AnswerStore(answers_file()), f"{run} {judge.block}"
    try:
        verdicts = asyncio.run(_ask([*asked, *probes.values()], judge, store, ledger))
        billed, (_, without_a_bill) = store.bill(ledger), store.unknown(ledger)
    finally:
        store.close()
    judged: dict[str, list[Judgement]] = {name: [] for name in models}
    for (_, name), part in planned.items():
        settled = part if isinstance(part, Judgement) else gather([verdicts[_key(one, judge)] for one in part])
        judged[name].append(settled)
    _fill(predictions, judged)
    for name, judgements in judged.items():
        stop_if_unscored(name, judgements, judge)
    on_anchors = {anchor: verdicts[_key(question, judge)] for anchor, question in probes.items()}
    scores = {anchor: one.score if isinstance(one, Verdict) else None for anchor, one in on_anchors.items()}
    agreed = agreement(scores, day, judge, languages)
    return JudgeRecord(
        model=judge.model,
        base_url=judge.base_url,
        temperature=judge.temperature,
        prompt_sha256={language: rubric_sha256(language) for language in languages},
        samples=judge.samples,
        unscored={name: sum(one.fault is not None for one in of_it) for name, of_it in judged.items()},
        empty={name: sum(one.reasoning == EMPTY for one in of_it) for name, of_it in judged.items()},
        addressed={name: sum(one.fault == ADDRESSED for one in of_it) for name, of_it in judged.items()},
        anchors_kappa=agreed.kappa,
        anchors_n=agreed.asked,
        anchors_unscored=agreed.unscored,
        drift=agreed.doubt,
        left_to_ask=sum(_may_be_given(verdicts[key], judge) for key in {_key(question, judge) for question in asked}),
        requests=billed.usage.requests,
        tokens=billed.usage.prompt_tokens + billed.usage.completion_tokens,
        cost=None if judge.price is None else round(billed.cost, 6),
        without_a_bill=without_a_bill,
    )


async def _ask(questions: Iterable[Question], judge: JudgeConfig, store: AnswerStore, ledger: str) -> Verdicts:
    by_key = {_key(question, judge): question for question in questions}
    keys = sorted(by_key)
    async with open_client(judge) as client:
        asker = Asker(Server(judge, client), store, ledger, judge)
        found, reached = await each(
            keys, lambda key: _verdict(by_key[key], asker), at_once=judge.concurrency, what="judge", unit="verdict"
        )
    if reached is not None and judge.budget.when_reached == "stop":
        raise UserError(
            f"{reached}: the next request could pass it, {found.count(None)} verdicts are left; "
            "raise it, clear configure, then the task: verdicts so far are kept, none is paid for twice"
        )
    return {key: verdict or Unjudged(f"{_NOT_ASKED}{reached}") for key, verdict in zip(keys, found, strict=True)}


async def _verdict(question: Question, asker: Asker) -> Verdict | Unjudged:
    try:
        return await asker.ask(question, read_verdict)
    except UnansweredError as error:
        return Unjudged(str(error), error.passing)


def _may_be_given(verdict: Verdict | Unjudged, judge: JudgeConfig) -> bool:
    if isinstance(verdict, Verdict):
        return False
    return verdict.passing or verdict.reason.startswith(_NOT_ASKED) or judge.retry_failed


def _key(question: Question, judge: JudgeConfig) -> str:
    return question.key(judge.model, judge.temperature)


def _fill(predictions: Sequence[dict[str, Any]], judged: Mapping[str, Sequence[Judgement]]) -> None:
    for name, judgements in judged.items():
        for item, judgement in zip(predictions, judgements, strict=True):
            item["scores"].setdefault("truthfulness", {})[name] = judgement.score
            told = {"reasoning": judgement.reasoning, "samples": list(judgement.samples), "fault": judgement.fault}
            item.setdefault("judgements", {})[name] = told
