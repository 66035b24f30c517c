"""bitsandbytes, for recipes that train on 4-bit weights; PEFT imports it wherever it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from tradewind.doctor.check import Finding, failure, not_needed, ok, warning
from tradewind.doctor.child import ChildFailedError, told_by
from tradewind.doctor.subject import Subject
from tradewind.errors import UserError
from tradewind.models.needs import BYTES
from tradewind.training.host_memory import free_bytes

LIMIT = 120.0
_PROGRAM = """
import json, logging
logging.disable(logging.WARNING)
import torch, peft.tuners.lora, bitsandbytes
from tradewind.errors import UserError
from tradewind.training.four_bits import check_support
device, why = "cuda" if torch.cuda.is_available() else "cpu", ""
for kind in {kinds}:
    try:
        check_support(device, kind)
    except UserError as error:
        why = str(error)
print(json.dumps({{"device": device, "version": bitsandbytes.__version__, "why": why}}))
"""


def look_at_bitsandbytes(subject: Subject) -> Finding:
    """It computes in 4 bits here, there and back; and the host can hold the base that is merged into."""
    if subject.image:
        return not_needed(f"stages run in {subject.image}")
    trainings = [one for one in (subject.config.adapt, subject.config.finetune) if one.enabled]
    wanted = [one.quantization_config for one in trainings if one.quantization_config is not None]
    kinds = sorted({one.bnb_4bit_quant_type for one in wanted if one.load_in_4bit})
    if importlib.util.find_spec("bitsandbytes") is not None:
        return _tried(subject, kinds)
    if kinds:
        return failure("not installed", "pip install 'tradewind[qlora]', or leave quantization_config out")
    return not_needed("no training of the recipe is in 4 bits")


def _tried(subject: Subject, kinds: Sequence[str]) -> Finding:
    try:
        told = told_by(_PROGRAM.format(kinds=list(kinds)), LIMIT)
    except ChildFailedError as error:
        why = str(error).partition("; ")[0]
        return failure(f"it is installed and broken, and PEFT imports it: {why}", "install it again, or uninstall it")
    if told["why"]:
        what, _, to_do = str(told["why"]).partition("; ")
        return failure(what, to_do)
    if not kinds:
        return not_needed(f"{told['version']}; no training of the recipe is in 4 bits")
    return _merge(subject, f"{told['version']} computes {' and '.join(kinds)} on this {told['device']}")


def _merge(subject: Subject, told: str) -> Finding:
    """What is trained in 4 bits is merged on the CPU, into the whole base."""
    try:
        need = subject.shape().parameters * BYTES[subject.config.model.dtype]
    except UserError:
        return ok(told)
    free = free_bytes()
    room = f"{told}; the merge takes {need / 1e9:.1f} GB of the host's memory, {free / 1e9:.1f} GB are free"
    return ok(room) if need < free else warning(room, "more memory, or swap, for the end of the training")
