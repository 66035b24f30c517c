"""Judge and extraction: one short question to each server, sent as the stages send theirs."""

from __future__ import annotations

import asyncio

from tradewind.asking.question import Question
from tradewind.asking.server import PassingFaultError, RefusedError, Server, WeakerFormError, open_client
from tradewind.config import AskConfig
from tradewind.doctor.check import Finding, failure, not_needed, ok
from tradewind.doctor.subject import Subject

LIMIT = 15.0
"""Seconds that an answer of a word may take."""
_QUESTION = Question("Answer with the word yes.", "Are you there?", None)
_FORMS = 4  # in which a request is sent before it is what the server takes
_REACH = "check base_url, the network and the proxy, and that the server runs"


def look_at_judge(subject: Subject) -> Finding:
    """The server that grades."""
    return _look(subject.config.evaluate.judge, "evaluate.judge")


def look_at_extract(subject: Subject) -> Finding:
    """The server that draws pairs from text."""
    return _look(subject.config.extract, "extract")


def _look(config: AskConfig | None, block: str) -> Finding:
    if config is None:
        return not_needed(f"the recipe has no block {block}")
    short = config.model_copy(update={"max_completion_tokens": 64, "timeout": min(config.timeout, LIMIT)})
    where = config.base_url or "OpenAI's own server"
    try:
        asyncio.run(_asked(short))
    except RefusedError as error:
        return failure(f"{where} refuses a short question ({error})", f"check {block}.model and the account")
    except PassingFaultError as error:
        return failure(f"{where}: {error}", _REACH)
    return ok(f"{config.model} answers at {where}")


async def _asked(config: AskConfig) -> None:
    """One answer, whatever it says; the exceptions of `Server.ask`."""
    async with open_client(config) as client:
        server = Server(config, client)
        for left in reversed(range(_FORMS)):
            try:
                await server.ask(_QUESTION)
            except WeakerFormError:
                if not left:
                    raise
            else:
                return
