"""The routes of the API: each request booked on arrival, let through the gate, answered, and booked again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from llm_server.batches import Batches
from llm_server.completions import Completions
from llm_server.errors import ApiError, Json, bad_key
from llm_server.files import Files
from llm_server.gate import Gate
from llm_server.ledger import Ledger, Served, Usage
from llm_server.wire import ClientGoneError, is_gone, never, response

_MAX_BODY = 512 * 2**20


@dataclass(frozen=True)
class Sending:
    """A response and how it is booked."""

    response: web.StreamResponse
    status: int | None = 200
    usage: Usage | None = None
    content: str | None = None


Handler = Callable[[web.Request, Served], Awaitable[Sending]]


@dataclass
class Application:
    """Answers one request at a time in the event loop, however many are open."""

    ledger: Ledger
    gate: Gate
    completions: Completions
    files: Files
    batches: Batches
    latency: float
    api_key: str | None
    errors: list[Exception] = field(default_factory=list)
    """What went wrong in the server itself."""
    peak: int = 0
    """The most chat completions that were open at a time."""
    _open: dict[int, tuple[web.Request, asyncio.Task[Any]]] = field(default_factory=dict)
    _stopping: bool = False

    def routed(self) -> web.Application:
        """The application to run."""
        of_batches: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/files", self._upload),
            ("GET", "/v1/files/{id}", self._file),
            ("DELETE", "/v1/files/{id}", self._delete_file),
            ("GET", "/v1/files/{id}/content", self._file_content),
            ("POST", "/v1/batches", self._create_batch),
            ("GET", "/v1/batches", self._list_batches),
            ("GET", "/v1/batches/{id}", self._batch),
            ("POST", "/v1/batches/{id}/cancel", self._cancel_batch),
        ]
        routes: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/chat/completions", self._chat),
            *(of_batches if self.batches.offered else []),
            ("*", "/{anything:.*}", self._unknown),
        ]
        application = web.Application(client_max_size=_MAX_BODY)
        for method, path, handler in routes:
            application.router.add_route(method, path, self._booked(handler))
        return application

    async def stop(self) -> None:
        """Cut off whatever is still open."""
        self._stopping = True
        tasks = [task for _, task in self._open.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _booked(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def booked(request: web.Request) -> web.StreamResponse:
            body = None if request.content_type.startswith("multipart/") else _json(await request.read())
            headers = {name.lower(): value for name, value in request.headers.items()}
            served = self.ledger.open(request.method, request.path, headers, body, None)
            task = asyncio.current_task()
            assert task is not None
            self._open[served.number] = (request, task)
            try:
                return await self._let_through(request, served, handler)
            except asyncio.CancelledError:
                if served.outcome == "open":
                    self.ledger.close(served, "stopped" if self._stopping else "abandoned")
                raise
            except Exception as error:
                self.errors.append(error)
                raise
            finally:
                del self._open[served.number]

        return booked

    async def _let_through(self, request: web.Request, served: Served, handler: Handler) -> web.StreamResponse:
        if request.path.endswith("/chat/completions"):
            listening = sum(not is_gone(other) for other, _ in self._open.values())
            self.peak = max(self.peak, listening)
        answered = False
        entry = await self.gate.enter()
        try:
            if is_gone(request):
                raise ClientGoneError
            sending = await self._answer(request, served, handler)
            if is_gone(request):
                raise ClientGoneError
            # Booked first: whoever has read the answer finds it in the account.
            self.ledger.close(served, "answered", sending.status, sending.usage, sending.content)
            await _write(request, sending.response)
            answered = True
        finally:
            self.gate.leave(entry, answered=answered)
        return sending.response

    async def _answer(self, request: web.Request, served: Served, handler: Handler) -> Sending:
        try:
            if self.api_key is not None and served.headers.get("authorization") != f"Bearer {self.api_key}":
                raise bad_key(served.headers.get("authorization", "").removeprefix("Bearer "))
            return await handler(request, served)
        except ApiError as error:
            answer = web.json_response(error.body, status=error.status, headers=error.headers)
            return Sending(answer, error.status)

    async def _chat(self, _: web.Request, served: Served) -> Sending:
        body = _body(served)
        self.completions.ask(served, body)
        if served.fault == "hang":
            await never()
        late = self.completions.faults.slow_seconds if served.fault == "slow" else 0.0
        await asyncio.sleep(self.latency + late)  # cut short by `stop`
        answered = self.completions.answer(served, body)
        status, sent = response(served, answered.body)
        return Sending(sent, status, answered.usage, answered.content)

    async def _upload(self, request: web.Request, _: Served) -> Sending:
        form = await request.post()
        upload, purpose = form.get("file"), form.get("purpose")
        if not isinstance(upload, web.FileField):
            raise ApiError(400, "Missing required parameter: 'file'.", param="file", code="missing_required_parameter")
        if purpose != "batch":
            raise ApiError(400, f"Invalid value for 'purpose': {purpose!r}.", param="purpose", code="invalid_value")
        return _plain(self.files.add(upload.filename, purpose, upload.file.read()).to_json())

    async def _file(self, request: web.Request, _: Served) -> Sending:
        return _plain(self.files.get(request.match_info["id"]).to_json())

    async def _delete_file(self, request: web.Request, _: Served) -> Sending:
        return _plain(self.files.delete(request.match_info["id"]))

    async def _file_content(self, request: web.Request, _: Served) -> Sending:
        content = self.files.get(request.match_info["id"]).content
        return Sending(web.Response(body=content, content_type="application/octet-stream"))

    async def _create_batch(self, _: web.Request, served: Served) -> Sending:
        return _plain(self.batches.create(_body(served)))

    async def _list_batches(self, request: web.Request, _: Served) -> Sending:
        return _plain(self.batches.page(request.query.get("after"), int(request.query.get("limit", "20"))))

    async def _batch(self, request: web.Request, _: Served) -> Sending:
        return _plain(self.batches.retrieve(request.match_info["id"]))

    async def _cancel_batch(self, request: web.Request, _: Served) -> Sending:
        return _plain(self.batches.cancel(request.match_info["id"]))

    async def _unknown(self, request: web.Request, _: Served) -> Sending:
        raise ApiError(404, f"Invalid URL ({request.method} {request.path})")


async def _write(request: web.Request, response: web.StreamResponse) -> None:
    try:
        await response.prepare(request)
        await response.write_eof()
    except ConnectionError as error:
        raise ClientGoneError from error


def _plain(body: Json) -> Sending:
    return Sending(web.json_response(body))


def _json(raw: bytes) -> Json | None:
    """The object in a body; None if there is none."""
    try:
        body = json.loads(raw)
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _body(served: Served) -> Json:
    if served.body is None:
        raise ApiError(400, "We could not parse the JSON body of your request.")
    return served.body
