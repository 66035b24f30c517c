"""Waiting for a service to serve the new champion: a server that outlives the run is no task's to start."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

from tradewind.errors import UserError
from tradewind.registry.serving import ServingMove, served_now
from tradewind.registry.store import Registry
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from airflow.sdk import Context

WAIT_VARIABLE = "TRADEWIND_SERVE_WAIT"


class ServedChampionSensor(BaseSensorOperator):
    """Succeed once the champion that this run made is served, which is after its smoke test; *skipped* without one.

    A service of its own, `tradewind serve DIR --follow`, starts and checks the model and notes it in the registry; this
    task reads that note and holds no worker meanwhile. XCom: `version`, `name`, `url`, and of the smoke test's `asked`
    questions those with the evaluation's answer, `equal`.

    Args:
        registered: what RegisterModelOperator returned (templated): give it that task's `.output`.
        promoted: what PromoteModelOperator returned (templated).
        models_dir: the pipeline's models (templated).
    """

    template_fields: Sequence[str] = ("registered", "promoted", "models_dir")

    def __init__(
        self,
        *,
        registered: Any,
        promoted: Any = None,
        models_dir: str = "{{ macros.tradewind.models_dir(dag.dag_id) }}",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("mode", "reschedule")
        kwargs.setdefault("poke_interval", 10)
        if "trigger_rule" not in {*kwargs, *(kwargs.get("default_args") or {})}:
            kwargs["trigger_rule"] = "none_failed"  # `promote` is skipped where nobody had to approve
        super().__init__(**kwargs)
        self.registered = registered
        self.promoted = promoted
        self.models_dir = models_dir

    def execute(self, context: Context) -> Any:
        """Wait.

        Raises:
            AirflowSkipException: this run made no champion, or there is another one by now.
            AirflowFailException: the service refused it; the one before is served still.
            AirflowSensorTimeout: no service took it over in time.
        """
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(
                f"{self._version()} is champion, but nobody serves it after {self.timeout / 60:g} min; is `tradewind "
                f"serve {self.models_dir} --follow` running?"
            ) from error

    def poke(self, context: Context) -> PokeReturnValue:  # noqa: ARG002 - Airflow calls it so
        """Look once."""
        registry = Registry(Path(self.models_dir))
        with told(registry.path):
            registry.refresh()
            version = self._version()
            champion = registry.champion_name()
            if champion != version:
                raise AirflowSkipException(f"{version} is not champion any more: {champion} is")
            moves = registry.serving()
            since = max((move.at for move in registry.history() if move.after == version), default="")
        now = served_now(moves)
        if now is not None and now.version == version:
            self.log.info("%s is served as %s at %s", version, now.name, now.url)
            facts = {"version": version, "name": now.name, "url": now.url, "equal": now.equal, "asked": now.asked}
            return PokeReturnValue(is_done=True, xcom_value=facts)
        refused = _refused(moves, version, since)
        if refused is not None:
            served = f"{now.version} is served still" if now else "none is served"
            raise AirflowFailException(f"{version} was not taken over ({served}): {refused.why}")
        self.log.info("%s is not served yet: %s is", version, now.version if now else "none")
        return PokeReturnValue(is_done=False)

    def _version(self) -> str:
        """The champion that this run made."""
        for said in (self.promoted, self.registered):
            if said and said["promoted"]:
                return str(said["version"])
        raise AirflowSkipException("this run made no champion, so there is none to hand over")


def _refused(moves: Sequence[ServingMove], version: str, since: str) -> ServingMove | None:
    """The service's word on the version, since it became champion."""
    return next(
        (move for move in moves if (move.action, move.version) == ("refuse", version) and move.at >= since), None
    )


def serve_wait() -> float | None:
    """Minutes to wait for the service, by `TRADEWIND_SERVE_WAIT`; None: there is none to wait for.

    Raises:
        UserError: it is no number above 0.
    """
    stated = os.environ.get(WAIT_VARIABLE, "").strip()
    if not stated:
        return None
    try:
        minutes = float(stated)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise UserError(f"{WAIT_VARIABLE}: '{stated}' is no number of minutes above 0")
    return minutes
