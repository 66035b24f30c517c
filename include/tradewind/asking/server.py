"""One request to an OpenAI-compatible server, in the strongest form that it takes."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradewind.asking.question import Question
from tradewind.asking.usage import Usage
from tradewind.config import AskConfig
from tradewind.errors import UserError, without_secret
from tradewind.preflight import server_key

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion

log = logging.getLogger("tradewind")
_ALL_REFUSED = 3
"""After so many refusals and no answer it is not the single questions that the server refuses."""
_WEAKER = {"json_schema": "json_object", "json_object": "text"}


class PassingFaultError(Exception):
    """The same request may succeed later.

    Attributes:
        after: seconds that the server asked to wait, if it did.
        usage: what it charged; None where it may have charged and did not say.
    """

    def __init__(self, why: str, *, after: float | None = None, usage: Usage | None = None) -> None:
        super().__init__(why)
        self.after = after
        self.usage = usage


class WeakerFormError(PassingFaultError):
    """The server does not take the request's form; the next one is sent in a weaker form."""


class RefusedError(Exception):
    """The server will not answer this one request, however often it is sent; `usage` is what it charged."""

    def __init__(self, why: str, usage: Usage | None) -> None:
        super().__init__(why)
        self.usage = usage


@dataclass(frozen=True)
class Completion:
    """What the server answered."""

    text: str
    usage: Usage | None
    """None where the server does not tell."""
    model: str
    cut_off: bool
    """It reached `max_completion_tokens`."""


def open_client(config: AskConfig) -> AsyncOpenAI:
    """A connection to the recipe's server, to be closed by its user; UserError where its key is not set."""
    from openai import AsyncOpenAI

    key = server_key(config, config.block)
    # max_retries: each request is entered in the ledger, so none may be sent behind its back.
    return AsyncOpenAI(api_key=key, base_url=config.base_url, timeout=config.timeout, max_retries=0)


