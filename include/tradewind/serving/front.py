"""The address that clients connect to: bytes go to the engine that passed its smoke test, and 503 before there is one.

Connections are passed on as they are, so a new engine takes over without a client noticing: new connections are its
own, those of before end with the engine of before.
"""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from tradewind.errors import UserError
from tradewind.serving.engines import LOOPBACK

_CHUNK = 1 << 16
_REQUEST_LIMIT = 5.0
_BODY = b'{"error": {"message": "the model is being checked; try again", "type": "unavailable"}}'
_UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 2\r\nConnection: close\r\n"
    + f"Content-Length: {len(_BODY)}\r\n\r\n".encode()
    + _BODY
)
_LOST = (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError)


class Front:
    """Listens from its making to `close`, in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        """Listen; UserError where the port is taken or the address is not this host's."""
        self._backend: int | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="front", daemon=True)
        self._thread.start()
        try:
            self._server = self._run(self._listen(host, port)).result()
        except (OSError, ValueError) as error:  # the latter of a name that can be none
            self._end_loop()
            raise UserError(f"{host}:{port}: {_why(error)}") from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    def lead_to(self, port: int | None) -> None:
        """Give new connections to the engine at this port of the loopback; None: to nobody."""
        self._backend = port

    def stop_accepting(self) -> None:
        """Take no new connection; those there are go on."""
        self._loop.call_soon_threadsafe(self._server.close)

    def close(self) -> None:
        """End what is left."""
        self.stop_accepting()
        self._run(self._cancel()).result()
        self._end_loop()

    async def _listen(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self._serve, host, port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        backend = self._backend
        try:
            if backend is None:
                await _refuse(reader, writer)
                return
            try:
                from_engine, to_engine = await asyncio.open_connection(LOOPBACK, backend)
            except OSError:
                await _refuse(reader, writer)
                return
            try:
                await _join(reader, writer, from_engine, to_engine)
            finally:
                to_engine.close()
        except _LOST:
            pass  # a client or the engine went away
        finally:
            writer.close()

    async def _cancel(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, from_engine: asyncio.StreamReader,
    to_engine: asyncio.StreamWriter,
) -> None:  # fmt: skip
    """Pass on both ways until the engine closes; a client that leaves is told to the engine, which then does."""
    asking = asyncio.create_task(_pump(reader, to_engine))
    try:
        await _pump(from_engine, writer)
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError, *_LOST):
            await asking


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_CHUNK):
        sink.write(data)
        await sink.drain()
    if sink.can_write_eof():
        sink.write_eof()


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 503, after the request's head: an answer before it may be lost, and so may one whose body is not read."""
    async with asyncio.timeout(_REQUEST_LIMIT):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_UNAVAILABLE)
        await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        while await reader.read(_CHUNK):
            pass


def _why(error: OSError | ValueError) -> str:
    told = {
        errno.EADDRINUSE: "the port is taken by another process; end that, or name another --port",
        errno.EACCES: "this user may not listen there; name a --port above 1023",
        errno.EADDRNOTAVAIL: "not an address of this host; name one of its own with --host",
    }
    if isinstance(error, ValueError):
        return "no address; check --host"
    return told.get(error.errno or 0, f"cannot be listened on ({error.strerror or error}); check --host and --port")
