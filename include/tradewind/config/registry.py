"""When a model becomes champion, and which are kept."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from tradewind.config.base import Frozen
from tradewind.kinds import Kind


class GateRule(Frozen):
    """A metric on a kind of held-out question; in each language."""

    metric: Literal["semscore", "chrf", "exact_match", "numbers", "truthfulness"] = "semscore"
    """What is compared; where it cannot judge a language (SemScore with a blind encoder) the group's headline."""
    kind: Kind | None = None
    """Of which held-out questions; None: of every kind."""


class GateConfig(Frozen):
    """When a new model takes the champion's place; see `tradewind.registry.gate`."""

    require: Annotated[tuple[GateRule, ...], Field(min_length=1)] = (GateRule(kind="reworded"),)
    """The whole interval of tuned minus champion (without one: minus base) lies above 0."""
    no_loss: tuple[GateRule, ...] = (GateRule(kind="read"), GateRule(kind="unseen"), GateRule(metric="truthfulness"))
    """The interval does not lie wholly below 0. Truthfulness counts where a judge is configured."""
    approval: bool = False
    """Have a human approve in Airflow what the gate lets through."""


class RegistryConfig(Frozen):
    """Which models are kept, and where else they go."""

    keep: Annotated[int, Field(ge=1)] = 5
    """The newest versions that are kept, besides the champion, the one before it and the one served."""
    push_to_hub: bool = False
    """Send what becomes champion to the Hugging Face hub, as a private model."""
    hub_model_id: str | None = None
    """Such as `your-team/trade-gemma`; needed with `push_to_hub`."""
    mlflow_tracking_uri: str | None = None
    """Note each version's settings and scores there; needs the package mlflow."""

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> RegistryConfig:
        if self.push_to_hub and not self.hub_model_id:
            raise ValueError("push_to_hub needs hub_model_id, the repository to push to")
        return self

    @model_validator(mode="after")  # not of the field alone: what it holds would be told
    def _holds_no_login(self) -> RegistryConfig:
        if self.mlflow_tracking_uri and "@" in urlsplit(self.mlflow_tracking_uri).netloc:
            raise ValueError(
                "mlflow_tracking_uri holds a login; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            )
        return self
