"""Raw documents to question/answer pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from tradewind.errors import UserError
from tradewind.extraction.told import bill_line, counts_line
from tradewind.recipes import resolve
from tradewind.shard import Shard
from tradewind_airflow.operators.stage import StageOperator

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

    def __init__(self, *, shard: str | None = None, **kwargs: Any) -> None:
        super().__init__(stage="prepare" if shard is None else "extract", shard=shard, **kwargs)

    def execute(self, context: Context) -> dict[str, Any]:  # type: ignore[override]
        """As the stage does; what was counted is also `counts` for a `map_index_template`."""
        context["counts"] = f"shard {self.shard}"  # type: ignore[typeddict-unknown-key]
        result = super().execute(context)
        if self.stage == "extract":
            counts = f"{self.shard}: {counts_line(result['metrics'])}"
            context["counts"] = counts  # type: ignore[typeddict-unknown-key]
            self.log.info("%s; the run so far: %s", counts, bill_line(result["metrics"]["bill"]))
        return result


class TranscriptShardsOperator(BaseOperator):
    """The shards to map `QAConversionOperator` over: none where the recipe draws no pairs from transcripts."""

    template_fields: Sequence[str] = ("recipe", "data", "overrides")

    def __init__(
        self,
        *,
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        overrides: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recipe = recipe
        self.data = data
        self.overrides = dict(overrides or {})

    def execute(self, context: Context) -> list[str]:
        """`["1/2", "2/2"]`; AirflowFailException for a recipe that cannot be used."""
        del context
        try:
            extract = resolve(self.recipe, self.data, overrides=self.overrides).extract
        except UserError as error:
            raise AirflowFailException(str(error)) from error
        count = 0 if extract is None else extract.shards
        return [str(Shard(index, count)) for index in range(1, count + 1)]
