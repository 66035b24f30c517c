"""Checkpoints that are known to be whole: a manifest is written after the last byte, and checked before use."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tradewind.files import sha256_of, write_atomically
from tradewind.training.world import ALONE, World

log = logging.getLogger("tradewind")
_MANIFEST = "verified.json"


class VerifyCheckpoints(TrainerCallback):
    """Writes the manifest of each checkpoint once the trainer has saved all of it, in every process."""

    def __init__(self, world: World = ALONE) -> None:
        self.world = world

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: object) -> None:
        """Called by the trainer after model, optimizer, scheduler and random states are on disk."""
        self.world.wait()  # each process leaves its random states there
        if self.world.is_first:
            mark_verified(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")


def mark_verified(checkpoint: Path) -> None:
    """Keep the hash of every file of a checkpoint beside them."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != _MANIFEST)
    manifest = {path.relative_to(checkpoint).as_posix(): sha256_of(path) for path in files}
    write_atomically(checkpoint / _MANIFEST, json.dumps(manifest, indent=1))


def is_verified(checkpoint: Path) -> bool:
    """Whether every file stands as it was when the manifest was written."""
    try:
        manifest = json.loads((checkpoint / _MANIFEST).read_text(encoding="utf-8"))
        return all(sha256_of(checkpoint / name) == digest for name, digest in manifest.items())
    except (OSError, ValueError):
        return False


def newest_verified(folder: Path) -> Path | None:
    """The checkpoint with the highest step that is whole (the step counts, not the file time)."""
    found = [
        (int(match[1]), path) for path in folder.glob("checkpoint-*") if (match := re.search(r"-(\d+)$", path.name))
    ]
    for _, path in sorted(found, reverse=True):
        if is_verified(path):
            return path
        log.warning("%s: incomplete or damaged; passed over", path.name)
    return None
