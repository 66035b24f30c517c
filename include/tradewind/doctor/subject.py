"""What is examined: a recipe, and what can be known of it once for all checks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from tradewind.config import RunConfig, ServerConfig
from tradewind.doctor.hub_files import cached_folder, config_of
from tradewind.errors import UserError
from tradewind.models import locate
from tradewind.models.shape import Shape

T = TypeVar("T")
WANTS_GPU = 300_000_000
"""Parameters from which nobody wants to wait for a CPU."""


@dataclass
class Subject:
    """A recipe on this machine."""

    config: RunConfig
    _asked: dict[str, Future[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def image(self) -> str:
        """The image of every stage's container; empty where stages are subprocesses."""
        return os.environ.get("TRADEWIND_IMAGE", "").strip()

    @cached_property
    def model(self) -> Path | str:
        """The base model's folder or hub name; UserError where it is unknown."""
        return locate(self.config.model.model_name_or_path)

    def shape(self) -> Shape:
        """Of the base model, from its folder, the cache or the hub; asked once, though several checks want it.

        Raises:
            UserError: it cannot be had.
        """
        return self.once("shape", self._found_shape)

    def once(self, name: str, ask: Callable[[], T]) -> T:
        """What `ask` returns or raises, asked by the first of the checks that want to know it."""
        with self._lock:
            first = name not in self._asked
            answer = self._asked.setdefault(name, Future())
        if first:
            try:
                answer.set_result(ask())
            except Exception as error:  # noqa: BLE001 - raised in every check that asks
                answer.set_exception(error)
        found: T = answer.result()
        return found

    def wants_gpu(self) -> bool:
        """Whether the recipe's model is too large for a CPU; one whose size cannot be told is taken for such."""
        try:
            return self.shape().parameters >= WANTS_GPU
        except UserError:
            return True

    def hub_models(self) -> Iterator[tuple[str, str, str | None]]:
        """Setting, name and revision of each model that comes from the hub."""
        evaluate = self.config.evaluate
        named = (
            ("model", self.config.model.model_name_or_path, self.config.model.model_revision),
            ("evaluate.encoder", evaluate.encoder, evaluate.encoder_revision),
        )
        for setting, name, revision in named:
            if isinstance(locate(name), str):
                yield setting, name, revision

    def servers(self) -> Iterator[tuple[str, ServerConfig]]:
        """Block and settings of each model behind a server."""
        if self.config.evaluate.judge is not None:
            yield "evaluate.judge", self.config.evaluate.judge
        if self.config.extract is not None:
            yield "extract", self.config.extract

    def _found_shape(self) -> Shape:
        if isinstance(self.model, Path):
            return Shape.read(self.model)
        revision = self.config.model.model_revision
        folder = cached_folder(self.model, revision)
        return Shape.read(folder) if folder is not None else Shape.of(config_of(self.model, revision))
