"""The loss of held-out answers, computed the same way for every contestant's adapter.

    python benchmarks/trainers/held_out.py MODEL PAIRS.jsonl OUT.json NAME=ADAPTER ...

In full precision and with eager attention, by the function that tradewind judges its sweeps with; `base` is the model
without an adapter.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from trainers.job import read_pairs

BASE = "base"


def main() -> None:
    """Compute and write `{name: loss}`."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tradewind.training.answer_loss import answer_loss
    from tradewind.training.tokens import pair_tokens

    model_folder, pairs, out = map(Path, sys.argv[1:4])
    adapters = dict(word.split("=", 1) for word in sys.argv[4:])
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    rows = [pair_tokens(tokenizer, pair["question"], pair["answer"]) for pair in read_pairs(pairs)]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    found = {}
    for name, adapter in {BASE: "", **adapters}.items():
        model = AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32, attn_implementation="eager").to(
            device
        )
        tuned = PeftModel.from_pretrained(model, adapter) if adapter else model
        found[name] = answer_loss(tuned, rows, 8)
    out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
