"""Every passage asked about, some at a time: each is answered or told why not."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from tradewind.config import ExtractConfig
from tradewind.extraction.asker import Asker, UnansweredError
from tradewind.extraction.batch import Batches
from tradewind.extraction.json_in_text import UnusableAnswerError
from tradewind.extraction.passages import Chunk
from tradewind.extraction.prompts import Question, extraction, summary, verification
from tradewind.extraction.reply import Candidate, read_pairs, read_text, read_verdicts
from tradewind.extraction.server import Server
from tradewind.extraction.store import AnswerStore, BudgetReachedError
from tradewind.preflight import server_key

_In = TypeVar("_In")
_Out = TypeVar("_Out")


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
    from openai import AsyncOpenAI

    key = server_key(config, "extract")
    # max_retries: each request is entered in the ledger, so none may be sent behind its back.
    async with AsyncOpenAI(api_key=key, base_url=config.base_url, timeout=config.timeout, max_retries=0) as client:
        server = Server(config, client)
        batches = Batches(client, server, store, run, config)
        yield Asker(server, store, run, config, batches), batches


async def each(
    items: Sequence[_In], work: Callable[[_In], Awaitable[_Out]], *, at_once: int, what: str
) -> tuple[list[_Out | None], str | None]:
    """`work` on every item, in the items' order; None for those left when the budget reached its bound, named beside.

    Raises:
        UserError: as `work` does; what is under way is cancelled.
    """
    from tqdm import tqdm

    done: dict[int, _Out] = {}
    queue: Iterator[tuple[int, _In]] = iter(enumerate(items))
    reached: list[str] = []
    total = len(items)
    bar = tqdm(total=total, desc=what, unit="passage", file=sys.stderr)

    async def worker() -> None:
        for index, item in queue:
            try:
                done[index] = await work(item)
            except BudgetReachedError as error:
                reached.append(str(error))
                return
            bar.update()

    tasks = [asyncio.create_task(worker()) for _ in range(min(at_once, max(1, total)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        bar.close()
    return [done.get(index) for index in range(total)], reached[0] if reached else None
