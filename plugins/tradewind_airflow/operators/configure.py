"""What a run is asked to do, checked and resolved before anything is spent on it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

import tradewind
from tradewind.run_dir import RunDir
from tradewind.sources.location import check_folder, locate_documents
from tradewind_airflow.asked import as_seed
from tradewind_airflow.child import stage_environment
from tradewind_airflow.cluster import processes_of
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.params import check_conf, stated_settings
from tradewind_airflow.secret_references import SecretReference, check_references, read_secrets
from tradewind_airflow.shared import on_shared_home
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tradewind.config import RunConfig


class ConfigureRunOperator(BaseOperator):
    """Check what the run was triggered with, resolve its configuration and keep both as `run.json`.

    Every later task of the run goes by that file, so that a recipe which is edited meanwhile changes nothing.
    The XCom is small: `job_id`, `recipe`, `data`, `seed`, `skip`, `force`.

    Args:
        recipe: name or path of a recipe (templated).
        data: folder of documents, or `embedded:en` (templated).
        seed: seed of split, training and bootstrap (templated).
        overrides: settings that differ from the recipe's, by dotted key (templated); the form's fields stand above.
        run_dir: the run's folder (templated).
        image: of the stages; None: they share the worker's environment, keys of servers included (templated).
        secrets: those of the stages that ask a server, by reference, to tell at once that a key is missing. None:
            no key is looked for.
    """

    template_fields: Sequence[str] = ("recipe", "data", "seed", "overrides", "run_dir", "image")

    def __init__(
        self,
        *,
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        seed: str | int = "{{ params.seed }}",
        overrides: Mapping[str, Any] | None = None,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        image: str | None = None,
        secrets: Mapping[str, SecretReference] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_references(secrets or {})
        self.recipe = recipe
        self.data = data
        self.seed = seed
        self.overrides = dict(overrides or {})
        self.run_dir = run_dir
        self.image = image
        self.secrets = secrets

    @on_shared_home
    def execute(self, context: Context) -> dict[str, Any]:
        """Check, resolve, write.

        Raises:
            AirflowFailException: one line that names the key, the setting or the folder, and what to do.
        """
        from tradewind.preflight import check_division
        from tradewind.recipes import resolve
        from tradewind.run_settings import RunSettings, write_settings

        run_dir = RunDir(Path(self.run_dir))
        job_id = Identity.of(context).job_id
        with told(run_dir.path):
            check_conf(context["dag_run"].conf or {}, context["dag"].params)
            params = dict(context["params"])
            config = resolve(self.recipe, self.data, as_seed(self.seed), self.overrides | stated_settings(params))
            skip, force = tuple(dict.fromkeys(params.get("skip") or ())), bool(params.get("force"))
            check_division(config, processes_of(context["dag"].tasks), skip)
            self._check(config, run_dir, skip)
            settings = RunSettings(
                job_id=job_id,
                config=config,
                skip=skip,
                force=force,
                params=params | {"recipe": self.recipe, "data": self.data, "seed": self.seed},
                version=tradewind.__version__,
                resolved_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
            write_settings(run_dir, settings)
        self.log.info("recipe %s, documents %s, seed %d", config.recipe, config.data_dir, config.seed)
        if skip:
            self.log.info("left out: %s", ", ".join(skip))
        return {
            "job_id": job_id,
            "recipe": config.recipe,
            "data": config.data_dir,
            "seed": config.seed,
            "skip": list(skip),
            "force": force,
        }

    def _check(self, config: RunConfig, run_dir: RunDir, skip: Sequence[str]) -> None:
        from tradewind.preflight import check_keys, check_recipe
        from tradewind.reuse.skipped import check_skips

        check_recipe(config, in_image=bool(self.image))
        reading = {"prepare"} if config.extract is None else {"extract", "prepare"}
        if not reading <= set(skip):
            check_folder(locate_documents(config.data_dir))
        run_dir.path.parent.mkdir(parents=True, exist_ok=True)  # earlier runs are looked for there
        check_skips(skip, config, run_dir)
        if self.secrets is not None:
            own = {} if self.image else stage_environment(os.environ)
            check_keys(config, own | read_secrets(self.secrets), skip)