class Server:
    """What the recipe names, and what it turned out not to take: that is asked once, not for each question."""

    def __init__(self, config: AskConfig, client: AsyncOpenAI) -> None:
        """Use `client`, which must not retry by itself: every request is entered in the ledger."""
        self._client = client
        self._config = config
        self._format: str = config.response_format
        self._temperature = config.temperature
        self._limit = "max_completion_tokens"
        self._system_role = True
        self._answered = False
        self._refused = 0

    def body(self, question: Question) -> dict[str, Any]:
        """The request, with what the server has not refused so far."""
        body: dict[str, Any] = {
            "model": self._config.model,
            "messages": question.messages if self._system_role else question.single_message,
            self._limit: self._config.max_completion_tokens,
        }
        if self._temperature is not None:
            body["temperature"] = self._temperature
        if question.schema is not None and self._format == "json_schema":
            schema = {"name": "answer", "strict": True, "schema": question.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif question.schema is not None and self._format == "json_object":
            body["response_format"] = {"type": "json_object"}
        return body

    async def ask(self, question: Question) -> Completion:
        """Send it once.

        Raises:
            PassingFaultError: nothing, or nothing that is an answer, came back.
            WeakerFormError: the server refused an option of the request, which is left out from now on.
            RefusedError: the server refuses this request, or the model refuses to answer.
            UserError: the server refuses every request: its key, its model, its quota.
        """
        import openai

        body = self.body(question)
        try:
            # The client's own timeout starts anew with each byte: a server that drips would hold it for ever.
            async with asyncio.timeout(self._config.timeout):
                reply = await self._client.chat.completions.create(**body)
        except openai.APIStatusError as error:
            raise self._judged(error, body) from error
        except (openai.APIConnectionError, openai.APIResponseValidationError, TimeoutError) as error:
            said = "no answer within the time limit" if _is_timeout(error) else f"{type(error).__name__}"
            # What never reached the server cannot have been charged.
            unsent = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
            raise PassingFaultError(said, usage=Usage() if unsent else None) from error
        except ValueError as error:  # a body that is announced as JSON and is none
            raise PassingFaultError("a reply that is no JSON") from error
        self._answered = True
        return read_completion(reply, self._client.api_key)

    def _judged(self, error: Any, body: dict[str, Any]) -> Exception:
        """What a status other than 200 means for this request and those to come."""
        status, said = error.status_code, _said(error, self._client.api_key)
        where, block = self._config.base_url or "the default server", self._config.block
        if status == 429 and getattr(error, "code", None) == "insufficient_quota":
            return UserError(f"{block}: {where}: the account's quota is used up; add to it, then clear the task")
        if status in (408, 409, 425, 429) or status >= 500:
            return PassingFaultError(f"HTTP {status}", after=_retry_after(error.response.headers), usage=Usage(1))
        if status in (400, 422) and self._give_in(error, body):
            return WeakerFormError(said, usage=Usage(1))
        self._refused += 1
        if status in (401, 403, 404) or (self._refused >= _ALL_REFUSED and not self._answered):
            return UserError(
                f"{block}: {where} refused '{self._config.model}' with HTTP {status} ({said}); "
                f"check base_url, model and {self._config.api_key_env}"
            )
        return RefusedError(f"HTTP {status}: {said}", Usage(1))

    def _give_in(self, error: Any, body: dict[str, Any]) -> bool:
        """Leave out what the server names as not taken; False where it names nothing of ours."""
        text = f"{getattr(error, 'param', None) or ''} {_said(error, self._client.api_key)}"
        if "response_format" in body and any(word in text for word in ("response_format", "json_schema", "schema")):
            sent = body["response_format"]["type"]
            if self._format == sent:  # not yet done by a request that was sent beside this one
                self._format = _WEAKER[sent]
                log.warning(
                    "%s: the server takes no response_format %s; asking for %s", self._config.block, sent, self._format
                )
            return True
        if "temperature" in body and "temperature" in text:
            self._temperature = None
            return True
        if "max_completion_tokens" in body and "max_completion_tokens" in text:
            self._limit = "max_tokens"
            return True
        if len(body["messages"]) > 1 and "system" in text.casefold() and "role" in text.casefold():
            self._system_role = False  # such as Gemma's own chat template
            return True
        return False


def most_tokens(question: Question, longest: int) -> Usage:
    """The most one request can cost whose answer has `longest` tokens: no tokenizer makes more tokens than bytes.

    The schema is part of the prompt for servers that show it to the model; 16 tokens cover a
    message's frame, of which OpenAI's have 3 to 4.
    """
    sizes = [len(message["content"].encode()) + 16 for message in question.messages]
    schema = len(json.dumps(question.schema)) if question.schema is not None else 0
    return Usage(1, sum(sizes) + schema, longest)


def read_completion(reply: ChatCompletion | str, key: str) -> Completion:
    """The answer in a 200; what it tells of a fault is told without `key`.

    Raises:
        PassingFaultError: it is none, such as a proxy's page.
        RefusedError: the model refuses to answer.
    """
    if isinstance(reply, str):
        raise PassingFaultError("a reply that is no JSON")
    usage = reply.usage
    used = None if usage is None else Usage(1, usage.prompt_tokens, usage.completion_tokens)
    if not reply.choices:
        told = (reply.model_extra or {}).get("error")
        why = f"a 200 with an error: {_short(without_secret(str(told), key))}" if told else "a 200 without an answer"
        raise PassingFaultError(why, usage=used)
    choice = reply.choices[0]
    message = choice.message
    if message is None:
        raise PassingFaultError("a 200 without an answer", usage=used)
    if message.refusal or choice.finish_reason == "content_filter":
        raise RefusedError(f"refused: {_short(message.refusal or 'content filter')}", used)
    return Completion(message.content or "", used, reply.model or "", choice.finish_reason == "length")


def _is_timeout(error: BaseException) -> bool:
    import openai

    return isinstance(error, TimeoutError | openai.APITimeoutError)


def _retry_after(headers: Any) -> float | None:
    """Seconds, from OpenAI's `retry-after-ms` or HTTP's Retry-After; a date there is left to the back-off."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None


def _said(error: Any, key: str) -> str:
    """What the server says, without the key, which some echo."""
    body = error.body if isinstance(error.body, dict) else {}
    return _short(without_secret(str(body.get("message") or error.message), key))


def _short(text: object) -> str:
    plain = " ".join(str(text).split())
    return plain if len(plain) <= 200 else f"{plain[:200]}..."
