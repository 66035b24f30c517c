"""A model behind an address: started, checked, handed over, watched, and ended."""

from __future__ import annotations

import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tradewind.config.serve import ServeConfig
from tradewind.errors import TemporaryError, UserError
from tradewind.faults import told_to_user
from tradewind.registry.serving import ServingMove, served_now
from tradewind.registry.store import Registry
from tradewind.registry.version import CONFIG, RECORD
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
    except TemporaryError as error:
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
        self._refused: str | None = None
        self._not_before = 0.0
        self._told: str | None = None

    def take(self, target: Target) -> None:
        """Start it, check it, and hand over; the one before, if any, is ended then."""
        self._hand_over(self._started(target))

    def _hand_over(self, live: Live, is_wanted: Callable[[], bool] = lambda: True) -> None:
        target = live.target
        try:
            if not is_wanted():
                log.info("%s is champion no more, and is not handed over to", target.version)
                live.held.close()
                return
            note(target, live.move)
        except BaseException:
            if _has_alias(live):  # stopped after it was noted
                self._note(target, live.move.then("stop", "ended"))
            live.held.close()
            raise
        before, self._live = self._live, live
        self._front.lead_to(live.engine.port)
        served = " ".join(filter(None, (target.name, target.version)))
        log.info("serving %s at %s", served, self._url)
        if before is not None:
            before.held.close()

    def check_alive(self) -> None:
        """UserError where the engine has ended."""
        if self._live is not None:
            self._live.engine.check_alive("while serving")

    def follow(self, champions: Champion, name: str | None) -> None:
        """Take who became champion, once."""
        try:
            champion = champions.name()
        except UserError as error:
            self.tell_once(str(error))
            return
        live = self._live
        if live is None or champion in (None, live.target.version):
            self._refused = None  # who comes back after another may be mended
            return
        if champion == self._refused or time.monotonic() < self._not_before:
            return
        log.info("%s is champion now", champion)
        try:
            registry = champions.registry
            target = of_version(registry, registry.version(str(champion)), name)
            if self._config.gpus:
                self._put_down(live)
            # While it was started and checked, somebody may have taken it back; whoever else is served meanwhile.
            self._hand_over(self._started(target), lambda: not self._live or champions.name_now() == champion)
        except TemporaryError as error:  # such as a bucket that does not answer
            self._not_before = time.monotonic() + _AGAIN
            self.tell_once(f"{champion} is not served yet: {error}")
            if self._live is None:
                self.take(live.target)
        except (UserError, OSError) as error:
            told = told_to_user(error, Path(tempfile.gettempdir())) or error
            self._refused = champion
            self._note(live.target, _refusal(live, str(champion), str(told)))
            log.error("%s is not served: %s", champion, told)  # noqa: TRY400 - the one line says it
            if self._live is None:
                self.take(live.target)

    def end(self) -> None:
        """End the engine; the alias is given back first, as the end may be cut short."""
        if self._live is not None:
            self._put_down(self._live)

    def tell_once(self, text: str) -> None:
        """Log a line, unless it was the last one told so."""
        if text != self._told:
            log.warning("%s", text)
            self._told = text

    def _put_down(self, live: Live) -> None:
        self._front.lead_to(None)
        self._live = None
        self._note(live.target, live.move.then("stop", "ended"))
        live.held.close()

    def _note(self, target: Target, move: ServingMove) -> None:
        """Note what is so, noted or not."""
        try:
            note(target, move)
        except (UserError, OSError) as error:
            log.warning("not noted in the registry: %s", error)

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


def note(target: Target, move: ServingMove) -> None:
    """Enter the move in the model's registry; what was not registered has no alias."""
    if target.registry is None:
        if move.action == "serve":
            log.info("%s is no registered version: there is no alias to hand over", target.model)
        return
    with target.registry.changing("serve") as change:
        change.serve(move)


def _has_alias(live: Live) -> bool:
    registry = live.target.registry
    with suppress(UserError, OSError):
        now = None if registry is None else served_now(registry.serving())
        return now is not None and now.server == live.move.server
    return False


def _refusal(live: Live, version: str, why: str) -> ServingMove:
    names = {"version": version, "server": uuid.uuid4().hex, "equal": None, "asked": None, "model_sha256": ""}
    return live.move.model_copy(update=names).then("refuse", why)
