"""A model's layers compiled while it is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from peft import PeftModel
from transformers import PreTrainedModel

from tradewind.training.backbone import causal_model


@contextmanager
def compiled_layers(model: PreTrainedModel | PeftModel) -> Iterator[int]:
    """While it lasts, each decoder layer is compiled by itself, for rows of any length; says how many.

    Layers are alike, so that what is compiled for one serves all, in a fraction of what the whole model would take.
    """
    layers = list(causal_model(model).base_model.layers)
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield len(layers)
    finally:
        for layer in layers:
            layer._compiled_call_impl = None  # noqa: SLF001 - where torch keeps it; there is no other way back
