"""A model behind an address: started, checked, handed over, watched, and ended."""

from __future__ import annotations

import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tradewind.config.serve import ServeConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.faults import told_to_user
from tradewind.registry.serving import ServingMove
from tradewind.registry.store import Registry
from tradewind.registry.version import CONFIG, RECORD
from tradewind.serving.alias import Alias, note
from tradewind.serving.champion import Champion
from tradewind.serving.engine_process import EngineProcess
from tradewind.serving.engines import API_KEY
from tradewind.serving.front import Front
from tradewind.serving.smoke import NO_KEY, Passed, needed, smoke_test
from tradewind.serving.stopped import until_stopped
from tradewind.serving.target import Target, find_target, of_version

log = logging.getLogger("tradewind")
_POLL = 0.5
_AGAIN = 30.0
"""Seconds until another try at what may pass by itself, each of which starts an engine."""


@dataclass(frozen=True)
class Live:
    """An engine that passed the smoke test."""

    target: Target
    engine: EngineProcess
    move: ServingMove
    held: ExitStack
    """Ends it."""


def serve(target: Target, config: ServeConfig) -> None:
    """Serve it until a signal comes.

    Raises:
        UserError: the port is taken, the engine is not there, never healthy, answers other text than the evaluation,
            or died; nothing of it is left then, and the alias is where it was.
    """
    with until_stopped(), _service(config) as service:
        service.take(target)
        while True:
            service.check_alive()
            time.sleep(_POLL)


def follow(models: Path, config: ServeConfig, name: str | None = None) -> None:
    """Serve the champion of a pipeline's models, and from then on whoever becomes champion, until a signal comes.

    The next one is started and checked before clients get to it; refused, it is noted in the registry, and the
    one before goes on. On GPUs, which hold one model, the one before is ended first and comes back if need be.

    Raises:
        UserError: as `serve`, of the first one; or a server died.
    """
    if (models / RECORD).exists() or (models / CONFIG).exists():
        raise UserError(f"--follow: {models} is a run or a version; name a pipeline's models, which have a champion")
    champion = Champion(Registry(models))
    with until_stopped(), _service(config) as service:
        while not _is_there(champion, service):
            time.sleep(_POLL)
        service.take(find_target(models, name=name))
        while True:
            service.check_alive()
            service.follow(champion, name)
            time.sleep(_POLL)


def _is_there(champion: Champion, service: _Service) -> bool:
    try:
        if champion.name() is not None:
            return True
        service.tell_once(f"{champion.registry.path}: there is no champion yet; waiting for one")
    except (TemporaryError, OSError) as error:
        service.tell_once(str(error))
    return False


@contextmanager
def _service(config: ServeConfig) -> Iterator[_Service]:
    front = Front(config.host, config.port)
    service = _Service(config, front)
    try:
        yield service
    finally:
        front.stop_accepting()
        service.end()
        front.close()


