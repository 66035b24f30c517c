"""transformers' continuous batching gives what each prompt gets alone, on a CPU too."""

from __future__ import annotations

import torch

from tradewind.config import ModelConfig
from tradewind.models import locate
from tradewind.training.generation.batches import in_batches
from tradewind.training.generation.continuous import continuously
from tradewind.training.load import load_model, load_tokenizer
from tradewind.training.tokens import chat_prompt, stop_ids

EMBEDDED = locate("embedded:tiny-gemma2")


def test_its_answers_are_those_of_batches() -> None:
    tokenizer = load_tokenizer(EMBEDDED)
    model = load_model(EMBEDDED, ModelConfig()).eval()
    questions = ["What is demurrage?", "Who pays?", "What is demurrage?", "무역이란 무엇인가요?"]
    prompts = [chat_prompt(tokenizer, question) for question in questions]
    ends = stop_ids(tokenizer)
    # A small share: it takes what it is given, and other tests run beside this one.
    found = continuously(model, prompts, ends, max_new_tokens=12, batch_size=2, memory_share=0.1)
    assert found == in_batches(model, prompts, ends, max_new_tokens=12, batch_size=2)
    assert model.config._attn_implementation == "eager"
    assert not torch.is_inference_mode_enabled()
