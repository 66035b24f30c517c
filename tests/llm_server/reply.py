"""What the model says to a request, and the completion that carries it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from llm_server.errors import Json
from llm_server.ledger import Usage
from llm_server.messages import text_of


@dataclass(frozen=True)
class Reply:
    """`content` is null where the model refuses, as in the API."""

    content: str | None
    refusal: str | None = None
    finish_reason: str = "stop"


def usage_of(body: Json, reply: Reply) -> Usage:
    """Tokens by the byte: a quarter of the messages' UTF-8 and 3 a message; a quarter of the answer's and 1."""
    messages = body["messages"]
    sent = sum(len(text_of(message).encode()) for message in messages)
    said = len((reply.content or reply.refusal or "").encode())
    return Usage(sent // 4 + 3 * len(messages), said // 4 + 1)


def within_limit(body: Json, reply: Reply) -> Reply:
    """The reply, cut where the request's `max_completion_tokens` (or `max_tokens`) ends it."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is None or reply.content is None or usage_of(body, reply).completion_tokens <= limit:
        return reply
    kept = reply.content.encode()[: 4 * limit - 1].decode(errors="ignore")
    return replace(reply, content=kept, finish_reason="length")


def completion(body: Json, reply: Reply, number: int) -> Json:
    """The body of a chat completion."""
    message = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    usage = usage_of(body, reply)
    return {
        "id": f"chatcmpl-{number:06d}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish_reason}],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        },
    }