class _Service:
    """What stands behind the front: one engine, and for a moment the next."""

    def __init__(self, config: ServeConfig, front: Front) -> None:
        self._config, self._front = config, front
        host = f"[{config.host}]" if ":" in config.host else config.host
        self._url = config.url or f"http://{host}:{front.port}/v1"
        self._live: Live | None = None
        self._alias = Alias(self._had_alias)
        self._refused: str | None = None
        self._not_before = 0.0
        self._told: str | None = None

    def take(self, target: Target) -> None:
        """Start it, check it, and hand over; the one before, if any, is ended then."""
        self._hand_over(self._started(target))

    def check_alive(self) -> None:
        """UserError where the engine has ended."""
        if self._live is not None:
            self._live.engine.check_alive("while serving")

    def follow(self, champion: Champion, name: str | None) -> None:
        """Take who became champion, once."""
        self._alias.settle()
        try:
            wanted = champion.name()
            live = self._live
            if live is None or wanted in (None, live.target.version):
                self._refused = None  # who comes back after another may be mended
                return
            if wanted == self._refused or time.monotonic() < self._not_before or champion.name_now() != wanted:
                return
        except (UserError, OSError) as error:
            self._not_before = time.monotonic() + _AGAIN
            self.tell_once(str(error))
            return
        log.info("%s is champion now", wanted)
        try:
            self._change(champion, str(wanted), name)
        except TemporaryError as error:  # such as a bucket that does not answer
            self._not_before = time.monotonic() + _AGAIN
            self.tell_once(f"{wanted} is not served yet: {error}")
        except (UserError, OSError) as error:
            told = _line(error)
            self._refused = wanted
            self._alias.note(live.target, _refusal(live, str(wanted), told))
            log.error("%s is not served: %s", wanted, told)  # noqa: TRY400 - the one line says it
        if self._live is None:
            self._take_back(live.target)

    def end(self) -> None:
        """End the engine; the alias is given back first, as the end may be cut short."""
        if self._live is not None:
            self._put_down(self._live)

    def tell_once(self, text: str) -> None:
        """Log a line, unless it was the last one told so."""
        if text != self._told:
            log.warning("%s", text)
            self._told = text

    def _change(self, champion: Champion, wanted: str, name: str | None) -> None:
        try:
            target = of_version(champion.registry, champion.registry.version(wanted), name)
        except OSError as error:  # no room for what comes from a bucket
            raise TemporaryError(_line(error)) from error
        if self._config.gpus and self._live is not None:
            self._put_down(self._live)
        # While it was started and checked, somebody may have taken it back; whoever else is served meanwhile.
        self._hand_over(self._started(target), lambda: not self._live or champion.name_now() == wanted)

    def _hand_over(self, live: Live, is_wanted: Callable[[], bool] = lambda: True) -> None:
        is_noting = False
        try:
            if not is_wanted():
                log.info("%s is champion no more, and is not handed over to", live.target.version)
                live.held.close()
                return
            is_noting = True
            note(live.target, live.move)
        except BaseException:
            if is_noting:  # a signal came after it, or its answer was lost
                self._alias.note(live.target, live.move.then("stop", "ended"))
            live.held.close()
            raise
        self._lead_to(live)

    def _take_back(self, target: Target) -> None:
        """Serve again who was put down; the registry learns of it when it can."""
        live = self._started(target)
        self._lead_to(live)
        self._alias.note(target, live.move)

    def _lead_to(self, live: Live) -> None:
        before, self._live = self._live, live
        self._front.lead_to(live.engine.port)
        served = " ".join(filter(None, (live.target.name, live.target.version)))
        log.info("serving %s at %s", served, self._url)
        if before is not None:
            before.held.close()

    def _put_down(self, live: Live) -> None:
        self._front.lead_to(None)
        self._live = None
        try:
            self._alias.note(live.target, live.move.then("stop", "ended"))
        finally:
            live.held.close()

    def _had_alias(self) -> tuple[Target, ServingMove] | None:
        """Whose the alias is again, when one that was not handed over to had it all the same."""
        return None if self._live is None else (self._live.target, self._live.move.then("serve"))

    def _started(self, target: Target) -> Live:
        config = self._config
        with ExitStack() as held:
            work = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="tradewind-serve-")))
            engine = EngineProcess(target, config, work)
            held.callback(engine.stop)
            engine.wait_until_healthy()
            try:
                passed = smoke_test(
                    engine.url, target, must=needed(target.smoke, config), timeout=config.timeout, key=key_of(config)
                )
            except UserError:
                engine.check_alive("in the smoke test")
                raise
            engine.check_alive("after the smoke test")
            move = handed_over(target, self._url, config.engine, passed)
            return Live(target, engine, move, held.pop_all())
        raise AssertionError  # for mypy: ExitStack may swallow exceptions, this one swallows none


def key_of(config: ServeConfig) -> str:
    """What clients must show: vLLM asks for it, the others do not."""
    return os.environ.get(API_KEY, NO_KEY) if config.engine == "vllm" else NO_KEY


def handed_over(target: Target, url: str, engine: str, passed: Passed) -> ServingMove:
    """The alias's move to a server that passed."""
    return ServingMove(
        at=datetime.now(UTC).isoformat(timespec="milliseconds"), action="serve", server=uuid.uuid4().hex,
        version=target.version or "", model_sha256=target.model_sha256, name=target.name, url=url, engine=engine,
        equal=passed.equal, asked=passed.asked,
    )  # fmt: skip


def _line(error: Exception) -> str:
    return str(told_to_user(error, Path(tempfile.gettempdir())) or error)


def _refusal(live: Live, version: str, why: str) -> ServingMove:
    names = {"version": version, "server": uuid.uuid4().hex, "equal": None, "asked": None, "model_sha256": ""}
    return live.move.model_copy(update=names).then("refuse", why)
