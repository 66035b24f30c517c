"""What a service has to tell its registry: at once where that can be, else as soon as it can."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from tradewind.errors import UserError
from tradewind.registry.serving import ServingMove
from tradewind.serving.target import Target

log = logging.getLogger("tradewind")
_AGAIN = 30.0
_PATIENCE = 10.0
"""Seconds that a service waits for its registry, which may be in a bucket that is silent."""


def note(target: Target, move: ServingMove) -> bool:
    """Enter the move in the model's registry; what was not registered has no alias.

    Returns:
        Whether it was entered: not a stop of a server that has the alias no more.

    Raises:
        TemporaryError: the registry is busy or its bucket away; there it may be entered, or not.
    """
    if target.registry is None:
        if move.action == "serve":
            log.info("%s is no registered version: there is no alias to hand over", target.model)
        return False
    with target.registry.changing("serve") as change:
        return change.serve(move)


class Alias:
    """Moves that have happened, in their order, until each is noted."""

    def __init__(self, whose: Callable[[], tuple[Target, ServingMove] | None]) -> None:
        """Note nothing yet.

        Args:
            whose: the alias is, once a server that was not handed over to has given it back.
        """
        self._whose = whose
        self._owed: deque[tuple[Target, ServingMove]] = deque()
        self._not_before = 0.0
        self._settling = threading.Lock()

    def note(self, target: Target, move: ServingMove) -> None:
        """Have the move noted, in some seconds or later; the caller goes on."""
        self._owed.append((target, move))
        noting = threading.Thread(target=self._settle, daemon=True)
        noting.start()
        noting.join(_PATIENCE)
        if noting.is_alive():
            log.warning("not noted in the registry yet: no answer within %.0f s", _PATIENCE)

    def settle(self) -> None:
        """Try again to note what is owed, if it is time to and nobody is at it."""
        if self._owed and time.monotonic() >= self._not_before and not self._settling.locked():
            threading.Thread(target=self._settle, daemon=True).start()

    def _settle(self) -> None:
        with self._settling:
            while self._owed:
                target, move = self._owed[0]
                try:
                    is_noted = note(target, move)
                except (UserError, OSError) as error:
                    log.warning("not noted in the registry yet: %s", error)
                    self._not_before = time.monotonic() + _AGAIN
                    return
                self._owed.popleft()
                is_next_known = any(later.action == "serve" for _, later in self._owed)
                if is_noted and move.action == "stop" and not is_next_known and (again := self._whose()) is not None:
                    self._owed.append(again)
