"""Every passage asked about, some at a time: each is answered or told why not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from tradewind.asking.asker import Asker, UnansweredError
from tradewind.asking.batch import Batches
from tradewind.asking.json_in_text import UnusableAnswerError
from tradewind.asking.question import Question
from tradewind.asking.server import Server, open_client
from tradewind.asking.store import AnswerStore
from tradewind.config import ExtractConfig
from tradewind.extraction.passages import Chunk
from tradewind.extraction.prompts import extraction, summary, verification
from tradewind.extraction.reply import Candidate, read_pairs, read_text, read_verdicts


@dataclass(frozen=True)
class Drawn:
    """What a passage was found to say."""

    chunk: Chunk
    facts: tuple[Candidate, ...]
    faults: tuple[tuple[Any, str], ...] = ()
    """Members of the answer that are no pairs, each with its reason."""
    summary: str | None = None


@dataclass(frozen=True)
class Unanswered:
    """A passage that has no answer, why, and what came instead."""

    chunk: Chunk
    reason: str
    raw: tuple[str, ...] = ()
    passing: bool = False
    """It may have an answer when the server is asked another time."""


async def draw(chunk: Chunk, asker: Asker, config: ExtractConfig) -> Drawn | Unanswered:
    """The pairs of one passage; BudgetReachedError and UserError end the whole."""
    try:
        text = await asker.ask(summary(chunk.text, chunk.language), read_text) if config.summarise else chunk.text
        facts, faults = await asker.ask(extraction(text, chunk.language, config), read_pairs)
    except UnansweredError as error:
        return Unanswered(chunk, str(error), tuple(error.raw), error.passing)
    return Drawn(chunk, tuple(facts), tuple(faults), text if config.summarise else None)


Verdicts = list[bool] | Unanswered
"""Whether each fact of a passage is supported, or why that is not known."""


async def verify(drawn: Drawn, asker: Asker) -> Verdicts:
    """Whether the passage supports each of its facts, in the model's own judgement."""
    try:
        return await asker.ask(*_check(drawn))
    except UnansweredError as error:
        return Unanswered(drawn.chunk, f"grounding.judge: {error}", tuple(error.raw))


def _check(drawn: Drawn) -> tuple[Question, Callable[[str], list[bool]]]:
    """The question that `verify` asks, and the reader of its answer."""
    pairs = [(fact.questions[0], fact.answer) for fact in drawn.facts]
    question = verification(drawn.chunk.text, drawn.chunk.language, pairs)
    return question, lambda text: read_verdicts(text, len(pairs))


async def fill_by_batch(passages: Sequence[Chunk], asker: Asker, batches: Batches, config: ExtractConfig) -> None:
    """Put the answers about these passages into the store, as far as a batch gives them."""
    texts = {chunk: chunk.text for chunk in passages}
    if config.summarise:
        asked = {chunk: summary(chunk.text, chunk.language) for chunk in passages}
        await batches.fill([(question, read_text) for question in asked.values()])
        texts = {}
        for chunk, question in asked.items():
            with suppress(UnusableAnswerError):  # `draw` asks again
                if (answer := asker.known(question)) is not None:
                    texts[chunk] = read_text(answer)
    await batches.fill([(extraction(text, chunk.language, config), read_pairs) for chunk, text in texts.items()])


async def fill_checks(drawn: Sequence[Drawn], batches: Batches) -> None:
    """Put the answers that `verify` will want into the store, as far as a batch gives them."""
    await batches.fill([_check(passage) for passage in drawn])


@asynccontextmanager
async def asking(config: ExtractConfig, store: AnswerStore, run: str) -> AsyncIterator[tuple[Asker, Batches]]:
    """One request at a time, or batches, over a connection of its own to the recipe's server."""
    async with open_client(config) as client:
        server = Server(config, client)
        batches = Batches(client, server, store, run, config)
        yield Asker(server, store, run, config, batches), batches
