"""Errors in OpenAI's shape."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """What the server answers instead of a result; an `answer` of a test's own may raise it too."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body: Json = {"error": {"message": message, "type": kind, "param": param, "code": code}}


def bad_key(key: str) -> ApiError:
    """What the API says of a key that it does not know; the key's middle is hidden as there."""
    shown = f"{key[:3]}***{key[-2:]}"
    return ApiError(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def quota_spent() -> ApiError:
    """No money is left; waiting does not help, though the status is that of a rate limit."""
    text = "You exceeded your current quota, please check your plan and billing details."
    return ApiError(429, text, kind="insufficient_quota", code="insufficient_quota")


def broken() -> ApiError:
    """Something failed in the server."""
    text = "The server had an error while processing your request. Sorry about that!"
    return ApiError(500, text, kind="server_error")


def overloaded() -> ApiError:
    """The server has no room now."""
    return ApiError(503, "The engine is currently overloaded, please try again later.", kind="server_error")
