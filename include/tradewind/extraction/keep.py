"""Which of the drawn pairs may be trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tradewind.config import RunConfig
from tradewind.extraction.draw import Drawn, Unanswered, Verdicts
from tradewind.extraction.grounding import Claim, faults
from tradewind.extraction.nearness import Embed
from tradewind.extraction.passage_bound import is_passage_bound
from tradewind.extraction.reply import Candidate
from tradewind.sources.record import Rejected


@dataclass
class Kept:
    """One row a passage with its pairs, and everything else with its reason."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        """How many pairs the rows hold."""
        return sum(len(row["pairs"]) for row in self.rows)


def ungrounded(drawn: Sequence[Drawn], config: RunConfig, embed: Embed) -> list[dict[Candidate, str]]:
    """For each passage the facts that it does not support, with the reason."""
    facts = [(index, fact) for index, passage in enumerate(drawn) for fact in passage.facts]
    claims = [Claim(fact.answer, drawn[index].chunk.text, drawn[index].chunk.language) for index, fact in facts]
    grounding = config.extract.grounding if config.extract else None
    found: list[dict[Candidate, str]] = [{} for _ in drawn]
    if grounding is None:
        return found
    for (index, fact), fault in zip(facts, faults(claims, grounding, embed, config.evaluate.max_floor), strict=True):
        if fault is not None:
            found[index][fact] = fault
    return found


def keep(passages: Sequence[Drawn | Unanswered], unsupported: Sequence[dict[Candidate, str]]) -> Kept:
    """Everything that was drawn, as a pair or as a rejection.

    Args:
        passages: what became of each.
        unsupported: of each passage that has an answer, in order, the facts to leave out.
    """
    kept = Kept()
    reasons = iter(unsupported)
    for passage in passages:
        if isinstance(passage, Unanswered):
            _reject(kept, passage, "", passage.reason, passage.chunk.text)
        else:
            _add(kept, passage, next(reasons))
    return kept


def doubted(passage: Drawn, verdicts: Verdicts) -> dict[Candidate, str]:
    """The facts that the model's own check did not confirm."""
    if isinstance(verdicts, Unanswered):
        return dict.fromkeys(passage.facts, verdicts.reason)
    judged = zip(passage.facts, verdicts, strict=True)
    return {fact: "not supported by its passage: grounding.judge says so" for fact, holds in judged if not holds}


def _add(kept: Kept, passage: Drawn, unsupported: dict[Candidate, str]) -> None:
    chunk = passage.chunk
    pairs: list[dict[str, Any]] = []
    number = 0
    for index, fact in enumerate(passage.facts, 1):
        for question in fact.questions:
            number += 1
            reason = unsupported.get(fact)
            if reason is None and is_passage_bound(question, chunk.language):
                reason = "flagged: makes sense only with its passage"
            if reason is None:
                pairs.append({"question": question, "answer": fact.answer, "fact": index})
            else:
                _reject(kept, passage, f", pair {number}", reason, {"question": question, "answer": fact.answer})
    for member, reason in passage.faults:
        number += 1
        _reject(kept, passage, f", pair {number}", reason, member)
    row: dict[str, Any] = {"file": chunk.file, "passage": chunk.number, "language": chunk.language}
    summary = {} if passage.summary is None else {"summary": passage.summary}
    kept.rows.append({**row, "context": chunk.text, **summary, "pairs": pairs})


def _reject(kept: Kept, passage: Drawn | Unanswered, place: str, reason: str, excerpt: object) -> None:
    kept.rejected.append(Rejected.of(passage.chunk.file, f"passage {passage.chunk.number}{place}", reason, excerpt))
