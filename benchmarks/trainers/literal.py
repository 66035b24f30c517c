"""The original project's recipe to the letter, in TRL's SFTTrainer: one string a pair, loss on all of it.

A re-construction from the article that describes it: batches of 2 accumulated 4 times, eager attention, LoRA of rank
256 with dropout, no packing, no grouping by length. The string holds a `<bos>`, and the tokenizer adds another.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from trainers.job import ALPHA, DROPOUT, TARGETS, Job, Trainer, read_pairs, seconds_kept

_FORM = "<bos><start_of_turn>user\n{question}<end_of_turn>\n<start_of_turn>model\n{answer}<end_of_turn><eos>"


def main() -> None:
    """Do the job that the command line names."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    job = Job.read(Path(sys.argv[1]))
    dtype = torch.bfloat16 if job.gpu else torch.float32
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(job.model, dtype=dtype, attn_implementation="eager"),
        processing_class=AutoTokenizer.from_pretrained(job.model),
        train_dataset=Dataset.from_list([{"text": _FORM.format(**pair)} for pair in read_pairs(job.pairs)]),
        peft_config=LoraConfig(
            task_type="CAUSAL_LM", r=job.rank, lora_alpha=ALPHA, lora_dropout=DROPOUT, target_modules=list(TARGETS)
        ),
        args=SFTConfig(
            output_dir=str(job.folder / "out"), num_train_epochs=1, per_device_train_batch_size=2,
            gradient_accumulation_steps=4, learning_rate=job.learning_rate, lr_scheduler_type="constant",
            max_length=job.max_length, packing=False, gradient_checkpointing=False, bf16=job.gpu, logging_steps=1,
            save_strategy="no", report_to="none", seed=job.seed, disable_tqdm=True, loss_type="nll",
        ),
    )  # fmt: skip
    done = trainer.train()
    trainer.save_model(str(job.adapter))
    (job.folder / "result.json").write_text(json.dumps({"train_runtime": done.metrics["train_runtime"]}))


def command(job: Job) -> list[str | Path]:
    """This file, in a process of its own."""
    return [sys.executable, __file__, job.write()]


LITERAL = Trainer("the original's literal recipe", command, seconds_kept)

if __name__ == "__main__":
    main()
