"""One question until it has a usable answer: from the store, or from the server within the budget."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from tradewind.asking.batch import Batches
from tradewind.asking.json_in_text import UnusableAnswerError, is_whole
from tradewind.asking.question import Question
from tradewind.asking.server import PassingFaultError, RefusedError, Server, WeakerFormError, most_tokens
from tradewind.asking.store import AnswerStore, BudgetReachedError, Wait
from tradewind.asking.usage import Spent, Usage
from tradewind.config import AskConfig
from tradewind.errors import UserError

if TYPE_CHECKING:
    from tenacity import RetryCallState

log = logging.getLogger("tradewind")
_T = TypeVar("_T")
_LOOK_AGAIN = 0.2
"""Seconds between two looks at what another process of the run is doing."""
_LONGEST_WAIT = 300.0


class UnansweredError(Exception):
    """No usable answer was to be had.

    Attributes:
        raw: what came instead, the last one last.
        passing: it was the server's fault, and may be mended when it is asked another time.
    """

    def __init__(self, why: str, raw: list[str], *, passing: bool = False) -> None:
        super().__init__(why)
        self.raw = raw
        self.passing = passing


class Asker:
    """Asks within one run; `counts` says how often each thing happened."""

    def __init__(
        self, server: Server, store: AnswerStore, run: str, config: AskConfig, batches: Batches | None = None
    ) -> None:
        """Enter every request under `run`, whose shards share the budget.

        Args:
            batches: looks after those that hold up a request; None where no batches are sent.
        """
        self._batches = batches
        self._server = server
        self._store = store
        self._run = run
        self._config = config
        self._longest = config.max_completion_tokens
        self.counts: Counter[str] = Counter()

    async def ask(self, question: Question, read: Callable[[str], _T]) -> _T:
        """The answer as `read` understands it.

        Args:
            read: raises UnusableAnswerError for a text that is not of the form asked for.

        Raises:
            UnansweredError: after as many tries as the recipe allows, at once where the server or the
                model refuses this one, or where it did so in an earlier run.
            BudgetReachedError: the next request could pass the budget; it is not sent.
            UserError: the server refuses every request.
        """
        from tenacity import AsyncRetrying, retry_if_exception_type

        key = question.key(self._config.model, self._config.temperature)
        if not self._config.retry_failed and (failure := self._store.failure(key)) is not None:
            self.counts["from the store"] += 1
            raise UnansweredError(*failure)
        raw: list[str] = []
        tries = AsyncRetrying(
            stop=_Patience(self._config),
            wait=_pause,
            retry=retry_if_exception_type((PassingFaultError, UnusableAnswerError)),
            reraise=True,
        )
        try:
            return await tries(self._answer, question, key, read, raw)
        except PassingFaultError as error:
            raise UnansweredError(str(error), raw, passing=True) from error
        except (RefusedError, UnusableAnswerError) as error:
            self._store.fail(key, str(error), raw)
            raise UnansweredError(str(error), raw) from error

    def known(self, question: Question) -> str | None:
        """The text of the answer, if it is in the store."""
        return self._store.answer(question.key(self._config.model, self._config.temperature))

    async def _answer(self, question: Question, key: str, read: Callable[[str], _T], raw: list[str]) -> _T:
        entered = await self._enter(question, key)
        if isinstance(entered, str):
            try:
                answer = read(entered)
            except UnusableAnswerError:  # kept by a version that read it otherwise
                self._store.forget(key)
                raise
            self.counts["from the store"] += 1
            return answer
        while True:
            try:
                return await self._send(question, entered, read, raw)
            except WeakerFormError:
                entered = await self._enter(question, key)
                if isinstance(entered, str):
                    return read(entered)

    async def _enter(self, question: Question, key: str) -> int | str:
        """The ledger's number for a request that may be sent, or the answer that is there already."""
        usage = most_tokens(question, self._longest)
        most = Spent(usage, usage.cost(self._config.price))
        while True:
            if (known := self._store.answer(key)) is not None:
                return known
            try:
                entered = self._store.open_request(self._run, key, most, self._config.budget)
            except BudgetReachedError as error:
                raise BudgetReachedError(f"{self._config.block}.{error}") from error
            if not isinstance(entered, Wait):
                return entered
            if self._batches is not None:
                await self._batches.look_after(key)
            await asyncio.sleep(_LOOK_AGAIN)

    async def _send(self, question: Question, number: int, read: Callable[[str], _T], raw: list[str]) -> _T:
        self.counts["requests"] += 1
        try:
            completion = await self._server.ask(question)
        except (PassingFaultError, RefusedError) as error:
            self._close(number, error.usage)
            raise
        except UserError:
            self._close(number, Usage(1))  # a status that refuses every request charges no token
            raise
        except BaseException:  # cancelled, or a fault of ours: the server may go on and charge
            self._close(number, None)
            raise
        if completion.cut_off and not is_whole(completion.text):
            self._close(number, completion.usage)
            raw.append(completion.text)
            # It would be cut off at the same place again.
            raise RefusedError("the answer was cut off by max_completion_tokens", completion.usage)
        try:
            answer = read(completion.text)
        except UnusableAnswerError:
            self._close(number, completion.usage)
            raw.append(completion.text)
            raise
        self._close(number, completion.usage, (completion.text, completion.model))
        return answer

    def _close(self, number: int, usage: Usage | None, answer: tuple[str, str] | None = None) -> None:
        if usage is not None and usage.completion_tokens > self._longest:
            log.warning(
                "%s: the server wrote %d tokens, more than it was allowed", self._config.block, usage.completion_tokens
            )
            self._longest = usage.completion_tokens  # what it did once it may do again: the budget reckons with it
        spent = None if usage is None else Spent(usage, usage.cost(self._config.price))
        self._store.close_request(number, spent, answer)


class _Patience:
    """When to stop: unusable answers are counted, a server's faults are waited out."""

    def __init__(self, config: AskConfig) -> None:
        self._config = config
        self._unusable = 0

    def __call__(self, state: RetryCallState) -> bool:
        if isinstance(state.outcome.exception() if state.outcome else None, UnusableAnswerError):
            self._unusable += 1
        return self._unusable >= self._config.attempts or (state.seconds_since_start or 0) >= self._config.patience


def _pause(state: RetryCallState) -> float:
    """What the server asked for, else exponential back-off with jitter."""
    from tenacity import wait_exponential_jitter

    error = state.outcome.exception() if state.outcome else None
    log.info("%s; trying again", error)
    asked = getattr(error, "after", None)
    if asked is not None:
        return min(float(asked), _LONGEST_WAIT)
    return wait_exponential_jitter(multiplier=0.25, max=60.0, jitter=0.25)(state)
