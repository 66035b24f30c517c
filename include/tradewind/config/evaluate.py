"""How answers are generated, scored and judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tradewind.config.asking import AskConfig
from tradewind.config.base import Auto, Frozen


class JudgeConfig(AskConfig):
    """Grades truthfulness from 1 to 5 against the reference; without this block it is not measured."""

    block = "evaluate.judge"

    samples: Annotated[int, Field(ge=1, le=25)] = 1
    """Verdicts asked for on each answer, of which the mean is its score; at a temperature of 0 they are alike."""
    max_unscored: Annotated[float, Field(ge=0.0, le=1.0)] = 0.2
    """With a larger share of any model's answers without a score the stage fails rather than report."""
    min_kappa: Annotated[float, Field(ge=-1.0, le=1.0)] = 0.6
    """Below this agreement with the anchors (quadratic-weighted kappa) the report and Slack warn."""
    max_drift: Annotated[float, Field(ge=0.0, le=2.0)] = 0.1
    """They warn as well when that agreement falls by more than this, since the last day judged or since the first."""


class EvaluateConfig(Frozen):
    """Generation and scoring, the same for every model compared."""

    per_device_eval_batch_size: Annotated[int, Field(ge=1)] | Auto = "auto"
    """Questions answered at once; less takes less memory. `auto`: by the device's memory and the model's size; half as
    many after running out of memory."""
    generator: Literal["auto", "vllm", "continuous", "batches"] = "auto"
    """What generates. `auto`: on a GPU vLLM where it is installed, else transformers' continuous batching; on a CPU
    batches of questions of like length, from which finished answers leave."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 256
    """The longest answer, in tokens; a longer one is cut and counted."""
    encoder: str = "sentence-transformers/all-mpnet-base-v2"
    """A sentence-transformers model, or `embedded:all-MiniLM-L6-v2`."""
    encoder_revision: str | None = None
    """The hub's branch, tag or commit; None: the newest."""
    max_floor: Annotated[float, Field(gt=0, le=1)] = 0.35
    """Above this floor an encoder cannot judge a language, and chrF stands in for it. The floor is what
    references of one language score against each other's: all-MiniLM-L6-v2 gives 0.19 on the English
    samples and 0.46 on the Korean ones."""
    bootstrap_resamples: Annotated[int, Field(ge=100)] = 10_000
    """Draws of the bootstrap behind each interval and p."""
    confidence_level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95
    """Of the intervals."""
    judge: JudgeConfig | None = None
    """Grades truthfulness; None: it is not measured."""
