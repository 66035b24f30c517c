"""The model that is trained, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from tradewind.config.base import Auto, Fraction, Frozen


class ModelConfig(Frozen):
    """The base model: `embedded:tiny-gemma2`, a folder, or a hub name."""

    model_name_or_path: str = "embedded:tiny-gemma2"
    """One whose tokenizer has a chat template, as Gemma's `-it` models have."""
    model_revision: str | None = None
    """The hub's branch, tag or commit; None: the newest."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the weights are loaded in."""
    attn_implementation: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """How attention is computed; `eager` holds for Gemma-2 everywhere, its softcapping included. `auto`: FlashAttention
    on a GPU where it is installed and the weights are not float32, else `eager`."""


class LoraSettings(Frozen):
    """PEFT's LoRA; the targets are Gemma's seven projections."""

    r: Annotated[int, Field(ge=1)] = 16
    """The rank: more learns more and takes more memory."""
    lora_alpha: Annotated[float, Field(gt=0)] = 32
    """The adapter's weight is `lora_alpha / r`."""
    lora_dropout: Fraction = 0.0
    """Slows training on a CPU by a third."""
    target_modules: tuple[str, ...] = (
        "q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj",
    )  # fmt: skip
    """The layers that get an adapter."""


class QuantizationSettings(Frozen):
    """QLoRA: what is frozen below LoRA's adapters, in 4 bits; named as in transformers' `BitsAndBytesConfig`.

    Needs the package bitsandbytes.
    """

    load_in_4bit: bool = True
    """`false`: as without this block."""
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = "nf4"
    """`nf4` suits weights, which are spread as a bell curve; `fp4` is a floating-point number."""
    bnb_4bit_use_double_quant: bool = True
    """Quantise the scales of the quantised weights, too: 0.4 bits a weight less."""
    bnb_4bit_compute_dtype: Literal["float32", "bfloat16", "float16"] | Auto = "auto"
    """What weights are made of again for each product. `auto`: bfloat16 on hardware that can, else float32."""


class TrainingConfig(Frozen):
    """One training: adaptation on running text, or fine-tuning on pairs."""

    enabled: bool = True
    """Off, the stage is left out."""
    num_train_epochs: Annotated[float, Field(gt=0)] = 3
    """How often the whole training set is gone through."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 2e-4
    """At its highest, after the warm-up."""
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls to the end."""
    warmup_steps: Annotated[float, Field(ge=0)] = 0
    """A whole number of steps, or below 1 a share of all steps."""
    per_device_train_batch_size: Annotated[int, Field(ge=1)] = 2
    """Times `gradient_accumulation_steps`: the examples of one step of the optimizer. Several GPUs of a task share
    them: a step stays the same."""
    gradient_accumulation_steps: Annotated[int, Field(ge=1)] = 4
    """See `per_device_train_batch_size`; how many of them are computed at once says `micro_batch_size`."""
    micro_batch_size: Annotated[int, Field(ge=1)] | Auto = "auto"
    """Examples computed at once, a divisor of those of a step. `auto`: as many as memory holds by a measurement on
    the longest, and half as many after running out of memory; the step's examples stay the same."""
    max_length: Annotated[int, Field(ge=16)] = 1024
    """In tokens. A longer text is cut into several examples; a longer pair is left out and counted."""
    packing: bool | Auto = "auto"
    """Best-fit decreasing packing of whole examples into rows of `max_length`, which a step then counts; never TRL's
    `wrapped`, which mixes them. `auto`: a step's examples stand in one row without padding, kept apart by
    FlashAttention on a GPU, and on a CPU by attention of Tradewind's own in the place of `eager`; else they are
    padded."""
    group_by_length: bool = True
    """Batches of examples of like length, so that little is padding; without effect where examples share a row."""
    gradient_checkpointing: bool | Auto = "auto"
    """Less memory for activations, at the price of computing them twice. `auto`: only where not even one example fits
    without."""
    loss_type: Literal["auto", "nll"] = "auto"
    """`auto`: logits and their loss are computed where a token carries loss, a part at a time; `nll` is
    TRL's own."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Of the optimizer."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients are clipped to this norm."""
    optim: str = "auto"
    """An optimizer of transformers' `TrainingArguments`; `auto`: `adamw_torch_fused`."""
    bf16: bool | Auto = "auto"
    """Mixed precision: compute in bfloat16, on hardware that can. `auto`: where a few steps of this training are
    measured to be clearly faster so."""
    torch_compile: bool | Auto = "auto"
    """Compile the model's layers; `auto`: for a training long enough to win the minutes back."""
    fsdp: bool | Auto = "auto"
    """Of a task with several GPUs: share the weights out among them (FSDP). `auto`: where one GPU has no room for
    weights, gradients and the optimizer's state; else each has the whole model (DDP)."""
    logging_steps: Annotated[int, Field(ge=1)] = 10
    """Steps from one line of the log, and point of the loss curve, to the next."""
    save_steps: Annotated[int, Field(ge=1)] = 100
    """Steps from one checkpoint to the next: what a killed training loses at most."""
    save_total_limit: Annotated[int, Field(ge=2)] = 2
    """How many checkpoints stand at once; all are removed when the stage is done."""
    lora: LoraSettings | None = LoraSettings()
    """Low-rank adapters; None trains every weight."""
    quantization_config: QuantizationSettings | None = None
    """Frozen weights in 4 bits while adapters are trained (QLoRA); the adapter is merged into the unquantised ones."""
    report_to: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    """Trackers of transformers' that each training reports to; their packages must be installed."""
    push_to_hub: bool = False
    """Send this training's model to the Hugging Face hub, as a private one, better or not; see
    `registry.push_to_hub`."""
    hub_model_id: str | None = None
    """Such as `your-team/trade-gemma`; needed with `push_to_hub`."""

    @model_validator(mode="after")
    def _four_bits_need_adapters(self) -> TrainingConfig:
        if self.lora is None and self.quantization_config is not None and self.quantization_config.load_in_4bit:
            raise ValueError("quantization_config needs lora: weights in 4 bits cannot be trained themselves")
        return self

    @model_validator(mode="after")
    def _four_bits_are_not_shared_out(self) -> TrainingConfig:
        if self.fsdp is True and self.quantization_config is not None and self.quantization_config.load_in_4bit:
            raise ValueError("fsdp cannot share out weights in 4 bits: leave out fsdp or quantization_config")
        return self

    @model_validator(mode="after")
    def _hub_needs_a_name(self) -> TrainingConfig:
        if self.push_to_hub and not self.hub_model_id:
            raise ValueError("push_to_hub needs hub_model_id, the repository to push to")
        return self


class SweepConfig(Frozen):
    """How the trials of a sweep are compared, see `tradewind.sweep.validation`."""

    validation: Annotated[float, Field(gt=0.0, le=0.5)] = 0.1
    """Share of the training pairs that no trial is trained on: the loss on them says which is best."""
    min_pairs: Annotated[int, Field(ge=1)] = 8
    """The fewest such pairs."""
