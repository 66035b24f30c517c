"""One training run on TRL's SFTTrainer, for adaptation and fine-tuning alike."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import PreTrainedModel, PreTrainedTokenizerBase, set_seed
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig

from tradewind.config import LoraSettings, TrainingConfig
from tradewind.files import write_jsonl
from tradewind.training.checkpoints import VerifyCheckpoints, newest_verified
from tradewind.training.computing import computing
from tradewind.training.four_bits import is_in_four_bits
from tradewind.training.learning_memory import check_fits
from tradewind.training.plan import Plan, plan_training
from tradewind.training.progress_file import ProgressFile
from tradewind.training.progress_lines import ProgressLines
from tradewind.training.sharding import check_shares_fit, choose_sharding
from tradewind.training.shared_weights import check_checkpoint, fsdp_arguments
from tradewind.training.trainer import AnswerTrainer
from tradewind.training.world import ALONE, World

log = logging.getLogger("tradewind")


def train(
    name: str,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: list[dict[str, list[int]]],
    config: TrainingConfig,
    seed: int,
    work: Path,
    *,
    world: World = ALONE,
    save_to: Path | None = None,
) -> tuple[PreTrainedModel | PeftModel, dict[str, Any]]:
    """Train on tokenised rows; go on from the newest verified checkpoint in `work` if there is one.

    Args:
        name: the stage's.
        rows: `input_ids` and `labels`, none longer than `config.max_length`.
        work: checkpoints go to `work/checkpoints`, the loss curve to `work/log.jsonl`, and while the training
            goes on, how far it is to `work/progress.json`.
        world: the processes that train together; each calls this, and the first writes.
        save_to: where the trained weights go, an adapter or the whole model; None: nowhere.

    Returns:
        The trained model (with LoRA, the unmerged PEFT model) and its metrics: `steps`, `loss`, `train_seconds`, of
        which `checkpoint_seconds` went to writing checkpoints, `tokens` (in one epoch) and `resumed_from_step`
        (None for a fresh start).

    Raises:
        UserError: what learns does not fit into memory, or the checkpoint is of a training with weights shared out
            and this one is not, or the other way round.
    """
    set_seed(seed)
    if config.lora is not None:
        model = with_adapter(model, config.lora)
    sharded = world.agree(lambda: choose_sharding(name, model, config, world))
    if sharded:
        check_shares_fit(name, model, config, world)
    else:
        if world.device is not None:
            model.to(world.torch_device)
        check_fits(name, model, config, processes=world.size)
    checkpoint = world.agree(lambda: newest_verified(work / "checkpoints"))
    check_checkpoint(checkpoint, sharded=sharded)
    kept = work / "plan.json"
    plan = world.agree(
        lambda: plan_training(
            name, model, rows, config, kept, processes=world.size, sharded=sharded, device=world.torch_device
        )
    )
    trainer = AnswerTrainer(
        model=model,
        args=_arguments(config, plan, seed, work / "checkpoints"),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[VerifyCheckpoints(world), *([ProgressLines(name), ProgressFile(name, work)] * world.is_first)],
        plan=plan,
        world=world,
        group_by_length=config.group_by_length and not (plan.packing or plan.padding_free),
    )
    trainer.remove_callback(PrinterCallback)
    if world.size > 1:
        torch.manual_seed(seed + world.rank)  # else each would leave out the same by dropout
    if checkpoint:
        log.info("%s: resume from %s", name, checkpoint.name)
    began = time.monotonic()
    with computing(trainer.model, plan):
        outcome = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    curve = [entry for entry in trainer.state.log_history if "loss" in entry]
    if world.is_first:
        write_jsonl(work / "log.jsonl", curve)
    if save_to is not None:
        trainer.save_model(str(save_to))
    metrics = {
        "steps": trainer.state.global_step,
        "loss": round(outcome.training_loss, 6),
        "last_loss": round(float(curve[-1]["loss"]), 6) if curve else None,
        "train_seconds": round(time.monotonic() - began, 3),
        "checkpoint_seconds": round(trainer.checkpoint_seconds, 3),
        "rows": len(rows),
        "tokens": sum(len(row["input_ids"]) for row in rows),
        "chosen": asdict(plan),
        "trainable_parameters": sum(item.numel() for item in trainer.model.parameters() if item.requires_grad),
        "resumed_from_step": int(checkpoint.name.rsplit("-", 1)[1]) if checkpoint else None,
    }
    return trainer.model, metrics


def with_adapter(model: PreTrainedModel, settings: LoraSettings) -> PeftModel:
    """The model, frozen, with a new adapter; its weights are drawn from torch's random state.

    Of a model in 4 bits, what is not in 4 bits is made float32: norms and embeddings are sensitive, and small.
    """
    if is_in_four_bits(model):
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    lora = settings.model_dump() | {"target_modules": list(settings.target_modules)}
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **lora))


def _arguments(config: TrainingConfig, plan: Plan, seed: int, output_dir: Path) -> SFTConfig:
    # What stands below or in the plan, and the hub, which gets the merged model once it is proven.
    elsewhere = {
        "enabled",
        "max_length",
        "lora",
        "quantization_config",
        "group_by_length",
        "report_to",
        "loss_type",
        "fsdp",
        "per_device_train_batch_size",
    }
    shared = config.model_dump(exclude=elsewhere | asdict(plan).keys() | {"push_to_hub", "hub_model_id"})
    arguments = SFTConfig(
        **shared,
        output_dir=str(output_dir),
        report_to=list(config.report_to) or "none",
        per_device_train_batch_size=plan.micro_batch_size,
        gradient_accumulation_steps=plan.gradient_accumulation_steps,
        packing=plan.packing,
        packing_strategy="bfd",
        padding_free=plan.padding_free,
        max_length=None if plan.padding_free else config.max_length,  # nothing is longer; TRL wants it unsaid then
        optim=plan.optim,
        bf16=plan.bf16,
        use_cpu=not torch.cuda.is_available(),  # else bf16 is refused there
        **(fsdp_arguments() if plan.sharded else {}),
        torch_compile=False,  # by `compiled_layers`: the whole model would be compiled anew for each length
        save_strategy="steps",
        seed=seed,
        data_seed=seed,
        disable_tqdm=not sys.stderr.isatty(),
        dataloader_pin_memory=torch.cuda.is_available(),
        gradient_checkpointing=None,  # TRL's default is on, under the name that transformers gives up
        activation_checkpointing=plan.gradient_checkpointing,
    )
    # Else one process would use all GPUs that it sees, by DataParallel: another step, and TRL refuses it.
    arguments._n_gpu = min(1, arguments.n_gpu)  # noqa: SLF001 - there is no public way to say so
    return arguments
