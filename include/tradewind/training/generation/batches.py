"""Greedy answers in batches that stay full: a row that has ended leaves at once, and the next prompt takes its place.

Prompts are taken longest first, so that those computed together need little padding and a batch that does not fit
into memory shows at the start. Padding stands at the left and is masked, positions count a row's own tokens, and
logits are computed for the last token only: each answer is the one that its prompt gets alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache, PreTrainedModel

from tradewind.errors import UserError
from tradewind.training.generation.grouped_attention import grouped_attention
from tradewind.training.generation.row_cache import RowCache
from tradewind.training.out_of_memory import OUT_OF_MEMORY, free_memory, is_out_of_memory

log = logging.getLogger("tradewind")
SLACK = 64
"""Columns beyond the longest row, so that the cache is moved to its front but once in as many tokens."""
PROMPT_TOKENS = 1024
"""Prompt tokens computed at once at most: more bring no speed, more padding, and scores take memory by the square."""
REFILL = 8
"""New rows are taken in when one place in so many is free: each time the weights are read once for their prompts."""


@dataclass
class _Row:
    index: int
    prompt: int
    """Tokens."""
    tokens: list[int] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Tokens in the cache: the newest one is still to be put in."""
        return self.prompt + len(self.tokens) - 1


def in_batches(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    ends: Collection[int],
    *,
    max_new_tokens: int,
    batch_size: int,
    done: Callable[[int], None] = lambda _: None,
) -> list[list[int]]:
    """The answer's token ids of each prompt, in the prompts' order; one of `ends` is the last, but where it was cut.

    Out of memory, the batch is halved and its rows begin again; what has ended is kept.

    Args:
        model: in evaluation mode; its eager attention is replaced by an equal one meanwhile.
        prompts: token ids; none is empty.
        ends: tokens that end an answer.
        batch_size: rows at once at most.
        done: told how many answers there are, whenever there are more.

    Raises:
        UserError: one row alone does not fit into memory.
    """
    answers: dict[int, list[int]] = {}
    with grouped_attention(model), torch.inference_mode():
        while len(answers) < len(prompts):
            left = sorted((index for index in range(len(prompts)) if index not in answers),
                          key=lambda index: (-len(prompts[index]), index))  # fmt: skip
            try:
                _Batch(model, prompts, ends, max_new_tokens, min(batch_size, len(left))).run(left, answers, done)
            except OUT_OF_MEMORY as error:
                if not is_out_of_memory(error):
                    raise
                if min(batch_size, len(left)) == 1:
                    raise UserError(
                        "out of memory with one question at once; lower evaluate.max_new_tokens, or set model.dtype: "
                        "bfloat16"
                    ) from error
                batch_size = min(batch_size, len(left)) // 2 or 1
                log.warning(
                    "out of memory with %d of %d answers made; going on with %d questions at once",
                    len(answers), len(prompts), batch_size,
                )  # fmt: skip
            # Outside of the handler, where the traceback held on to what did not fit.
            free_memory()
    return [answers[index] for index in range(len(prompts))]


class _Batch:
    """Rows that are generated together, and the cache that they share."""

    def __init__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        ends: Collection[int],
        max_new_tokens: int,
        places: int,
    ) -> None:
        self.model, self.prompts, self.ends, self.limit, self.places = model, prompts, set(ends), max_new_tokens, places
        self.rows: list[_Row] = []
        layers = model.config.get_text_config().num_hidden_layers
        longest = max(len(prompt) for prompt in prompts)
        self.cache = RowCache(layers, places, longest + max_new_tokens + SLACK, model.device)

    def run(self, queue: Sequence[int], answers: dict[int, list[int]], done: Callable[[int], None]) -> None:
        """Answer the prompts of the indices in `queue`, longest first, into `answers`."""
        waiting = list(reversed(queue))
        while waiting or self.rows:
            free = self.places - len(self.rows)
            if waiting and (not self.rows or free >= max(1, self.places // REFILL)):
                self._admit(waiting, free)
            else:
                self._step()
            if self._leave(answers):
                done(len(answers))

    def _admit(self, waiting: list[int], free: int) -> None:
        """Compute prompts, as many as there is place for, and their first tokens."""
        width = len(self.prompts[waiting[-1]])
        count = min(free, len(waiting), max(1, PROMPT_TOKENS // width))
        taken = [waiting.pop() for _ in range(count)]
        device = self.model.device
        lengths = torch.tensor([len(self.prompts[index]) for index in taken], device=device)
        mask = torch.arange(width, device=device) >= width - lengths[:, None]
        # Padding is masked, so any token will do for it.
        ids = torch.tensor([[0] * (width - len(self.prompts[index])) + [*self.prompts[index]] for index in taken],
                           device=device)  # fmt: skip
        # Made without the configuration, the cache keeps all of a prompt that is longer than the sliding window:
        # the mask leaves out what is beyond it, and rows can stand side by side.
        cache = DynamicCache()
        found = self.model(
            input_ids=ids,
            attention_mask=mask.long(),
            position_ids=(mask.long().cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        self.cache.admit(cache, mask)
        new = [_Row(index, len(self.prompts[index])) for index in taken]
        self.rows += new
        _append(new, found)

    def _step(self) -> None:
        """One more token for every row."""
        device = self.model.device
        found = self.model(
            input_ids=torch.tensor([[row.tokens[-1]] for row in self.rows], device=device),
            attention_mask=self.cache.mask().long(),
            position_ids=torch.tensor([[row.length] for row in self.rows], device=device),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        _append(self.rows, found)
        self.cache.advance(max(row.length for row in self.rows))

    def _leave(self, answers: dict[int, list[int]]) -> bool:
        """Take out the rows that have ended, the last rows moving into their places; returns whether there were any."""
        ended = [row.tokens[-1] in self.ends or len(row.tokens) == self.limit for row in self.rows]
        if not any(ended):
            return False
        answers |= {row.index: row.tokens for row, over in zip(self.rows, ended, strict=True) if over}
        count = ended.count(False)
        movers = [place for place in range(count, len(self.rows)) if not ended[place]]
        holes = [place for place in range(count) if ended[place]]
        moved = dict(zip(movers, holes, strict=True))
        for source, target in moved.items():
            self.rows[target] = self.rows[source]
        del self.rows[count:]
        self.cache.keep(count, moved)
        return True


def _append(rows: Sequence[_Row], logits: torch.Tensor) -> None:
    """Each row's next token, the likeliest; `logits` of shape (rows, 1, words)."""
    for row, token in zip(rows, logits[:, -1].argmax(dim=-1).tolist(), strict=True):
        row.tokens.append(token)
