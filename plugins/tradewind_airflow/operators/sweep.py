"""Several settings of fine-tuning as tasks mapped over them, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.preflight import check_recipe
from tradewind.results import StageResult
from tradewind.run_dir import RunDir
from tradewind.stages import Stage
from tradewind.sweep.choose import choose, trials_line
from tradewind.sweep.trials import Trial, read_trials
from tradewind_airflow.asked import settings_of
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.notifications.states import returned, task_states
from tradewind_airflow.operators.configure import ConfigureRunOperator
from tradewind_airflow.operators.stage import StageOperator
from tradewind_airflow.shared import on_shared_home
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from airflow.sdk import Context

_FIELD = "settings"


class ConfigureSweepOperator(ConfigureRunOperator):
    """Check and keep what a sweep was triggered with, the field `settings` of its form among it.

    The XCom is what trials are mapped over, their arguments `shard`, `overrides` and `settings`:

        configure = ConfigureSweepOperator(task_id="configure")
        trials = GemmaTrialOperator.partial(
            task_id="trials", map_index_template="{{ trial }}"
        ).expand_kwargs(configure.output)
        choose = ChooseTrialOperator(task_id="choose", trials=trials.output)
    """

    def execute(self, context: Context) -> list[dict[str, Any]]:  # type: ignore[override]
        """As ConfigureRunOperator.

        Raises:
            AirflowFailException: also for a trial's setting; it names the trial and the key.
        """
        self._stated: Sequence[str] = context["params"][_FIELD]
        self._trials: list[Trial] = []
        super().execute(context)
        for trial in self._trials:
            self.log.info("trial %s: %s", trial.shard, trial.label)
        return [
            {"shard": str(trial.shard), "overrides": trial.overrides, "settings": trial.label} for trial in self._trials
        ]

    def _check(self, config: RunConfig, run_dir: RunDir, skip: Sequence[str]) -> None:
        super()._check(config, run_dir, skip)
        self._trials = read_trials(self._stated, config)
        for trial in self._trials:
            try:
                check_recipe(trial.config, in_image=bool(self.image))
            except UserError as error:
                raise UserError(f"trial {trial.shard.index}: {error}") from error


class GemmaTrialOperator(StageOperator):
    """Fine-tuning with one of a sweep's settings; publishes `finetune-<k>-of-<N>` with its `validation_loss`.

    Args:
        shard: `2/8`: the second of eight trials.
        overrides: its settings, by dotted key (templated).
        settings: the same as the grid shows them.
    """

    def __init__(self, *, shard: str, settings: str, **kwargs: Any) -> None:
        super().__init__(stage="finetune", shard=shard, **kwargs)
        self.settings = settings

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """As the stage does; its settings and then its loss are also `trial` for a `map_index_template`."""
        context["trial"] = self.settings  # type: ignore[typeddict-unknown-key]
        result = super().execute(context)
        cached = " (cached)" if result["status"] == "cached" else ""
        told = f"{self.settings}: loss {result['metrics']['validation_loss']:.3f}{cached}"
        self.log.info("%s", told)
        context["trial"] = told  # type: ignore[typeddict-unknown-key]
        return result


class ChooseTrialOperator(BaseOperator):
    """Publish the best of a sweep's trials as the run's `finetune`; a trial that failed does not stop the others.

    The XCom is small: `chosen`, `settings`, `validation_loss`, and `said`, one line of all of them.

    Args:
        trials: what the trials returned (templated): give it that task's `.output`.
        run_dir: the run's folder (templated).
    """

    template_fields: Sequence[str] = ("trials", "run_dir")
    stage: Stage = "finetune"
    """Skipped from outside, it is this stage that is left out."""

    def __init__(
        self,
        *,
        trials: Any,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        **kwargs: Any,
    ) -> None:
        if "trigger_rule" not in {*kwargs, *(kwargs.get("default_args") or {})}:
            kwargs["trigger_rule"] = "all_done"
        super().__init__(**kwargs)
        self.trials = trials
        self.run_dir = run_dir

    @on_shared_home
    def execute(self, context: Context) -> dict[str, Any]:
        """Choose.

        Raises:
            AirflowFailException: no trial came to its end, or one is not what stands in the run.
        """
        run_dir, identity = RunDir(Path(self.run_dir)), Identity.of(context)
        with told(run_dir.path):
            settings = settings_of(run_dir, identity.job_id)
            if settings is None:
                raise UserError(f"{run_dir.path / 'run.json'}: is not there or another run's; clear the first task")
            trials = read_trials(settings.params[_FIELD], settings.config)
            result = choose(
                run_dir, settings.config, trials, _finished(self.trials, _states(context)),
                job_id=identity.job_id, task_id=identity.task_id,
            )  # fmt: skip
        said = str(trials_line(result.metrics))
        self.log.info("%s", said)
        chosen = next(trial for trial in trials if str(trial.shard) == result.metrics["chosen"])
        return {
            "chosen": str(chosen.shard),
            "settings": chosen.label,
            "validation_loss": result.metrics["validation_loss"],
            "said": said,
        }


def _states(context: Context) -> dict[str, str]:
    return {} if context.get("dag") is None else task_states(context["ti"])


def _finished(values: Iterable[Mapping[str, Any]] | None, states: Mapping[str, str]) -> dict[str, StageResult]:
    """The results by shard; of a task that did not succeed what is there was returned before it was cleared."""
    results = [StageResult.model_validate(value) for value in values or ()]
    return {str(result.shard): result for result in results if returned(result, states.get(_key(result)))}


def _key(result: StageResult) -> str:
    """Its task as Airflow names the states of mapped ones: `trials_0` of `trials[0]/1`."""
    task = str(result.task_id).rpartition("/")[0]
    return task.replace("[", "_").removesuffix("]")
