"""How well a model knows answers, before it has to generate any."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from tradewind.training.tokens import IGNORED

Row = dict[str, list[int]]


@torch.no_grad()
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
    total, count = 0.0, 0
    for start in range(0, len(ordered), batch_size):
        batch = ordered[start : start + batch_size]
        width = max(len(row["input_ids"]) for row in batch)
        # On the right, where no token of the row can see it.
        ids = torch.tensor([row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in batch])
        mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in batch])
        labels = torch.tensor([row["labels"] + [IGNORED] * (width - len(row["labels"])) for row in batch])[:, 1:]
        logits = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits[:, :-1]
        counts = labels != IGNORED
        told = logits[counts.to(logits.device)].float()  # of the answers alone: a vocabulary is a quarter of a million
        total += float(cross_entropy(told, labels[counts].to(told.device), reduction="sum"))
        count += int(counts.sum())
    model.train(was_training)
    return total / count
