"""How well a model knows answers, before it has to generate any."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from tradewind.training.tokens import IGNORED

Row = dict[str, list[int]]


def answer_loss(model: PreTrainedModel | PeftModel, rows: Sequence[Row], batch_size: int) -> float:
    """The mean negative log-likelihood of an answer's token, over all rows' answers.

    Every token counts the same, in whichever batch it stands: neither the prompt nor the padding has a say.

    Args:
        rows: as `pair_tokens` makes them.
        batch_size: rows at once; rows of like length share a batch.
    """
    was_training = model.training
    model.eval()
    ordered = sorted(rows, key=lambda row: len(row["input_ids"]))
    with torch.no_grad():
        found = [_of_batch(model, ordered[at : at + batch_size]) for at in range(0, len(ordered), batch_size)]
    model.train(was_training)
    return sum(loss for loss, _ in found) / sum(count for _, count in found)


def _of_batch(model: PreTrainedModel | PeftModel, batch: Sequence[Row]) -> tuple[float, int]:
    """The sum over the answers' tokens, and how many they are."""
    width = max(len(row["input_ids"]) for row in batch)
    # Padding on the right, where no token of the row can see it.
    short = [(row, width - len(row["input_ids"])) for row in batch]
    ids = torch.tensor([row["input_ids"] + [0] * lack for row, lack in short], device=model.device)
    mask = torch.tensor([[1] * (width - lack) + [0] * lack for _, lack in short], device=model.device)
    labels = torch.tensor([row["labels"] + [IGNORED] * lack for row, lack in short], device=model.device)[:, 1:]
    logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1]
    learnt = labels != IGNORED
    # In full precision for the answers alone: a vocabulary is a quarter of a million.
    return float(cross_entropy(logits[learnt].float(), labels[learnt], reduction="sum")), int(learnt.sum())
