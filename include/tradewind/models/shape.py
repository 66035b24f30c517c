"""How large a model is, by its `config.json` alone: no weight is read, nothing heavy imported."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tradewind.errors import UserError


@dataclass(frozen=True)
class Shape:
    """A decoder of Gemma-2's kind."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    key_value_heads: int
    head_size: int
    vocabulary: int
    tied: bool = True
    norms_of_layer: int = 4
    """Vectors of `hidden` numbers in each layer."""

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Shape:
        """Read it from what `config.json` holds.

        Raises:
            UserError: it is of another kind of model.
        """
        text = config.get("text_config", config)
        try:
            heads = int(text["num_attention_heads"])
            hidden = int(text["hidden_size"])
            return cls(
                layers=int(text["num_hidden_layers"]),
                hidden=hidden,
                intermediate=int(text["intermediate_size"]),
                heads=heads,
                key_value_heads=int(text.get("num_key_value_heads") or heads),
                head_size=int(text.get("head_dim") or hidden // heads),
                vocabulary=int(text["vocab_size"]),
                tied=bool(text.get("tie_word_embeddings", True)),
                norms_of_layer=4 if str(text.get("model_type", "")).startswith(("gemma2", "gemma3")) else 2,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"config.json: is not that of a decoder such as Gemma-2 ({error})") from error

    @classmethod
    def read(cls, folder: Path) -> Shape:
        """Of a model's folder; UserError where its `config.json` cannot be read or is of another kind."""
        path = folder / "config.json"
        try:
            return cls.of(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read ({type(error).__name__}); check the model's folder") from error

    @property
    def projections(self) -> dict[str, tuple[int, int]]:
        """Input and output width of each of a layer's projections."""
        query, key = self.heads * self.head_size, self.key_value_heads * self.head_size
        return {
            "q_proj": (self.hidden, query),
            "k_proj": (self.hidden, key),
            "v_proj": (self.hidden, key),
            "o_proj": (query, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def projected(self) -> int:
        """Parameters of all projections."""
        return self.layers * sum(inside * outside for inside, outside in self.projections.values())

    @property
    def parameters(self) -> int:
        """All of them."""
        embeddings = self.vocabulary * self.hidden * (1 if self.tied else 2)
        norms = self.hidden * (self.norms_of_layer * self.layers + 1)
        return embeddings + norms + self.projected

    def adapter(self, rank: int, targets: Iterable[str]) -> int:
        """Parameters of a LoRA adapter of that rank; targets that are no projections do not count."""
        known = self.projections
        widths = (known[target] for target in targets if target in known)
        return self.layers * rank * sum(inside + outside for inside, outside in widths)
