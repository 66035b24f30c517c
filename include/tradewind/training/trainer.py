"""TRL's trainer with this project's order of examples, its loss, and a smaller batch where memory ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import torch
from accelerate.data_loader import SeedableRandomSampler, prepare_data_loader
from torch import Tensor, nn
from torch.utils.data import DataLoader
from trl import SFTTrainer

from tradewind.errors import UserError
from tradewind.training.answer_cross_entropy import AnswerCrossEntropy
from tradewind.training.backbone import causal_model, head, hidden_states
from tradewind.training.four_bits import is_in_four_bits
from tradewind.training.gradients import average
from tradewind.training.halves import Batch, halves
from tradewind.training.out_of_memory import OUT_OF_MEMORY, free_memory, is_out_of_memory
from tradewind.training.plan import Plan
from tradewind.training.rounded_row import rounded
from tradewind.training.sampler import LengthGrouped
from tradewind.training.sharding import check_world
from tradewind.training.shared_weights import VerifySharding, share_out
from tradewind.training.step_shares import StepShares, WithBlank
from tradewind.training.tokens import IGNORED
from tradewind.training.world import ALONE, World

log = logging.getLogger("tradewind")


class AnswerTrainer(SFTTrainer):
    """Trains on tokenised rows as a `Plan` says.

    Several processes compute gradients each for itself and average them once a step, below DistributedDataParallel's
    own way, which would do so amid the last backward pass: a process that has run out of memory there and begins anew
    would leave the others waiting.
    """

    def __init__(self, *args: Any, plan: Plan, group_by_length: bool, world: World = ALONE, **kwargs: Any) -> None:
        """Take TRL's arguments, and whether examples of like length share a batch."""
        self.group_by_length = group_by_length
        self.world = world
        self.sharded = plan.sharded
        adapters = self._adapters(kwargs["model"])
        super().__init__(*args, **kwargs)
        for parameter, data in adapters:  # TRL makes those of a 4-bit model bfloat16, which rounds small steps away
            parameter.data = data
        check_world(self.accelerator, world, sharded=plan.sharded)
        if plan.sharded:
            self.add_callback(VerifySharding(world))
        self.averages = world.size > 1 and plan.answer_loss
        self._lost_in_step: Tensor | None = None  # of the batches since gradients were averaged last
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

    def create_accelerator_and_postprocess(self) -> None:
        """Called as the trainer is made."""
        super().create_accelerator_and_postprocess()
        if self.sharded:
            share_out(self.accelerator, self.args)
            self.is_fsdp_enabled = True

    @staticmethod
    def _adapters(model: nn.Module) -> list[tuple[nn.Parameter, Tensor]]:
        learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return [(parameter, parameter.data) for parameter in learning] if is_in_four_bits(model) else []

    def _save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        began = time.monotonic()
        super()._save_checkpoint(*args, **kwargs)
        self.checkpoint_seconds += time.monotonic() - began

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Tensor] | None = None) -> None:
        # Put together from all processes' shares, a tied weight no longer shares its memory, and would be saved twice.
        if self.sharded and state_dict:
            for name in causal_model(self.model).all_tied_weights_keys:
                state_dict.pop(name, None)
        super()._save(output_dir, state_dict)

    def _get_train_sampler(self, train_dataset: object = None) -> Any:
        if not self.group_by_length:
            return super()._get_train_sampler(train_dataset)
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        return LengthGrouped(lengths, self._share * self.world.size, self.args.seed)

    @property
    def _share(self) -> int:
        """Of a step's examples, those of this process."""
        return int(self.args.train_batch_size * self.args.gradient_accumulation_steps)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Of several processes each has its share of each step."""
        if self.world.size == 1:
            return super().get_train_dataloader()
        rows = self._remove_unused_columns(self.train_dataset, description="training")
        order = self._get_train_sampler()
        if not self.group_by_length:  # the order in which accelerate has one process go through them
            order = SeedableRandomSampler(rows, generator=torch.Generator(), data_seed=self.args.data_seed)
        shares = StepShares(
            order, share=self._share, micro=self.args.train_batch_size, size=self.world.size, rank=self.world.rank
        )
        loader = DataLoader(
            WithBlank(rows, IGNORED), batch_sampler=shares, collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )  # fmt: skip
        return prepare_data_loader(loader, num_processes=1, process_index=0)

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
        # The count is of all processes; of their gradients the mean is taken.
        return total * self.world.size / torch.as_tensor(count, device=total.device).clamp(min=1)

    def _count(self, inputs: Batch) -> None:
        """Count tokens as TRL does: the progress of a run shows them. Other processes' batches are about as long."""
        mask = inputs.get("attention_mask")
        self._total_train_tokens += int(inputs["input_ids"].numel() if mask is None else mask.sum()) * self.world.size
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]

    def training_step(self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        """One batch, in smaller parts from when it did not fit; the examples of a step stay the same.

        Raises:
            torch.OutOfMemoryError: not even one example fits.
            UserError: it did not fit in one of several processes, and the others cannot wait for its smaller parts.
        """
        if self.world.size == 1:
            return self._in_parts(model, inputs, num_items_in_batch)
        if not self.averages:
            return self._at_once(model, inputs, num_items_in_batch)
        with self.accelerator.no_sync(model=model):
            lost = self._in_parts(model, inputs, num_items_in_batch)
        self._lost_in_step = lost if self._lost_in_step is None else self._lost_in_step + lost
        if not self.accelerator.sync_gradients:
            return torch.zeros_like(lost)
        # The mean of all processes' losses is told once a step, so that each tells the same.
        mean, self._lost_in_step = self._lost_in_step.clone(), None
        average([parameter for parameter in self.model.parameters() if parameter.requires_grad], mean)
        return mean

    def _at_once(self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | int | None) -> Tensor:
        try:
            return self._part(model, inputs, num_items_in_batch)
        except OUT_OF_MEMORY as error:
            if not is_out_of_memory(error):
                raise
            size = self.args.train_batch_size
            mend = f"set micro_batch_size: {size // 2}" if size > 1 else "lower max_length, or take more GPUs"
            raise UserError(
                f"out of memory with {size} examples at once in process {self.world.rank} of {self.world.size}, which "
                f"compute each batch together; {mend}"
            ) from error

    def _in_parts(self, model: nn.Module, inputs: Batch, num_items_in_batch: Tensor | int | None) -> Tensor:
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
