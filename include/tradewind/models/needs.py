"""What a recipe's model needs of memory and disk, by arithmetic on its shape.

Measured nowhere: a lower bound that tells whether a recipe can go at all, not a promise that it will.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.config import Recipe, TrainingConfig
from tradewind.models.shape import Shape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_MOMENTS = 2  # Adam's
_ADAPTER = 4  # bytes of a number: adapters are in float32, and so is what of a 4-bit model is not in 4 bits
_CONTEXT = int(0.6e9)  # CUDA's own, on each device
_QUESTION = 512  # tokens, of those that are answered


@dataclass(frozen=True)
class Need:
    """Bytes, and what for."""

    bytes: int
    what: str


def memory_need(shape: Shape, recipe: Recipe) -> Need:
    """The most that any stage of a recipe needs at least: one example at a time, activations computed twice."""
    width = BYTES[recipe.model.dtype]
    found = [
        Need(training_bytes(shape, recipe, training), name)
        for name, training in (("adapt", recipe.adapt), ("finetune", recipe.finetune))
        if training.enabled
    ]
    cache = 2 * shape.layers * shape.key_value_heads * shape.head_size * (_QUESTION + recipe.evaluate.max_new_tokens)
    found.append(Need(shape.parameters * width + cache * width + _CONTEXT, "evaluate"))
    return max(found, key=lambda need: need.bytes)


def training_bytes(shape: Shape, recipe: Recipe, training: TrainingConfig) -> int:
    """Weights, what the optimizer keeps, and the activations of one example of `max_length`."""
    width = BYTES[recipe.model.dtype]
    # What stands between layers has the width of the embeddings, which 4-bit models have in float32.
    between = _ADAPTER if _is_in_four_bits(training) else width
    return (
        _weights(shape, training, width)
        + _trained_state(shape, training, width)
        + _activations(shape, training.max_length, between)
        + _CONTEXT
    )


def disk_need(shape: Shape, recipe: Recipe) -> int:
    """Bytes that one run leaves on the disk or has there for a while."""
    width = BYTES[recipe.model.dtype]
    left, checkpoints = 0, 0
    for training in (recipe.adapt, recipe.finetune):
        if training.enabled:
            trained, each = _trained(shape, training, width)
            adapter = trained * each if training.lora else 0
            left += shape.parameters * width + adapter
            # A new one is written before the oldest goes.
            kept = training.save_total_limit + 1
            checkpoints = max(checkpoints, kept * trained * each * (1 + _MOMENTS))
    return left + checkpoints


def _weights(shape: Shape, training: TrainingConfig, width: int) -> int:
    quantization = training.quantization_config
    if quantization is None or not _is_in_four_bits(training):
        return shape.parameters * width
    # A scale for 64 weights: a float32, or a byte with a float32 for 256 of these.
    scale = (1 + 4 / 256) / 64 if quantization.bnb_4bit_use_double_quant else 4 / 64
    return int(shape.projected * (0.5 + scale)) + (shape.parameters - shape.projected) * _ADAPTER


def _is_in_four_bits(training: TrainingConfig) -> bool:
    return training.quantization_config is not None and training.quantization_config.load_in_4bit


def _trained(shape: Shape, training: TrainingConfig, width: int) -> tuple[int, int]:
    """How many parameters learn, and the bytes of each."""
    if training.lora is None:
        return shape.parameters, width
    return shape.adapter(training.lora.r, training.lora.target_modules), _ADAPTER


def _trained_state(shape: Shape, training: TrainingConfig, width: int) -> int:
    """Gradients and moments of what learns; of adapters themselves, too, which stand beside the weights."""
    trained, each = _trained(shape, training, width)
    return trained * each * (1 + _MOMENTS + (1 if training.lora else 0))


def _activations(shape: Shape, length: int, width: int) -> int:
    """What each layer is given, and all that one layer keeps while its activations are computed again."""
    given = shape.layers * length * shape.hidden * width
    wide = 8 * shape.hidden + 4 * shape.heads * shape.head_size + 5 * shape.intermediate
    scores = 3 * shape.heads * length**2  # before and after softmax, and the gradient
    return given + length * wide * width + scores * width
