"""A run's model into the registry, a human's word on it where the recipe asks for one, and the pointer's move."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from tradewind.faults import told_to_user
from tradewind.registry.store import Registry
from tradewind.registry.version import CONFIG, MODEL, REPORTS, Version
from tradewind.reporting.contract import read_report
from tradewind.run_dir import RunDir
from tradewind.store.mirror import complete
from tradewind_airflow.asked import settings_of
from tradewind_airflow.assets import model_facts
from tradewind_airflow.secret_references import SecretReference, check_references, read_secrets
from tradewind_airflow.shared import on_shared_home
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.types import Logger

    from tradewind.config import RunConfig
    from tradewind.registry.register import Registered

_MODELS_DIR = "{{ macros.tradewind.models_dir(dag.dag_id) }}"


class RegisterModelOperator(BaseOperator):
    """Keep the run's model as a version; make it champion where the gate says so and no approval is asked for.

    A run that made no tuned model, or none that is new, makes the task *skipped*; so does one that leaves it out.
    Each of the task's outlets gets an event whose extra is `assets.model_facts`. The XCom is small: `version`,
    `promoted` (it is champion now), `let_through` (the gate's word), `asks` (it waits for approval), `reasons`,
    `predecessor`, and `said`, one line for a message. A fault of MLflow's or of the hub is a warning there and in
    the log.

    Args:
        run_dir: the run's folder (templated).
        models_dir: the pipeline's models (templated).
        secrets: `HF_TOKEN` for `registry.push_to_hub`, by reference; see StageOperator.
    """

    template_fields: Sequence[str] = ("run_dir", "models_dir")

    def __init__(
        self,
        *,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        models_dir: str = _MODELS_DIR,
        secrets: Mapping[str, SecretReference] | None = None,
        **kwargs: Any,
    ) -> None:
        if "trigger_rule" not in {*kwargs, *(kwargs.get("default_args") or {})}:
            kwargs["trigger_rule"] = "none_failed"  # after a report that was skipped it says what there is not
        super().__init__(**kwargs)
        check_references(secrets or {})
        self.run_dir = run_dir
        self.models_dir = models_dir
        self.secrets = dict(secrets or {})

    @on_shared_home
    def execute(self, context: Context) -> dict[str, Any]:
        """Register, and say what became of it.

        Raises:
            AirflowSkipException: the run made no tuned model with scores.
            AirflowFailException: a fault that no retry can mend, named in one line.
        """
        from tradewind.registry.register import NothingToRegister, register

        registry, run_dir = Registry(Path(self.models_dir)), RunDir(Path(self.run_dir))
        with told(registry.path):
            ti = context["ti"]
            settings = settings_of(run_dir, f"{ti.dag_id}/{ti.run_id}")
            if settings is not None and "register" in settings.skip:
                raise AirflowSkipException("register: left out on request")
            try:
                found = register(registry, run_dir, who=_task(context))
            except NothingToRegister as nothing:
                raise AirflowSkipException(str(nothing)) from None
            version, config = found.version, found.config
            decision = version.record.decision
            predecessor = registry.predecessor() if found.champion else version.record.parent
        reasons = (found.taken_back,) if found.taken_back else decision.reasons
        faults = [_fault("tracked", self.log, lambda: _track(version, config))]
        if found.champion:
            faults.append(_fault("pushed", self.log, lambda: _push(version, config, self.secrets)))
        said = "; ".join([_said(found, predecessor), *filter(None, faults)])
        self.log.info(said)
        for reason in reasons:
            self.log.info(reason)
        _announce(self.outlets, version, context, champion=found.champion)
        return {
            "version": version.name,
            "promoted": found.champion,
            "let_through": decision.promote,
            "asks": found.asks,
            "reasons": list(reasons),
            "predecessor": predecessor,
            "said": said,
        }


class ApprovePromotionOperator(ApprovalOperator):
    """Ask a human whether the version that was registered may become champion; *skipped* where nobody is to be asked.

    It waits without a worker. Rejected, or not answered in `response_timeout`, it skips the tasks after it and
    the champion stays. The time matters where a DAG has one run at a time: a waiting one holds up the next night's.

    Args:
        registered: what RegisterModelOperator returned (templated): give it that task's `.output`.
        models_dir: the pipeline's models (templated).
    """

    template_fields: Sequence[str] = (*ApprovalOperator.template_fields, "registered", "models_dir")

    def __init__(self, *, registered: Any, models_dir: str = _MODELS_DIR, **kwargs: Any) -> None:
        kwargs.setdefault("subject", "May the new model become champion?")
        kwargs.setdefault("response_timeout", timedelta(hours=20))
        kwargs.setdefault("defaults", ApprovalOperator.REJECT)
        super().__init__(**kwargs)
        self.registered = registered
        self.models_dir = models_dir

    def execute(self, context: Context) -> Any:
        """Show the scores and wait.

        Raises:
            AirflowSkipException: the gate refused the version, or no approval is asked for.
        """
        if not self.registered["asks"]:
            raise AirflowSkipException(self.registered["said"])
        with told(Path(self.models_dir)):
            registry = Registry(Path(self.models_dir))
            registry.refresh()
            version = registry.version(self.registered["version"])
            # Set here, not in the constructor: what a document says must never be rendered as a template.
            self.subject = f"May {version.name} become champion{_over(version.record.parent)}?"
            complete(version.path, without=(MODEL,))
            self.body = scores_in_markdown(version)
        return super().execute(context)


class PromoteModelOperator(BaseOperator):
    """Make champion what was approved; XCom and outlets' events are RegisterModelOperator's, brought up to date.

    Args:
        registered: what RegisterModelOperator returned (templated): give it that task's `.output`.
        approval: what ApprovePromotionOperator returned (templated), for the history: who approved.
        models_dir: the pipeline's models (templated).
        secrets: as RegisterModelOperator's.
    """

    template_fields: Sequence[str] = ("registered", "approval", "models_dir")

    def __init__(
        self,
        *,
        registered: Any,
        approval: Any = None,
        models_dir: str = _MODELS_DIR,
        secrets: Mapping[str, SecretReference] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_references(secrets or {})
        self.registered = registered
        self.approval = approval
        self.models_dir = models_dir
        self.secrets = dict(secrets or {})

    @on_shared_home
    def execute(self, context: Context) -> dict[str, Any]:
        """Check the version's files and move the pointer.

        Raises:
            AirflowFailException: the version is damaged, or another became champion since the question was asked.
        """
        from tradewind.recipes import read_config
        from tradewind.registry.promotion import promote_approved

        registry = Registry(Path(self.models_dir))
        user = (self.approval or {}).get("responded_by_user") or {}
        who = f"{user['name']}, in {_task(context)}" if user.get("name") else _task(context)
        with told(registry.path):
            version = promote_approved(registry, self.registered["version"], who=who)
            config = read_config(version.path / CONFIG)
        fault = _fault("pushed", self.log, lambda: _push(version, config, self.secrets))
        said = "; ".join(filter(None, [_promoted(version, version.record.parent), fault]))
        self.log.info(said)
        _announce(self.outlets, version, context, champion=True)
        return {**self.registered, "promoted": True, "asks": False, "said": said}


def scores_in_markdown(version: Version) -> str:
    """What somebody who approves has to know; every text of a document is escaped."""
    from tradewind.reporting.table import header, score_rows
    from tradewind.reporting.templates import plain

    scores = read_report(version.path / REPORTS[0]).scores
    columns = header(scores)
    lines = [
        f"**{scores.verdict}**: {plain(scores.verdict_reason)}",
        "",
        f"The gate would promote {version.name}{_over(version.record.parent)}:",
        "",
        *(f"- {plain(reason)}" for reason in version.record.decision.reasons),
        "",
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(map(plain, row.cells()))} |" for row in score_rows(scores)),
        "",
        f"Recipe {plain(version.record.recipe)}, run {plain(version.record.run)}. Unanswered, the champion stays.",
    ]
    return "\n".join(lines)


def _announce(outlets: Iterable[Any], version: Version, context: Context, *, champion: bool) -> None:
    for asset in outlets:
        context["outlet_events"][asset].extra = model_facts(version, champion=champion)


def _said(found: Registered, predecessor: str | None) -> str:
    name, decision = found.version.name, found.version.record.decision
    if found.champion:
        return _promoted(found.version, predecessor)
    if found.asks:
        return f"{name} waits for approval{_over(predecessor)}"
    reason = "the champion has changed since" if decision.promote else decision.reasons[0]
    return f"{name} is not promoted: {found.taken_back or reason}"


def _promoted(version: Version, predecessor: str | None) -> str:
    return f"{version.name} is champion{_over(predecessor)}"


def _over(predecessor: str | None) -> str:
    return f" (before: {predecessor})" if predecessor else " (the first)"


def _fault(done: str, log: Logger, work: Callable[[], None]) -> str | None:
    """What of the work went wrong. The pointer has moved: that must be told, whatever fails after it."""
    try:
        work()
    except Exception as error:
        line = told_to_user(error)
        log.warning("not %s: %s", done, line or type(error).__name__, exc_info=None if line else error)
        return f"not {done}: {line or type(error).__name__}"
    return None


def _track(version: Version, config: RunConfig) -> None:
    from tradewind.registry.tracking import track_version

    if config.registry.mlflow_tracking_uri:
        scores = read_report(version.path / REPORTS[0]).scores
        track_version(version, scores, config, config.registry.mlflow_tracking_uri)


def _push(version: Version, config: RunConfig, secrets: Mapping[str, SecretReference]) -> None:
    from tradewind.registry.hub import push_version

    if config.registry.push_to_hub:
        push_version(version, str(config.registry.hub_model_id), read_secrets(secrets).get("HF_TOKEN"))


def _task(context: Context) -> str:
    ti = context["ti"]
    return f"task {ti.dag_id}.{ti.task_id} of {ti.run_id}"
