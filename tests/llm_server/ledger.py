"""What the server was asked, what it sent, and what that costs: each request as it came, and the totals."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from llm_server.errors import Json
from llm_server.faults import Fault

Outcome = Literal["open", "answered", "abandoned", "stopped"]


@dataclass(frozen=True)
class Usage:
    """Tokens of one completion, or of several."""

    prompt_tokens: int
    completion_tokens: int

    def __add__(self, other: Usage) -> Usage:
        prompt, completion = other.prompt_tokens, other.completion_tokens
        return Usage(self.prompt_tokens + prompt, self.completion_tokens + completion)


@dataclass(frozen=True)
class Price:
    """Money for a million tokens, and the share of it that falls away for a line of a batch."""

    prompt: float = 1.0
    completion: float = 4.0
    batch_discount: float = 0.5

    def of(self, usage: Usage) -> float:
        """What these tokens cost outside a batch."""
        return (usage.prompt_tokens * self.prompt + usage.completion_tokens * self.completion) / 1e6


@dataclass(frozen=True)
class Bill:
    """What was charged: completions that reached the client with their usage, good ones or not."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    money: float


@dataclass
class Served:
    """One request, from its arrival on; what is not known yet is None."""

    number: int
    at: float
    """Seconds since the server started."""
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: Json | None
    """The JSON sent; None for other bodies."""
    batch: str | None = None
    """The batch of which this request was a line."""
    key: str | None = None
    """Of a chat completion that was not refused: the hash of its messages, see `key_of`."""
    attempt: int = 0
    """How often the key had been asked for, this time included."""
    fault: Fault | None = None
    status: int | None = None
    """The status sent, if anything like one was."""
    content: str | None = None
    """The text sent as the message's content, spoilt or not."""
    usage: Usage | None = None
    """What was charged."""
    outcome: Outcome = "open"
    too_soon: bool = False
    """Whether the client came back before the time that a 429 had asked it to wait."""
    repeated: bool = False
    """Whether the same messages had been answered well before."""


class Ledger:
    """The account of a server; `changed` is notified, and `watch` called, whenever something was entered."""

    def __init__(self, price: Price, changed: threading.Condition, watch: Callable[[Served], None] | None) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.statuses: Counter[int | None] = Counter()
        self.faults: Counter[Fault] = Counter()
        self._price, self._changed, self._watch = price, changed, watch
        self._started = time.monotonic()
        self._served: list[Served] = []
        self._attempts: Counter[str] = Counter()
        self._well_answered: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._charges = 0
        self._charged = {False: Usage(0, 0), True: Usage(0, 0)}  # by whether in a batch

    @property
    def served(self) -> list[Served]:
        """All requests in the order of their arrival."""
        with self._changed:
            return list(self._served)

    @property
    def passages(self) -> int:
        """How many different messages were asked about."""
        return len(self._attempts)

    @property
    def well_answered(self) -> int:
        """To how many of them a right answer was sent."""
        return len(self._well_answered)

    @property
    def bill(self) -> Bill:
        """What all requests so far cost."""
        with self._changed:
            single, batched = self._charged[False], self._charged[True]
            money = self._price.of(single) + self._price.of(batched) * (1 - self._price.batch_discount)
            total = single + batched
            return Bill(self._charges, total.prompt_tokens, total.completion_tokens, money)

    def open(self, method: str, path: str, headers: dict[str, str], body: Json | None, batch: str | None) -> Served:
        """Enter a request that has come."""
        with self._changed:
            at = time.monotonic() - self._started
            served = Served(len(self._served) + 1, at, method, path, headers, body, batch)
            self._served.append(served)
            self._changed.notify_all()
            return served

    def ask(self, served: Served, key: str, choose: Callable[[int], Fault | None]) -> None:
        """Enter what it asks for, and the fault chosen for this attempt at it (1, 2, ...)."""
        with self._changed:
            self._attempts[key] += 1
            served.key, served.attempt = key, self._attempts[key]
            served.too_soon = served.at < self._not_before.get(key, 0.0)
            served.repeated = key in self._well_answered
            served.fault = choose(served.attempt)
            self._changed.notify_all()

    def wait(self, served: Served, seconds: float) -> None:
        """Enter that the client was told to leave this key alone for so long."""
        if served.key is not None:
            self._not_before[served.key] = time.monotonic() - self._started + seconds

    def close(
        self,
        served: Served,
        outcome: Outcome,
        status: int | None = None,
        usage: Usage | None = None,
        content: str | None = None,
    ) -> None:
        """Enter what is about to be sent, or that nothing is; `usage` is charged."""
        with self._changed:
            served.outcome, served.status, served.usage, served.content = outcome, status, usage, content
            self.outcomes[outcome] += 1
            self.statuses[status] += 1
            if served.fault is not None:
                self.faults[served.fault] += 1
            if usage is not None:
                self._charges += 1
                self._charged[served.batch is not None] += usage
                if served.key is not None and served.fault in {None, "slow"}:
                    self._well_answered.add(served.key)
            if self._watch is not None:
                self._watch(served)
            self._changed.notify_all()
