"""Whether the documents have changed since a pipeline was last told so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from tradewind_airflow.macros import home
from tradewind_airflow.told import told

if TYPE_CHECKING:
    from airflow.sdk import Context

_SEEN = "seen"
_DIGEST = "documents"
_LOOKED_BACK = 50


class WatchDocumentsOperator(BaseOperator):
    """Look at the documents; an event of their asset follows when they have changed, and stay so for two looks.

    A folder that is still being copied is another at every look, and starts no training. What the asset's last
    event told is what they are compared with; without a change to tell, the task is *skipped*.

    Args:
        documents: the asset that a pipeline is scheduled by; its event's extra holds the documents' hash.
        recipe: name or path of the pipeline's recipe (templated).
        data: the folder of documents (templated).
    """

    template_fields: Sequence[str] = ("recipe", "data")

    def __init__(
        self,
        *,
        documents: Asset,
        recipe: str = "{{ params.recipe }}",
        data: str = "{{ params.data }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(inlets=[documents], outlets=[documents], **kwargs)
        self.documents = documents
        self.recipe = recipe
        self.data = data

    def execute(self, context: Context) -> dict[str, Any]:
        """Compare; the XCom is the event's extra.

        Raises:
            AirflowSkipException: there is nothing to tell, or not yet.
            AirflowFailException: the recipe or the folder is not there.
        """
        from tradewind.recipes import resolve
        from tradewind.reuse.documents import documents_of
        from tradewind.reuse.hashes import FileHashes

        kept = home() / "documents"
        with told(kept):
            config = resolve(self.recipe, self.data)
            kept.mkdir(parents=True, exist_ok=True)
            with FileHashes(kept) as hashes:
                found = documents_of(config, hashes)
        looks = context["asset_state_store"][self.documents]
        is_at_rest = found.sha256 == looks.get(_SEEN)
        if not is_at_rest:
            looks.set(_SEEN, found.sha256)
        if found.sha256 == self._last_told(context):
            raise AirflowSkipException(f"{config.data_dir}: as they were when last told of")
        if not is_at_rest:
            raise AirflowSkipException(f"{config.data_dir}: changed; told if the next look finds them so as well")
        extra: dict[str, Any] = {_DIGEST: found.sha256, "bytes": found.bytes}
        context["outlet_events"][self.documents].extra = extra
        self.log.info("%s: changed, and at rest since the last look", config.data_dir)
        return extra

    def _last_told(self, context: Context) -> Any:
        newest_first = context["inlet_events"][self.documents].ascending(False).limit(_LOOKED_BACK)
        told = ((event.extra or {}).get(_DIGEST) for event in newest_first)
        return next(filter(None, told), None)  # without those of somebody else's, such as one by hand
