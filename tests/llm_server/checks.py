"""Requests that the API refuses, and features that a server may lack."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from llm_server.errors import ApiError, Json
from llm_server.messages import text_of
from llm_server.schemas import check_response_format

RefusalStyle = Literal["coded", "bare"]
"""Whether a refusal of a feature has param and code, or says all in its message, as older servers do."""


def check_request(body: Json) -> None:
    """Raise what the API answers to a chat completion request with something missing or wrong."""
    if not body.get("model"):
        raise ApiError(400, "you must provide a model parameter")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        text = "Missing required parameter: 'messages'."
        raise ApiError(400, text, param="messages", code="missing_required_parameter")
    if body.get("stream"):
        raise ApiError(400, "This server does not stream.", param="stream", code="unsupported_value")
    if form := body.get("response_format"):
        check_response_format(form)
        if form["type"] == "json_object" and not any("json" in text_of(message).lower() for message in messages):
            text = "'messages' must contain the word 'json' in some form, to use 'response_format' of type "
            raise ApiError(400, f"{text}'json_object'.", param="messages")


def refuse_features(body: Json, lacking: Collection[str], style: RefusalStyle) -> None:
    """Raise the refusal of the first feature in the request that the server lacks.

    A feature is a parameter's name, or "response_format.json_schema" or "response_format.json_object".
    """
    form = (body.get("response_format") or {}).get("type")
    for feature in sorted(lacking):
        param, _, value = feature.partition(".")
        if value and value == form:
            text = f"Invalid parameter: 'response_format' of type '{value}' is not supported with this model."
            code = "unsupported_value"
        elif value or body.get(param) is None:
            continue
        elif param == "temperature":
            text = f"Unsupported value: 'temperature' does not support {body[param]:g} with this model."
            text += " Only the default (1) value is supported."
            code = "unsupported_value"
        else:
            text = f"Unsupported parameter: '{param}' is not supported with this model."
            text += " Use 'max_tokens' instead." if param == "max_completion_tokens" else ""
            code = "unsupported_parameter"
        if style == "bare":
            raise ApiError(400, f"Unrecognized request argument supplied: {param}" if not value else text)
        raise ApiError(400, text, param=param, code=code)
