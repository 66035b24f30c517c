"""Raw documents to question/answer pairs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from tradewind.extraction.told import bill_line, counts_line
from tradewind.run_dir import RunDir
from tradewind.shard import Shard
from tradewind.stages import Stage
from tradewind_airflow.asked import Asked
from tradewind_airflow.containers.identity import Identity
from tradewind_airflow.operators.stage import StageOperator
from tradewind_airflow.shared import on_shared_home
from tradewind_airflow.standing import left_out
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context


class QAConversionOperator(StageOperator):
    """Read exams, glossaries and transcripts; publish training pairs, held-out questions and a corpus.

    With a `shard` it draws pairs from its part of the transcripts' passages instead, by the model that
    the recipe's block `extract` names; all shards of a run share that block's budget. Map over them:

        shards = TranscriptShardsOperator(task_id="shards")
        QAConversionOperator.partial(
            task_id="extract", map_index_template="{{ counts }}"
        ).expand(shard=shards.output)

    Args:
        shard: `2/8`.
    """

    mapped_stage: ClassVar[Stage | None] = "extract"

    def __init__(self, *, shard: str | None = None, **kwargs: Any) -> None:
        super().__init__(stage="prepare" if shard is None else "extract", shard=shard, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """As the stage does; what was counted is also `counts` for a `map_index_template`."""
        context["counts"] = f"shard {self.shard}"  # type: ignore[typeddict-unknown-key]
        result = super().execute(context)
        if self.stage == "extract":
            counts = f"{self.shard}: {counts_line(result['metrics'])}"
            if result["status"] == "cached":
                counts += " (cached)"
            else:
                self.log.info("%s; the run so far: %s", counts, bill_line(result["metrics"]["bill"]))
            context["counts"] = counts  # type: ignore[typeddict-unknown-key]
        return result


class TranscriptShardsOperator(BaseOperator):
    """The shards to map `QAConversionOperator` over: none where the recipe draws no pairs from transcripts.

    None either where the run leaves `extract` out: the pairs of an earlier run that fits then stand in.
    """

    template_fields: Sequence[str] = ("recipe", "data", "seed", "overrides", "run_dir")

    def __init__(
        self,
        *,
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        seed: str | int = "{{ params.seed }}",
        overrides: Mapping[str, Any] | None = None,
        run_dir: str = "{{ macros.tradewind.run_dir(dag.dag_id, run_id) }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recipe = recipe
        self.data = data
        self.seed = seed
        self.overrides = dict(overrides or {})
        self.run_dir = run_dir

    @on_shared_home
    def execute(self, context: Context) -> list[str]:
        """`["1/2", "2/2"]`; AirflowFailException for a recipe that cannot be used."""
        run_dir, identity = RunDir(Path(self.run_dir)), Identity.of(context)
        with told(run_dir.path):
            asked = Asked.of(
                run_dir, identity.job_id, recipe=self.recipe, data=self.data, seed=self.seed, overrides=self.overrides
            )
            extract = asked.config.extract
            if extract is not None and "extract" in asked.skip:
                with suppress(AirflowSkipException):  # `prepare` says so, if it cannot do without
                    left_out("extract", asked, run_dir, identity)
                return []
        count = 0 if extract is None else extract.shards
        return [str(Shard(index, count)) for index in range(1, count + 1)]
