"""What goes over the connection: whole responses, broken ones, and whether anybody still listens."""

from __future__ import annotations

import asyncio
import json
import random
import select

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from llm_server.errors import Json
from llm_server.ledger import Served

_PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class ClientGoneError(asyncio.CancelledError):
    """The client closed its end before the answer was sent, and the event loop had not yet cancelled the request."""


class Raw(web.Response):
    """Bytes written as they are, after which the connection is closed."""

    def __init__(self, written: bytes) -> None:
        super().__init__()
        self._written = written

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if request.transport is not None:
            request.transport.write(self._written)
            request.transport.close()
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """All is written already."""


def is_gone(request: web.BaseRequest) -> bool:
    """Ask the kernel, which knows of a killed client before the event loop does."""
    if request.transport is None or request.transport.is_closing():
        return True
    poll = select.poll()
    poll.register(request.transport.get_extra_info("socket").fileno(), select.POLLRDHUP)
    return bool(poll.poll(0))  # hang-ups and errors are always asked for


def response(served: Served, body: Json) -> tuple[int | None, web.StreamResponse]:
    """The response that carries a completion, spoilt by the request's fault, and the status that it shows."""
    match served.fault:
        case "disconnect":
            return None, Raw(b"")
        case "garbage":
            return None, Raw(random.Random(served.number).randbytes(512))
        case "truncated":
            whole = json.dumps(body).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(whole)}\r\n\r\n"
            return 200, Raw(head.encode() + whole[: len(whole) // 2])
        case "html":
            return 200, web.Response(text=_PAGE, content_type="text/html")
    return 200, web.json_response(body)


async def never() -> None:
    """Wait until cancelled: the client gave up, or the server stops."""
    await asyncio.get_running_loop().create_future()
