"""Which requests go wrong, and how: drawn by seed, passage and attempt, so that order and timing change nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from llm_server.errors import ApiError, broken, overloaded, quota_spent

Fault = Literal[
    "rate_limit",  # 429 with the time to wait
    "quota",  # 429, insufficient_quota
    "server_error",  # 500, and 503 at each second attempt
    "unauthorized",  # 401
    "bad_request",  # 400
    "broken_json",  # 200, the JSON cut in its middle
    "prose",  # 200, the JSON inside prose and a code fence
    "refusal",  # 200, message.refusal set and no content
    "content_filter",  # 200, cut content and that finish_reason
    "length",  # 200, cut content and that finish_reason
    "empty_choices",  # 200, no choice at all
    "error_body",  # 200 with an error object
    "html",  # 200 with a page of some proxy
    "truncated",  # 200, half of the promised bytes
    "garbage",  # bytes that are no HTTP
    "disconnect",  # closed without a byte
    "hang",  # no answer until the client gives up or the server stops
    "slow",  # the right answer, late
]
NAMES: tuple[Fault, ...] = get_args(Fault)
OF_THE_WIRE: frozenset[Fault] = frozenset({"html", "truncated", "garbage", "disconnect", "hang", "slow"})
"""What can befall a connection, and so no line of a batch."""
UNREADABLE: frozenset[Fault] = OF_THE_WIRE - {"slow"}
"""What leaves the client without a completion, and so without a bill."""
OF_JSON: frozenset[Fault] = frozenset({"broken_json", "prose"})
"""What makes no sense for an answer in plain text."""


@dataclass(frozen=True)
class Faults:
    """The probability of each fault (their sum is 1 at most), what is forced, and how faults are played."""

    rate_limit: float = 0.0
    quota: float = 0.0
    server_error: float = 0.0
    unauthorized: float = 0.0
    bad_request: float = 0.0
    broken_json: float = 0.0
    prose: float = 0.0
    refusal: float = 0.0
    content_filter: float = 0.0
    length: float = 0.0
    empty_choices: float = 0.0
    error_body: float = 0.0
    html: float = 0.0
    truncated: float = 0.0
    garbage: float = 0.0
    disconnect: float = 0.0
    hang: float = 0.0
    slow: float = 0.0
    always: Mapping[str, Fault | Sequence[Fault | None]] = field(default_factory=dict)
    """Faults of every request whose passage holds the text ("" stands in all), instead of random ones.

    A list is played once, an item for each attempt; None is the right answer, and so is all that follows the list.
    """
    max_faults_per_passage: int = 3
    """How many attempts at one passage random faults may spoil."""
    retry_after: float = 0.02
    """Seconds that a 429 asks to wait."""
    retry_after_header: Literal["retry-after", "retry-after-ms", "none"] = "retry-after"
    slow_seconds: float = 0.5

    def __post_init__(self) -> None:
        if sum(getattr(self, name) for name in NAMES) > 1 + 1e-9:
            raise ValueError("the probabilities of all faults sum to more than 1")
        for forced in self.always.values():
            if unknown := {forced} - set(NAMES) if isinstance(forced, str) else set(forced) - {*NAMES, None}:
                raise ValueError(f"no such fault: {unknown.pop()}")

    def choose(self, seed: int, key: str, attempt: int, passage: str) -> Fault | None:
        """What befalls this attempt (1, 2, ...) at the passage."""
        for text, forced in self.always.items():
            if text in passage:
                if isinstance(forced, str):
                    return forced
                return forced[attempt - 1] if attempt <= len(forced) else None
        earlier = sum(self._draw(seed, key, number) is not None for number in range(1, attempt))
        return self._draw(seed, key, attempt) if earlier < self.max_faults_per_passage else None

    def _draw(self, seed: int, key: str, attempt: int) -> Fault | None:
        left = random.Random(f"{seed}:{key}:{attempt}").random()
        for name in NAMES:
            left -= getattr(self, name)
            if left < 0:
                return name
        return None

    def error(self, fault: Fault | None, attempt: int) -> ApiError | None:
        """The error that a fault stands for; None for faults of other kinds."""
        errors: dict[Fault | None, Callable[[], ApiError]] = {
            "rate_limit": self._rate_limit,
            "quota": quota_spent,
            "server_error": broken if attempt % 2 else overloaded,
            "unauthorized": lambda: ApiError(401, "Incorrect API key provided.", code="invalid_api_key"),
            "bad_request": lambda: ApiError(400, "Your request was malformed."),
        }
        return errors[fault]() if fault in errors else None

    def _rate_limit(self) -> ApiError:
        text = f"Rate limit reached on requests per min (RPM). Please try again in {self.retry_after:g}s."
        return ApiError(429, text, kind="requests", code="rate_limit_exceeded", headers=self._wait_headers())

    def _wait_headers(self) -> dict[str, str]:
        match self.retry_after_header:
            case "retry-after":
                return {"Retry-After": f"{self.retry_after:g}"}
            case "retry-after-ms":
                return {"retry-after-ms": f"{self.retry_after * 1000:g}"}
        return {}
