"""The smoke test of a server that somebody else started, such as a container's."""

from __future__ import annotations

import logging
import os
import time

from tradewind.config.serve import ServeConfig
from tradewind.serving.alias import note
from tradewind.serving.engines import API_KEY
from tradewind.serving.serve import handed_over
from tradewind.serving.smoke import SmokeTestError, UnreachableError, needed, smoke_test
from tradewind.serving.stopped import until_stopped
from tradewind.serving.target import Target

log = logging.getLogger("tradewind")
_POLL = 1.0


def check(target: Target, url: str, config: ServeConfig, *, hand_over: bool) -> None:
    """Wait for the server at `url`, ask it, and with `hand_over` give it the alias.

    Raises:
        SmokeTestError: it does not answer in time, or not as the evaluation did.
    """
    deadline = time.monotonic() + config.timeout
    must = needed(target.smoke, config, external=True)
    with until_stopped():
        while True:
            try:
                passed = smoke_test(url, target, must=must, timeout=config.timeout, key=os.environ.get(API_KEY))
                break
            except UnreachableError as error:
                if time.monotonic() > deadline:
                    raise SmokeTestError(f"{error}; not there after {config.timeout:g} s") from error
                time.sleep(_POLL)
        log.info("%s: serves %s", url, target.name)
        if hand_over:
            note(target, handed_over(target, config.url or url, "external", passed))
