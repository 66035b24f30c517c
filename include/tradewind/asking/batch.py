"""The same questions through OpenAI's Batch API: cheaper, within a day, and found again after a kill.

A batch is entered in the ledger before it is sent, under a name of ours that it carries as metadata.
Whoever wants one of its answers after its process died goes on with it: by the server's id or, if
that was never heard, by the name. The server's list of batches must show those made before.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from tradewind.asking.batch_file import divided, read_line
from tradewind.asking.json_in_text import UnusableAnswerError, is_whole
from tradewind.asking.question import Question
from tradewind.asking.server import Server, most_tokens
from tradewind.asking.store import AnswerStore, OpenBatch
from tradewind.asking.usage import Spent, Usage
from tradewind.config import BatchConfig
from tradewind.errors import TemporaryError, UserError

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

log = logging.getLogger("tradewind")
_ENDED = ("completed", "failed", "expired", "cancelled")
_NAME = "tradewind"
"""The key of the batch's metadata that holds our name for it."""
_TRIES = 6
"""Of each call that sends, polls or fetches: over some 20 seconds."""
_LOOK_AGAIN = 5.0
"""Seconds, at most, between two looks at whether another process still looks after its batch."""

Read = Callable[[str], Any]
"""Raises UnusableAnswerError for a text that is not of the form asked for."""
Readers = Mapping[str, Read]
"""By the key of the question. An answer to another question is kept as it is: who wants it reads it then."""
_Reply = TypeVar("_Reply")


class _PageError(Exception):
    """A 200 that is none of the API's, such as a proxy's page."""


