"""TRL's trainer with this project's order of examples, its loss, and a smaller batch where memory ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from trl import SFTTrainer

from tradewind.training.answer_cross_entropy import AnswerCrossEntropy
from tradewind.training.backbone import causal_model, head, hidden_states
from tradewind.training.halves import Batch, halves
from tradewind.training.out_of_memory import OUT_OF_MEMORY, free_memory, is_out_of_memory
from tradewind.training.plan import Plan
from tradewind.training.rounded_row import rounded
from tradewind.training.sampler import LengthGrouped
from tradewind.training.tokens import IGNORED

log = logging.getLogger("tradewind")


class AnswerTrainer(SFTTrainer):
    """Trains on tokenised rows as a `Plan` says."""

    def __init__(self, *args: Any, plan: Plan, group_by_length: bool, **kwargs: Any) -> None:
        """Take TRL's arguments, and whether examples of like length share a batch."""
        self.group_by_length = group_by_length
        super().__init__(*args, **kwargs)
        self.checkpoint_seconds = 0.0  # spent on writing them
        self.divided = 1  # into how many parts a batch falls since memory last ended
        self.rounds_rows = plan.row_attention
        self.answer_loss: AnswerCrossEntropy | None = None
        if plan.answer_loss:
            cap = getattr(causal_model(self.model).config.get_text_config(), "final_logit_softcapping", None)
            self.answer_loss = AnswerCrossEntropy(cap)
            weight = head(self.model).weight
            frozen_narrow = plan.bf16 and not weight.requires_grad
            self._head = weight.detach().to(torch.bfloat16) if frozen_narrow else weight

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        began = time.monotonic()
        super()._save_checkpoint(*args, **kwargs)
        self.checkpoint_seconds += time.monotonic() - began

    def _get_train_sampler(self, train_dataset: object = None) -> Any:
        if not self.group_by_length:
            return super()._get_train_sampler(train_dataset)
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        return LengthGrouped(
            lengths, self.args.train_batch_size * self.args.gradient_accumulation_steps, self.args.seed
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The mean negative log-likelihood of the answers' tokens, logits made for these alone."""
        if self.answer_loss is None or return_outputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        self._count(inputs)
        if self.rounds_rows:
            inputs = rounded(inputs)
        labels = inputs["labels"][:, 1:]
        with self.accelerator.autocast():
            read = hidden_states(
                self.accelerator.unwrap_model(model),
                **{name: value for name, value in inputs.items() if name != "labels"},
            )[:, :-1]
        learnt = labels != IGNORED
        total = self.answer_loss(read[learnt], self._head, labels[learnt])
        count = learnt.sum() if num_items_in_batch is None else num_items_in_batch
        return total / torch.as_tensor(count, device=total.device).clamp(min=1)

    def _count(self, inputs: Batch) -> None:
        """Count tokens as TRL does: the progress of a run shows them."""
        mask = inputs.get("attention_mask")
        self._total_train_tokens += int(inputs["input_ids"].numel() if mask is None else mask.sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]

    def training_step(self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        """One batch, in smaller parts from when it did not fit; the examples of a step stay the same.

        Raises:
            torch.OutOfMemoryError: not even one example fits.
        """
        # Gradients of the step's earlier batches must survive a failure in the middle of this one's.
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        earlier = [parameter.grad for parameter in trained]
        while True:
            for parameter in trained:
                parameter.grad = None
            parts = _parts(inputs, self.divided)
            try:
                loss = torch.stack([self._part(model, part, num_items_in_batch) for part in parts]).sum()
            except OUT_OF_MEMORY as error:
                if not is_out_of_memory(error) or all(halves(part) is None for part in parts):
                    raise
                self.divided *= 2
                log.warning(
                    "out of memory with %d examples at once: go on with half as many; a step's examples stay the same",
                    max(len(part["input_ids"]) for part in parts),
                )
            else:
                break
            free_memory()
        for parameter, before in zip(trained, earlier, strict=True):
            if before is not None:
                parameter.grad = before if parameter.grad is None else before.add_(parameter.grad)
        return loss

    def _part(self, model: nn.Module, part: Batch, num_items_in_batch: Tensor | int | None) -> Tensor:
        loss: Tensor = super().training_step(model, part, num_items_in_batch)
        return loss


def _parts(inputs: Batch, count: int) -> Sequence[Batch]:
    parts = [inputs]
    while len(parts) < count:
        cut = [halves(part) or (part,) for part in parts]
        if all(len(pieces) == 1 for pieces in cut):
            break
        parts = [piece for pieces in cut for piece in pieces]
    return parts
