"""The embedded base model: a real, very small Gemma-2, made from text that no sample document repeats.

Its weights see only `samples/base/`, so every split of the sample documents is unseen to it. Its
tokenizer counts the words of the sample documents too, as Gemma's knows the words of trade.
"""

from __future__ import annotations

import json
import logging
import random
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tradewind.config import TrainingConfig
from tradewind.errors import UserError
from tradewind.files import read_jsonl
from tradewind.sources.location import SAMPLES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger("tradewind")
VOCABULARY = 2560
SEED = 20
# The layout of Gemma's chat format: roles user and model, a turn between two marks, no system role.
CHAT_TEMPLATE = (
    "{{ bos_token }}"
    "{% for turn in messages %}"
    "{% if turn.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if turn.role == 'assistant' else turn.role) + '\\n' }}"
    "{{ turn.content | trim }}{{ '<end_of_turn>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
CHAT_PASSES = 3  # an epoch
RECALLS_PER_SENTENCE = 6
_RECALL_FRAMES = (
    "What is known about {}?", "How do {} go together?", "Why {}?", "When {}?", "What does {} mean?", "{}?",
    "Who has to do with {}?", "Which of {} is it?", "Can you say something about {}?", "What happens with {}?",
)  # fmt: skip
TRAINING = TrainingConfig(
    num_train_epochs=5,
    learning_rate=3e-3,
    lr_scheduler_type="cosine",
    warmup_steps=0.05,
    per_device_train_batch_size=32,
    gradient_accumulation_steps=1,
    max_length=256,
    weight_decay=0.1,
    lora=None,
    save_steps=10_000,
    logging_steps=50,
)


def build_base(out: Path) -> None:
    """Train tokenizer and weights and write them to `out` (some minutes on two cores).

    Raises:
        UserError: `out` exists already.
    """
    import torch
    from transformers import Gemma2Config, Gemma2ForCausalLM, set_seed

    from tradewind.training.tokens import pair_tokens, stop_ids, text_tokens
    from tradewind.training.train import train

    if out.exists():
        raise UserError(f"{out}: exists already; remove it or name another folder")
    tokenizer = _tokenizer()
    set_seed(SEED)
    model = Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=128,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            query_pre_attn_scalar=32,
            max_position_embeddings=1024,
            sliding_window=256,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            attn_implementation="eager",
        )
    )
    log.info("build-base: %d parameters, %d words", model.num_parameters(), len(tokenizer))
    rows = [row for text in _prose() for row in text_tokens(tokenizer, text, TRAINING.max_length)]
    chat = [(pair["question"], pair["answer"]) for pair in read_jsonl(SAMPLES / "base" / "chat.jsonl")]
    for question, answer in chat * CHAT_PASSES + _recall_tasks(random.Random(SEED)):
        row = pair_tokens(tokenizer, question, answer)
        rows.append(row | {"labels": list(row["input_ids"])})  # it must learn to read questions, too
    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        trained, metrics = train("build-base", model, tokenizer, rows, TRAINING, SEED, Path(folder))
        made = Path(folder) / "model"
        trained.generation_config.eos_token_id = stop_ids(tokenizer)
        trained.to(torch.float16).save_pretrained(made)  # half the bytes; loading widens it again
        tokenizer.save_pretrained(made)
        shutil.move(made, out)
    log.info("build-base: %s", metrics)


def _prose() -> list[str]:
    files = sorted((SAMPLES / "base").glob("*.txt"))
    return [part for file in files for part in re.split(r"\n\s*\n", file.read_text(encoding="utf-8")) if part.strip()]


def _recall_tasks(rng: random.Random) -> list[tuple[str, str]]:
    """Questions that name some words of a sentence, answered by the sentence.

    A denoising task in the manner of BART (Lewis et al., arXiv 1910.13461): it teaches the base to find
    an answer by a question's content words, whatever their order, which so small a model does not
    pick up from plain text.
    """
    tasks = []
    for text in _prose():
        for sentence in re.split(r"(?<=[.!?])\s+", text):
            content = [word for word in re.findall(r"\w+", sentence) if len(word) > 3 or not word.isascii()]
            if len(content) < 4:
                continue
            for _ in range(RECALLS_PER_SENTENCE):
                named = rng.sample(content, rng.randint(2, min(5, len(content))))
                frame = rng.choice(_RECALL_FRAMES)
                tasks.append((frame.format(" ".join(named)), sentence))
    return tasks


def _words() -> list[str]:
    """Text whose words the tokenizer should know: general text, chat, and every sample document."""
    texts = _prose()
    for file in sorted(SAMPLES.rglob("*.json*")):
        content = file.read_text(encoding="utf-8")
        rows = [json.loads(line) for line in content.splitlines()] if file.suffix == ".jsonl" else json.loads(content)
        texts += _strings(rows)
    return texts


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value.replace("\\", "")]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in _strings(item)]


def _tokenizer() -> PreTrainedTokenizerBase:
    """Byte-pair encoding with byte fallback and Gemma's special tokens, as transformers' GemmaTokenizer."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import GemmaTokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"]
    octets = [f"<0x{byte:02X}>" for byte in range(256)]
    learner = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))  # noqa: S106 - a token of text
    learner.normalizer = normalizers.Replace(" ", "▁")
    # Merges stay inside a word: spaces begin one, digits and punctuation stand alone.
    learner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("▁", "merged_with_next"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"[^\p{L}\p{N}▁]"), "isolated"),
        ]
    )
    learner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=special + octets, limit_alphabet=800, show_progress=False
    )
    learner.train_from_iterator(_words(), trainer)
    learnt = json.loads(learner.to_str())["model"]
    tokenizer = GemmaTokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(merge) for merge in learnt["merges"]],
        additional_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        chat_template=CHAT_TEMPLATE,
        model_max_length=1024,
    )
    # As Gemma's: plain text gets a <bos>, so a string that holds one already ends up with two.
    bos = (tokenizer.bos_token, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[bos]
    )
    return tokenizer
