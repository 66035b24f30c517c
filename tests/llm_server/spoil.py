"""Faults of what the model says, and of the completion around it."""

from __future__ import annotations

from dataclasses import replace

from llm_server.errors import Json
from llm_server.faults import OF_JSON, Fault
from llm_server.reply import Reply


def applies(fault: Fault | None, reply: Reply) -> bool:
    """Whether the fault changes such a reply; those of JSON leave plain text as it is."""
    return fault not in OF_JSON or (reply.content or "").startswith("{")


def spoilt(fault: Fault | None, reply: Reply) -> Reply:
    """The reply as the fault leaves it; most faults leave it whole."""
    content = reply.content or ""
    half = content[: len(content) // 2]
    match fault:
        case "broken_json":
            return replace(reply, content=half)
        case "prose":
            return replace(
                reply, content=f"Sure! Here it is:\n\n```json\n{content}\n```\n\nDo you need more {{pairs}}?"
            )
        case "refusal":
            return replace(reply, content=None, refusal="I'm sorry, I can't help with that.")
        case "content_filter":
            return replace(reply, content=half, finish_reason="content_filter")
        case "length":
            return replace(reply, content=half, finish_reason="length")
    return reply


def spoilt_body(fault: Fault | None, body: Json) -> Json:
    """The completion's body as the fault leaves it."""
    match fault:
        case "empty_choices":
            return body | {"choices": []}
        case "error_body":
            text = "Internal error while generating; see the upstream's log."
            return {"error": {"message": text, "type": "server_error", "param": None, "code": None}}
    return body
