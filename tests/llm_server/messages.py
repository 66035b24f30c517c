"""What stands in a request's messages: texts, the fenced passage, the fenced pairs, and the hash of it all."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from llm_server.errors import Json

_FENCE = re.compile(r"(</?(?:passage|pairs|data)-)[0-9a-fA-F]+(?=>)")


def text_of(message: Json) -> str:
    """A message's content; of a list of parts, the text parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def key_of(messages: list[Json]) -> str:
    """The sha256 of the messages, hexadecimal; fences' random digits count for nothing, so that a retry has the key."""
    plain = _FENCE.sub(r"\1", json.dumps(messages, ensure_ascii=False, sort_keys=True))
    return hashlib.sha256(plain.encode()).hexdigest()


def system_text(body: Json) -> str:
    """All instructions."""
    return "\n".join(text_of(message) for message in body["messages"] if message["role"] in {"system", "developer"})


def last_user_text(body: Json) -> str:
    """The last user message; empty without one."""
    texts = [text_of(message) for message in body["messages"] if message["role"] == "user"]
    return texts[-1] if texts else ""


def fenced(name: str, text: str) -> str | None:
    """What stands between `<name-XXXX>` and `</name-XXXX>`, each on a line of its own, with the same hexadecimal XXXX.

    A fence with other digits, as a hostile passage may hold, is part of the passage.
    """
    found = re.search(rf"^<{name}-([0-9a-fA-F]+)>\n(.*?)\n</{name}-\1>", text, re.DOTALL | re.MULTILINE)
    return found and found[2]


def passage_of(body: Json) -> str:
    """The fenced passage of the last user message, or all of that message if nothing is fenced."""
    text = last_user_text(body)
    passage = fenced("passage", text)
    return text if passage is None else passage


def pairs_of(body: Json) -> list[dict[str, Any]] | None:
    """The fenced pairs, one JSON object a line; None if there are none to judge."""
    lines = fenced("pairs", last_user_text(body))
    return None if lines is None else [json.loads(line) for line in lines.splitlines() if line.strip()]
