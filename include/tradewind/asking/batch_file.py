"""The files of OpenAI's Batch API: the questions of one, a line each, and the lines that come back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tradewind.asking.server import Completion, PassingFaultError, RefusedError, read_completion
from tradewind.asking.usage import Usage
from tradewind.sources.record import is_broken

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
"""Of one batch: https://platform.openai.com/docs/guides/batch#rate-limits."""


@dataclass(frozen=True)
class Outcome:
    """What became of one request of a batch."""

    key: str
    usage: Usage | None
    """What it cost; None where the server does not tell."""
    completion: Completion | None = None
    """None where it was not answered."""


def divided(bodies: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, bytes]]:
    """The lines of each batch by their keys, as many as a batch may have; keys must not repeat."""
    lines: dict[str, bytes] = {}
    size = 0
    for key, body in bodies:
        # ASCII: a passage may hold signs that end a line for some readers.
        line = json.dumps({"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": body})
        if lines and (len(lines) == MOST_REQUESTS or size + len(line) + 1 > MOST_BYTES):
            yield lines
            lines, size = {}, 0
        lines[key] = f"{line}\n".encode()
        size += len(line) + 1
    if lines:
        yield lines


def read_line(line: bytes) -> Outcome:
    """The outcome that a line of an output or error file tells.

    Raises:
        ValueError: it does not say of which request.
    """
    row = json.loads(line)
    if not isinstance(row, dict) or "custom_id" not in row:
        raise ValueError("a line without custom_id")
    key = str(row["custom_id"])
    response = row.get("response")
    if response is None:  # such as batch_expired: it was never asked
        return Outcome(key, Usage(1))
    if not isinstance(response, dict) or response.get("status_code") == 200:
        return _answered(key, response)
    return Outcome(key, Usage(1))  # a status that is no answer charges no token


def _answered(key: str, response: Any) -> Outcome:
    from openai.types.chat import ChatCompletion

    try:
        # As the client itself makes one of a reply: a server may leave out what nobody asks for.
        completion = read_completion(ChatCompletion.construct(**response["body"]), key="")
    except (PassingFaultError, RefusedError) as error:
        return Outcome(key, error.usage)
    except (KeyError, TypeError, AttributeError):  # not of the form of a completion
        return Outcome(key, None)
    return Outcome(key, completion.usage, None if is_broken(completion.text) else completion)
