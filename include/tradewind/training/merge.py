"""Saving what was trained, merged, with proof that the merge took effect."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tradewind.config import ModelConfig
from tradewind.errors import UserError
from tradewind.training.four_bits import is_in_four_bits
from tradewind.training.load import load_model
from tradewind.training.tokens import stop_ids


@dataclass(frozen=True)
class Before:
    """A model before its training: a digest of each weight, and its logits on a probe."""

    digests: dict[str, str]
    probe: list[int]
    logits: torch.Tensor

    @classmethod
    def of(cls, model: PreTrainedModel, probe: list[int]) -> Before:
        """Remember `model`; the probe is a row of token ids."""
        return cls(_digests(model), probe, _logits(model, probe))


def save_trained(
    trained: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    before: Before,
    config: ModelConfig,
    work: Path,
) -> dict[str, Any]:
    """Write `work/model` (merged, whole) and with LoRA `work/adapter`, then read the model back and compare.

    What was trained on 4-bit weights is merged into the unquantised ones.

    Returns:
        `changed_tensors` and `tensors`, and the largest change of a logit on the probe.

    Raises:
        UserError: the saved model equals its base, or does not do what the trained one did.
    """
    after_training = _logits(trained, before.probe)
    merged: PreTrainedModel
    if isinstance(trained, PeftModel) and is_in_four_bits(trained):
        trained.save_pretrained(work / "adapter")
        merged, before, after_training = _merged_into_unquantized(trained, before.probe, config, work / "adapter")
    elif isinstance(trained, PeftModel):
        trained.save_pretrained(work / "adapter")
        merged = trained.merge_and_unload(safe_merge=True)
    else:
        merged = trained
    if merged.generation_config is not None:
        merged.generation_config.eos_token_id = stop_ids(tokenizer)
    merged.save_pretrained(work / "model")
    tokenizer.save_pretrained(work / "model")
    device = merged.device.type
    del merged
    saved = load_model(work / "model", config, device=device)
    return compare(before, after_training, saved)


def _merged_into_unquantized(
    trained: PeftModel, probe: list[int], config: ModelConfig, adapter: Path
) -> tuple[PreTrainedModel, Before, torch.Tensor]:
    """Merge into the base as it was before it was quantised; that base, and the logits that are to be expected.

    The 4 bits are a way to compute with less memory; to merge into them would keep their rounding in the model, and
    round the adapter, too. What training did is the change that the adapter makes on the 4-bit base: the same change
    is expected of the unquantised one. On the CPU, since a GPU for 4 bits need not hold the whole of it.
    """
    with trained.disable_adapter():
        without = _logits(trained, probe)
    change = _logits(trained, probe) - without
    name = trained.get_base_model().name_or_path
    base = load_model(Path(name) if Path(name).is_dir() else name, config, device="cpu")
    before = Before.of(base, probe)
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload(safe_merge=True)
    return merged, before, before.logits + change


def compare(before: Before, trained_logits: torch.Tensor, saved: PreTrainedModel) -> dict[str, Any]:
    """Hold a saved model against the base it came from and the logits it had when training ended.

    Raises:
        UserError: identical weights, identical logits, or logits nearer to the base than to the training.
    """
    digests = _digests(saved)
    changed = [name for name, digest in digests.items() if before.digests.get(name) != digest]
    if not changed:
        raise UserError("the merged model is identical to its base, weight for weight: the training had no effect")
    logits = _logits(saved, before.probe)
    from_base = float((logits - before.logits).abs().max())
    from_trained = float((logits - trained_logits).abs().max())
    if from_base == 0.0:
        raise UserError("the merged model answers exactly as its base: the training had no effect")
    if from_trained >= from_base:
        raise UserError(
            f"the merged model is not what was trained: its logits are {from_trained:.3g} from the trained "
            f"model's and {from_base:.3g} from the base's; the merge lost the adapter"
        )
    return {"tensors": len(digests), "changed_tensors": len(changed), "probe_logit_change": round(from_base, 6)}


def _digests(model: PreTrainedModel) -> dict[str, str]:
    return {
        name: hashlib.sha256(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest()
        for name, weight in model.named_parameters()
    }


def _logits(model: PreTrainedModel | PeftModel, probe: list[int]) -> torch.Tensor:
    was_training = model.training
    model.eval()
    with torch.no_grad():
        found = model(input_ids=torch.tensor([probe], device=model.device)).logits.float().cpu()
    model.train(was_training)
    return found
