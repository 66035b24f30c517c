"""Who takes part, by the names that the command line knows."""

from __future__ import annotations

from trainers.job import Trainer
from trainers.literal import LITERAL
from trainers.llama_factory import FACTORY, FACTORY_BEST
from trainers.ours import OURS, OURS_SMALL
from trainers.trl_cli import TRL, TRL_LITERAL

FIELD: dict[str, Trainer] = {
    "ours": OURS,
    "literal": LITERAL,
    "trl": TRL,
    "trl-literal": TRL_LITERAL,
    "factory": FACTORY,
    "ours-small": OURS_SMALL,
    "factory-best": FACTORY_BEST,
}
DEFAULT = tuple(name for name in FIELD if name != "trl-literal")
