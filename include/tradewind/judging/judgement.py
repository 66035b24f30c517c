"""What is to be asked about one answer, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from tradewind.asking.question import Question
from tradewind.config import JudgeConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.judging.address import addresses_judge
from tradewind.judging.prompts import grading
from tradewind.judging.verdict import Verdict

EMPTY = "not asked: the answer is empty"
ADDRESSED = "not asked: the answer gives the judge an order"


@dataclass(frozen=True)
class Unjudged:
    """Why there is no verdict."""

    reason: str
    passing: bool = False
    """There may be one when the server is asked another time."""


@dataclass(frozen=True)
class Judgement:
    """The verdicts on one answer."""

    reasoning: str = ""
    """Of the first."""
    samples: tuple[int, ...] = ()
    fault: str | None = None
    """Why the answer is unscored."""
    passing: bool = False

    @property
    def score(self) -> float | None:
        """The mean of all samples; None where one is missing, since it could move the mean of the others."""
        return None if self.fault is not None else round(fmean(self.samples), 6)


def plan(item: Mapping[str, Any], name: str, judge: JudgeConfig) -> list[Question] | Judgement:
    """What to ask about a model's answer to an item, or what is settled without asking."""
    question, reference, answer = item["question"], item["answer"], item["answers"][name]
    if not answer.strip():
        return Judgement(EMPTY, (1,))
    if addresses_judge(answer, question, reference):
        return Judgement(fault=ADDRESSED)
    # The first sample is what a run with fewer samples has asked already.
    samples = ["", *(f"sample {number}" for number in range(2, judge.samples + 1))]
    return [grading(question, reference, answer, item["language"], occasion(judge, sample)) for sample in samples]


def occasion(judge: JudgeConfig, which: str) -> str:
    """Tells verdicts of two servers apart: behind one name, such as "llama", they may have different models."""
    return " ".join(filter(None, (which, judge.base_url and f"at {judge.base_url}")))


def gather(verdicts: Sequence[Verdict | Unjudged]) -> Judgement:
    """The judgement that the verdicts on one answer make."""
    given = [verdict for verdict in verdicts if isinstance(verdict, Verdict)]
    missing = [verdict for verdict in verdicts if isinstance(verdict, Unjudged)]
    return Judgement(
        given[0].reasoning if given else "",
        tuple(verdict.score for verdict in given),
        missing[0].reason if missing else None,
        bool(missing) and all(verdict.passing for verdict in missing),
    )


def stop_if_unscored(name: str, judgements: Sequence[Judgement], judge: JudgeConfig) -> None:
    """Fail where too large a share of a model's answers has no score; TemporaryError if that may pass by itself."""
    most = judge.max_unscored * len(judgements)
    unscored = [judgement for judgement in judgements if judgement.fault is not None]
    if len(unscored) <= most:
        return
    said = (
        f"{judge.block}: {len(unscored)} of {len(judgements)} answers of '{name}' got no score, above max_unscored "
        f"({judge.max_unscored:.0%}); the last: {unscored[-1].fault}"
    )
    if sum(not judgement.passing for judgement in unscored) <= most:
        raise TemporaryError(f"{said}; clear the task later: verdicts so far are kept")
    raise UserError(
        f"{said}; set retry_failed to ask again, or raise max_unscored; clear configure, then the task: "
        "verdicts so far are kept"
    )