class Batches:
    """The batches of one run, and those of others that hold up this one."""

    def __init__(self, client: AsyncOpenAI, server: Server, store: AnswerStore, run: str, config: BatchConfig) -> None:
        """Send requests in the form that `server` would send them in one by one."""
        self._once = client
        # None of these calls is charged. The one that makes a batch must not be sent twice: see `_create`.
        self._client = client.with_options(max_retries=_TRIES - 1)
        self._server = server
        self._store = store
        self._run = run
        self._config = config
        self._waited_for: set[str] = set()

    async def fill(self, asked: Sequence[tuple[Question, Read]]) -> None:
        """Put into the store what batches answer of these; what they do not is left to single requests.

        Does nothing where the recipe has no `batch`. What a living process asks already is left to it.

        Raises:
            TemporaryError: the server cannot be reached; the batch is found again.
            UserError: the server refuses the batch, or the batch failed as a whole.
        """
        if not self._config.batch:
            return
        by_key = {
            question.key(self._config.model, self._config.temperature): (question, read) for question, read in asked
        }
        readers = {key: read for key, (_, read) in by_key.items()}
        with self._told():
            for batch in self._store.batches(by_key):
                await self._adopt(batch, readers)
            missing = {key: question for key, (question, _) in by_key.items() if self._store.answer(key) is None}
            await self._send(missing, readers)

    async def look_after(self, key: str) -> None:
        """Go on with the batches that hold up a request, with its answer or with the budget, if nobody else does.

        Raises:
            TemporaryError: the server cannot be reached; the batch is found again.
            UserError: it refuses the key.
        """
        held_up = False
        for batch in self._store.batches([key], self._run):
            if batch.is_orphan:
                with self._told():
                    await self._adopt(batch, {})
                continue
            held_up = True
            if batch.name not in self._waited_for:
                self._waited_for.add(batch.name)
                log.info("waiting for batch %s, which another task looks after", batch.number or batch.name)
        if held_up:
            await asyncio.sleep(min(_LOOK_AGAIN, self._config.batch_poll_seconds))

    async def _send(self, missing: dict[str, Question], readers: Readers) -> None:
        sent: list[tuple[str, Batch]] = []
        for lines in divided((key, self._server.body(question)) for key, question in missing.items()):
            name = uuid.uuid4().hex
            most = {key: self._spent(most_tokens(missing[key], self._config.max_completion_tokens)) for key in lines}
            entered, reached = self._store.open_batch(name, self._run, most, self._config.budget)
            if entered:
                sent.append((name, await self._upload(name, b"".join(lines[key] for key in entered))))
            else:
                self._store.close_batch(name, charged=False)
            if reached is not None:
                log.warning(
                    "%s.%s has room for %d of %d requests", self._config.block, reached, len(entered), len(lines)
                )
                break
        for name, batch in sent:
            if (failure := await self._await(name, batch, readers)) is not None:
                raise UserError(
                    f"{self._config.block}.batch: {failure}; mend it, or turn batch off and clear configure; "
                    "then clear the task"
                )

    async def _upload(self, name: str, content: bytes) -> Batch:
        try:
            file = _made(await self._client.files.create(file=(f"{name}.jsonl", content), purpose="batch"))
        except BaseException:  # a file alone is not charged
            self._store.close_batch(name, charged=False)
            raise
        batch = await self._create(name, file.id)
        self._store.name_batch(name, batch.id)
        log.info("batch %s is sent", batch.id)
        return batch

    async def _create(self, name: str, file_id: str) -> Batch:
        """Make the batch, and no second one where the reply to the first call was lost."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

        tried = False

        async def create() -> Batch:
            nonlocal tried
            if tried and (made := await self._find(name)) is not None:
                return made
            tried = True
            return _made(
                await self._once.batches.create(
                    input_file_id=file_id,
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={_NAME: name},
                )
            )

        tries = AsyncRetrying(
            stop=stop_after_attempt(_TRIES),
            wait=wait_exponential_jitter(multiplier=0.25, max=8.0, jitter=0.25),
            retry=retry_if_exception(_is_passing),
            reraise=True,
        )
        try:
            return await tries(create)
        except Exception as error:
            if not _is_passing(error):  # the server says that it made none
                self._store.close_batch(name, charged=False)
            raise

    async def _adopt(self, batch: OpenBatch, readers: Readers) -> None:
        """Go on with a batch that a process which is gone sent, or may have sent."""
        if not self._store.claim_batch(batch.name):
            return
        if batch.number is not None:
            found = await self._retrieve(batch.name, batch.number)
        elif (found := await self._find(batch.name)) is not None:
            self._store.name_batch(batch.name, found.id)
        else:  # it died before it sent the batch
            self._store.close_batch(batch.name, charged=False)
        if found is None:
            return
        log.info("going on with batch %s", found.id)
        if (failure := await self._await(batch.name, found, readers)) is not None:
            log.warning("%s", failure)

    async def _find(self, name: str) -> Batch | None:
        from openai import APIStatusError

        try:
            async for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(_NAME) == name:
                    return batch
        except APIStatusError as error:
            if not _is_unknown(error):
                raise
        return None

    async def _retrieve(self, name: str, number: str) -> Batch | None:
        """The batch as it stands; None, and it is given up, where the server does not know it."""
        from openai import APIStatusError

        try:
            return _made(await self._client.batches.retrieve(number))
        except APIStatusError as error:
            if not _is_unknown(error):
                raise
        log.warning(
            "%s does not know batch %s (any more): its requests are asked again, and count in the budget "
            "as the most that they can have cost", self._where, number,
        )  # fmt: skip
        self._store.close_batch(name, charged=True)
        return None

    async def _await(self, name: str, batch: Batch, readers: Readers) -> str | None:
        """Enter what comes of the batch once it has ended; returns why it failed as a whole, if it did."""
        while batch.status not in _ENDED:
            await asyncio.sleep(self._config.batch_poll_seconds)
            found = await self._retrieve(name, batch.id)
            if found is None:
                return None
            batch = found
            counts = batch.request_counts
            if counts is not None:
                log.info("batch %s: %s, %d of %d", batch.id, batch.status, counts.completed, counts.total)
        if batch.status == "failed":
            why = (batch.errors.data or []) if batch.errors else []
            self._store.close_batch(name, charged=False)
            return f"batch {batch.id} failed: {why[0].message if why else 'no reason given'}"
        whole = await self._collect(name, batch, readers)
        # One that was cut short leaves requests unasked; a completed one tells of each.
        self._store.close_batch(name, charged=not whole or batch.status == "completed")
        return None

    async def _collect(self, name: str, batch: Batch, readers: Readers) -> bool:
        """Enter the outcomes that the batch's files tell; False where a part of these cannot be read."""
        from openai import APIStatusError

        numbers, whole = self._store.batch_requests(name), True
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            try:
                content = (await self._client.files.content(file_id)).content
            except APIStatusError as error:
                if not _is_unknown(error):
                    raise
                log.warning("batch %s: its file %s is gone", batch.id, file_id)
                whole = False
                continue
            for line in filter(bytes.strip, content.split(b"\n")):
                whole &= self._settle(line, numbers, readers)
        return whole

    def _settle(self, line: bytes, numbers: dict[str, int], readers: Readers) -> bool:
        """Enter the outcome that one line tells; False if it tells of none."""
        try:
            outcome = read_line(line)
        except ValueError:
            log.warning("a line of a batch's file cannot be read")
            return False
        number = numbers.pop(outcome.key, None)
        if number is None:  # entered before a kill
            return True
        kept = None
        if outcome.completion is not None:
            kept = (outcome.completion.text, outcome.completion.model)
            try:
                readers.get(outcome.key, str)(outcome.completion.text)
            except UnusableAnswerError as error:
                log.info("a batch's answer cannot be used (%s)", error)
                kept = None
            if outcome.completion.cut_off and not is_whole(outcome.completion.text):
                kept = None
        self._store.close_request(number, None if outcome.usage is None else self._spent(outcome.usage), kept)
        return True

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Faults of the server as errors for the user."""
        import openai

        try:
            yield
        except (openai.APIError, _PageError, json.JSONDecodeError) as error:
            said = f"{self._config.block}.batch: {self._where}: {' '.join(str(error).split())[:200]}"
            if _is_passing(error):
                raise TemporaryError(f"{said}; clear the task later: a batch that was sent is found again") from error
            raise UserError(
                f"{said}; mend it, or turn batch off and clear configure; then clear the task: "
                "a batch that was sent is found again"
            ) from error

    @property
    def _where(self) -> str:
        return self._config.base_url or "the default server"

    def _spent(self, usage: Usage) -> Spent:
        return Spent(usage, usage.cost(self._config.price, batch=True))


def _made(reply: _Reply) -> _Reply:
    """The client gives the text of a reply that is not announced as JSON."""
    if isinstance(reply, str):
        raise _PageError("a reply that is no JSON")
    return reply


def _is_passing(error: BaseException) -> bool:
    """Whether the same call may succeed later."""
    import openai

    if not isinstance(error, openai.APIStatusError):
        return isinstance(error, openai.APIError | _PageError | json.JSONDecodeError)
    if error.status_code == 429:
        return error.code != "insufficient_quota"
    return error.status_code in (408, 409, 425) or (error.status_code >= 500 and error.status_code != 501)


def _is_unknown(error: Any) -> bool:
    """Whether the server has no such thing, or no Batch API at all; a refused key says nothing of that."""
    return error.status_code not in (401, 403, 429) and not _is_passing(error)
