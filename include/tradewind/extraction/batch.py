"""The same questions through OpenAI's Batch API: cheaper, within a day, and found again after a kill.

The batch is entered in the ledger before it is sent, under a name of ours that it carries as
metadata; so whichever moment a process dies at, the next one finds the batch instead of paying for another.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tradewind.config import ExtractConfig
from tradewind.errors import UserError
from tradewind.extraction.prompts import Question
from tradewind.extraction.reply import UnusableAnswerError
from tradewind.extraction.server import PassingFaultError, RefusedError, Server, most_tokens, read_completion
from tradewind.extraction.store import AnswerStore
from tradewind.extraction.usage import Spent, Usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch

log = logging.getLogger("tradewind")
_ENDED = ("completed", "failed", "expired", "cancelled")
_NAME = "tradewind"
"""The key of the batch's metadata that holds our name for it."""

Read = Callable[[str], Any]
"""Raises UnusableAnswerError for a text that is not of the form asked for."""


class Batches:
    """The batches of one run."""

    def __init__(
        self, client: AsyncOpenAI, server: Server, store: AnswerStore, run: str, config: ExtractConfig
    ) -> None:
        """Send requests in the form that `server` would send them in one by one."""
        self._client = client
        self._server = server
        self._store = store
        self._run = run
        self._config = config

    async def fill(self, questions: Sequence[Question], read: Read) -> None:
        """Put into the store what a batch answers of these; what it does not is left to single requests.

        Raises:
            UserError: the server refuses the batch.
        """
        import openai

        by_key = {question.key(self._config.model, self._config.temperature): question for question in questions}
        try:
            for name, number in self._store.batches(self._run).items():
                await self._adopt(name, number, read)
            missing = {key: question for key, question in by_key.items() if self._store.answer(key) is None}
            if missing:
                await self._send(missing, read)
        except openai.APIError as error:
            where = self._config.base_url or "the default server"
            raise UserError(
                f"extract.batch: {where}: {' '.join(str(error).split())[:200]}; turn batch off, or clear the task "
                "to go on with the batch that was sent"
            ) from error

    async def _send(self, missing: dict[str, Question], read: Read) -> None:
        name = uuid.uuid4().hex
        longest = self._config.max_completion_tokens
        most = {key: self._spent(most_tokens(question, longest)) for key, question in missing.items()}
        entered, reached = self._store.open_batch(name, self._run, most, self._config.budget)
        if reached is not None:
            log.warning("extract: %s has room for %d of %d requests", reached, len(entered), len(missing))
        if not entered:
            self._store.close_batch(name)
            return
        lines = [
            {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": self._server.body(missing[key])}
            for key in entered
        ]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        file = await self._client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
        batch = await self._client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={_NAME: name}
        )
        self._store.name_batch(name, batch.id)
        log.info("extract: batch %s with %d requests is sent", batch.id, len(entered))
        await self._await(name, batch, read)

    async def _adopt(self, name: str, number: str | None, read: Read) -> None:
        """Go on with a batch that an earlier process sent, or may have sent."""
        batch = await (self._client.batches.retrieve(number) if number else self._find(name))
        if batch is None:
            self._store.close_batch(name)
            return
        log.info("extract: going on with batch %s", batch.id)
        await self._await(name, batch, read)

    async def _find(self, name: str) -> Batch | None:
        async for batch in self._client.batches.list(limit=100):
            if (batch.metadata or {}).get(_NAME) == name:
                return batch
        return None

    async def _await(self, name: str, batch: Batch, read: Read) -> None:
        while batch.status not in _ENDED:
            await asyncio.sleep(self._config.batch_poll_seconds)
            batch = await self._client.batches.retrieve(batch.id)
            counts = batch.request_counts
            if counts is not None:
                log.info("extract: batch %s: %s, %d of %d", batch.id, batch.status, counts.completed, counts.total)
        if batch.status == "failed":
            why = (batch.errors.data or []) if batch.errors else []
            self._store.close_batch(name)
            raise UserError(f"extract.batch: batch {batch.id} failed: {why[0].message if why else 'no reason given'}")
        requests = self._store.batch_requests(name)
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = await self._client.files.content(file_id)
            for line in content.text.splitlines():
                self._settle(line, requests, read)
        self._store.close_batch(name)

    def _settle(self, line: str, requests: dict[str, int], read: Read) -> None:
        """Enter what one line of a batch's output says."""
        from openai.types.chat import ChatCompletion
        from pydantic import ValidationError

        usage: Usage | None = Usage(1)
        kept, key = None, ""
        try:
            row = json.loads(line)
            key = row["custom_id"]
            response = row.get("response") or {}
            if response.get("status_code") == 200:
                completion = read_completion(ChatCompletion.model_validate(response["body"]), self._client.api_key)
                usage = completion.usage
                read(completion.text)
                kept = (completion.text, completion.model)
        except (PassingFaultError, RefusedError) as error:
            usage = error.usage
        except (UnusableAnswerError, ValidationError, ValueError, KeyError, TypeError) as error:
            log.info("extract: a batch's answer cannot be used (%s)", type(error).__name__)
        number = requests.pop(key, None)
        if number is not None:
            self._store.close_request(number, None if usage is None else self._spent(usage), kept)

    def _spent(self, usage: Usage) -> Spent:
        return Spent(usage, usage.cost(self._config.price, batch=True))
