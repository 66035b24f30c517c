"""Cross-entropy at the answers' tokens alone, a part of them at a time, in buffers that are kept.

A vocabulary of a quarter of a million words makes logits larger than all else in a training step. As in Cut
Cross-Entropy (Wijmans et al., arXiv 2411.09009) and Liger's fused loss (Hsu et al., arXiv 2410.10989, section 3.2)
the gradient is computed beside the loss, so that no logits outlive their part. TRL's own fused head does as much
where Triton is; on a CPU it scores the prompt and the padding too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

PART = 2**22
"""Logits at once: 16 MiB in full precision; parts of half the size were slower, of twice the size no faster."""
ROUND = 32
"""A CPU's parts are a multiple of it: oneDNN writes machine code for each new shape, which takes longer than a part."""
_SAFE_CAP = 60.0  # exp(60) times a quarter of a million is far below float32's largest number


class AnswerCrossEntropy:
    """The loss of one training; keeps its buffers from one step to the next.

    Fresh memory costs more than arithmetic here: the system clears each page that is touched for the first time.
    """

    def __init__(self, softcap: float | None = None) -> None:
        """Take `softcap` as Gemma-2's `final_logit_softcapping`: logits become `softcap * tanh(logits / softcap)`."""
        self.softcap = softcap
        self._kept: dict[str, Tensor] = {}

    def __call__(self, hidden: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        """The sum of the negative log-likelihoods, in float32.

        Args:
            hidden: shape (tokens, dimensions), what the language model's head reads.
            weight: the head's, shape (vocabulary, dimensions).
            labels: shape (tokens,), of each the token that follows.
        """
        found: Tensor = _Sum.apply(hidden, weight, labels, self)
        return found

    def buffer(self, name: str, rows: int, columns: int, like: Tensor, dtype: torch.dtype) -> Tensor:
        """A kept buffer of shape (rows, columns), its content whatever it was."""
        kept = self._kept.get(name)
        if kept is None or kept.numel() < rows * columns or kept.dtype != dtype or kept.device != like.device:
            kept = self._kept[name] = torch.empty(rows * columns, dtype=dtype, device=like.device)
        return kept[: rows * columns].view(rows, columns)


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, labels: Tensor, loss: AnswerCrossEntropy) -> Tensor:
        words = weight.shape[0]
        to_hidden = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        to_weight = torch.zeros_like(weight, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        part = max(1, PART // words)
        part -= part % ROUND if part > ROUND else 0
        for start in range(0, len(labels), part):
            here = slice(start, min(start + part, len(labels)))
            read, wanted = hidden[here].to(weight.dtype), labels[here, None]
            more = -len(read) % ROUND if part >= ROUND and hidden.device.type == "cpu" else 0
            if more:
                read, wanted = pad(read, (0, 0, 0, more)), pad(wanted, (0, 0, 0, more))
            gradient, lost = _of_part(read, weight, wanted, loss)
            real = here.stop - start
            gradient[real:] = 0.0
            total += lost[:real].sum()
            if to_hidden is None and to_weight is None:
                continue
            if weight.dtype != torch.float32:
                gradient = loss.buffer("narrow", len(read), words, read, weight.dtype).copy_(gradient)
            if to_hidden is not None:
                to_hidden[here] = (gradient @ weight)[:real]
            if to_weight is not None:
                to_weight.addmm_(gradient.T, read) if weight.dtype == torch.float32 else to_weight.add_(
                    gradient.T @ read
                )
        ctx.save_for_backward(to_hidden, to_weight)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        to_hidden, to_weight = ctx.saved_tensors
        (gradient,) = gradients
        return (
            None if to_hidden is None else to_hidden * gradient.to(to_hidden.dtype),
            None if to_weight is None else (to_weight * gradient).to(ctx.weight_dtype),
            None,
            None,
        )


def _of_part(read: Tensor, weight: Tensor, wanted: Tensor, loss: AnswerCrossEntropy) -> tuple[Tensor, Tensor]:
    """The loss's gradient in the part's logits, shape (tokens, vocabulary), and each token's loss, in float32."""
    shape = (len(read), weight.shape[0])
    logits = loss.buffer("logits", *shape, read, torch.float32)
    if weight.dtype == torch.float32:
        torch.mm(read, weight.T, out=logits)
    else:
        logits.copy_(torch.mm(read, weight.T, out=loss.buffer("narrow", *shape, read, weight.dtype)))
    if loss.softcap is None:
        odds = logits
    else:
        bent = logits.div_(loss.softcap).tanh_()
        odds = torch.mul(bent, loss.softcap, out=loss.buffer("odds", *shape, read, torch.float32))
    at_label = odds.gather(1, wanted)
    if loss.softcap is None or loss.softcap > _SAFE_CAP:
        highest = odds.amax(dim=1, keepdim=True)
        odds.sub_(highest)
        at_label = at_label - highest
    odds.exp_()
    together = odds.sum(dim=1, keepdim=True)
    lost = together.log() - at_label
    odds.div_(together)
    odds.scatter_add_(1, wanted, torch.full_like(at_label, -1.0))
    if loss.softcap is not None:  # the derivative of the cap: 1 - tanh squared
        odds.addcmul_(odds, bent.square_(), value=-1.0)
    return odds, lost
