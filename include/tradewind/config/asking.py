"""How a model behind a server is asked, and what that may cost."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tradewind.config.base import Frozen, SecretName


class ServerConfig(Frozen):
    """A model behind an OpenAI-compatible server."""

    model: str
    """The model's name at the server."""
    base_url: str | None = None
    """Such as `http://localhost:8000/v1`; None: OpenAI's own."""
    api_key_env: SecretName = "OPENAI_API_KEY"
    """The *name* of the environment variable that holds the key; the key itself never enters a file."""
    timeout: Annotated[float, Field(gt=0)] = 60.0
    """Seconds until a request without an answer is sent again."""

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is not None and not is_http(url):
            raise ValueError("an address begins with http:// or https:// and names a host")
        return url


def is_http(url: str) -> bool:
    """Whether it is an address of HTTP that names a host."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only when asked for
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(map(str.isspace, url))


class BudgetConfig(Frozen):
    """What one run may spend, its shards and tries together; None: no bound."""

    requests: Annotated[int, Field(ge=0)] | None = None
    """How many are sent at most."""
    tokens: Annotated[int, Field(ge=0)] | None = None
    """Of questions and answers together."""
    money: Annotated[float, Field(ge=0)] | None = None
    """In the currency of `price`."""
    when_reached: Literal["stop", "go_on"] = "stop"
    """Fail, to be cleared with a larger budget, or go on with what is answered so far."""


class PriceConfig(Frozen):
    """What the server's owner charges for a million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    """For a million tokens of questions."""
    completion: Annotated[float, Field(ge=0)]
    """For a million tokens of answers."""
    batch_discount: Annotated[float, Field(ge=0, le=1)] = 0.5
    """What share of the price falls away for requests sent through the Batch API."""
    currency: str = "USD"
    """Only shown, never converted."""


class AskConfig(ServerConfig):
    """How a server is asked many questions, each answer paid for once."""

    block: ClassVar[str]
    """The recipe's block, by which messages name a setting."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    """Sent only if stated, and no more once the server refused it."""
    max_completion_tokens: Annotated[int, Field(ge=64)] = 4096
    """The longest answer that the server may give; a longer one is cut off and not used."""
    response_format: Literal["json_schema", "json_object", "text"] = "json_schema"
    """What is tried first; a server that refuses it is asked in the next weaker form."""
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests under way at once, in each shard."""
    attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """How often a question is asked until its answer can be used."""
    patience: Annotated[float, Field(ge=0)] = 300.0
    """Seconds for which a request is sent again while the server is busy, broken or out of reach."""
    retry_failed: bool = False
    """Ask again what the model refused, or answered in no usable way, in earlier runs."""
    budget: BudgetConfig = BudgetConfig()
    """What one run may spend."""
    price: PriceConfig | None = None
    """Needed for `budget.money`, and for a cost in the log."""

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> Self:
        if self.budget.money is not None and self.price is None:
            raise ValueError("budget.money needs price, what a million tokens cost")
        return self


class BatchConfig(AskConfig):
    """The same where OpenAI's Batch API may be used."""

    batch: bool = False
    """Use OpenAI's Batch API: cheaper, within a day."""
    batch_poll_seconds: Annotated[float, Field(gt=0)] = 60.0
    """Seconds from one look at a batch to the next."""
