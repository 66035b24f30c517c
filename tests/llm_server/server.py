"""The server: started and stopped by a `with` block, asked by tests what it saw."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Self

from aiohttp import web

from llm_server.application import Application
from llm_server.batch import Batching
from llm_server.batches import Batches
from llm_server.checks import RefusalStyle
from llm_server.completions import Answer, Completions
from llm_server.faults import Faults
from llm_server.files import Files
from llm_server.gate import Gate
from llm_server.ledger import Bill, Ledger, Price, Served
from llm_server.model import Model

_PATIENCE = 30.0


class LlmServer:
    """Answers on a free port of this machine while the block lasts.

    `answer` takes a chat completion's body and replies, in the event loop, so it must not wait (`latency` and
    `pause_after` do); without it a `Model` extracts for real. `refuse` names features as `checks.refuse_features`
    takes them. `watch` is called with each request just before its answer is sent. An error of the server's own, such
    as one in `answer`, is raised when the block ends.
    """

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        answer: Answer | None = None,
        gullible: bool = False,
        wordings: int = 1,
        refuse: Collection[str] = (),
        refusal_style: RefusalStyle = "coded",
        price: Price | None = None,
        seed: int = 0,
        latency: float = 0.0,
        api_key: str | None = None,
        batching: Batching | None = None,
        port: int = 0,
        watch: Callable[[Served], None] | None = None,
    ) -> None:
        self._changed = threading.Condition()
        self.ledger = Ledger(price or Price(), self._changed, watch)
        self._gate = Gate(self._changed)
        model = answer or Model(gullible=gullible, wordings=wordings)
        completions = Completions(self.ledger, model, faults or Faults(), seed, refuse, refusal_style)
        files = Files()
        batches = Batches(files, completions.line, batching or Batching(), seed)
        self._application = Application(self.ledger, self._gate, completions, files, batches, latency, api_key)
        self.port = port
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._started: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event

    @property
    def base_url(self) -> str:
        """What `base_url=` of a client takes."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def served(self) -> list[Served]:
        """Every request so far in the order of arrival, lines of batches too."""
        return self.ledger.served

    @property
    def bill(self) -> Bill:
        """What the requests so far cost."""
        return self.ledger.bill

    @property
    def peak(self) -> int:
        """The most chat completions that were open at a time."""
        return self._application.peak

    @property
    def held(self) -> int:
        """How many requests wait at the gate now."""
        return self._gate.held

    def pause_after(self, answers: int) -> threading.Event:
        """Hold all requests after so many more answers, of any kind; the event is set once these were written out.

        Requests that were let through before are not counted. A client that asks on only when it has dealt with an
        answer has dealt with all of them when as many requests are `held` as it keeps open.
        """
        return self._gate.pause_after(answers)

    def resume(self) -> None:
        """Answer what was held; requests of clients that are gone by then are neither answered nor charged."""
        self._gate.resume()

    def wait_for(self, condition: Callable[[], bool], seconds: float = _PATIENCE) -> None:
        """Wait until something true of this server, looked at whenever it changes. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(condition, seconds):
                last = "; ".join(f"{s.number} {s.outcome} {s.status} {s.fault}" for s in self.served[-5:])
                raise TimeoutError(f"{len(self.served)} requests, {self.held} held, the last ones: {last}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.result(_PATIENCE)
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        if self._application.errors:
            raise ExceptionGroup("the server failed by itself", self._application.errors) from error

    async def _run(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._application.routed(), handler_cancellation=True, access_log=None, shutdown_timeout=1.0
        )
        try:
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", self.port, backlog=256)
            await site.start()
            self.port = runner.addresses[0][1]
        except BaseException as error:
            self._started.set_exception(error)
            raise
        self._started.set_result(None)
        await self._end.wait()
        await self._application.stop()
        await runner.cleanup()
