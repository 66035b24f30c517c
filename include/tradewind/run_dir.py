"""Where every file of a run stands, and how a stage's folder is published."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from tradewind.config import RunConfig
from tradewind.errors import UserError
from tradewind.files import write_atomically
from tradewind.results import StageResult, read_result
from tradewind.stages import Stage
from tradewind.store.mirror import if_shared


class RunDir:
    """One run's folder: `<stage>/` holds what a stage published, `.<stage>.work/` what it is making.

    A stage whose work is divided has a folder for each shard, see `Shard.folder`: the methods take either name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()

    @property
    def config_file(self) -> Path:
        """The run's resolved configuration."""
        return self.path / "config.json"

    def work(self, stage: str) -> Path:
        """The folder a stage works in until it publishes."""
        return self.path / f".{stage}.work"

    def published(self, stage: str) -> Path:
        """The folder of a finished stage."""
        return self.path / stage

    def result_file(self, stage: str) -> Path:
        """The `result.json` whose presence says that the stage is finished."""
        return self.published(stage) / "result.json"

    def result(self, stage: str) -> StageResult:
        """What the stage published; UserError where it did not."""
        return read_result(self.result_file(stage))

    def write_config(self, config: RunConfig) -> None:
        """Keep the resolved configuration, so that what ran is known after the code moved on."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(self.config_file, config.model_dump_json(indent=1))

    def open_work(self, stage: str, fingerprint: str) -> Path:
        """The folder a stage works in; an interrupted try's is kept only if it had the same inputs and settings.

        Args:
            fingerprint: a hash of all that decides the stage's outcome.
        """
        work = self.work(stage)
        mark = work / ".fingerprint"
        work.mkdir(parents=True, exist_ok=True)
        if not mark.is_file() or mark.read_text() != fingerprint:
            # Emptied, not replaced: a container has this very folder mounted.
            for inner in work.iterdir():
                shutil.rmtree(inner) if inner.is_dir() and not inner.is_symlink() else inner.unlink()
        write_atomically(mark, fingerprint)
        return work

    def publish(self, stage: str, work: Path, result: StageResult) -> None:
        """Make `work`, a folder in the run's, the published one; `result.json` goes in last, then one rename."""
        write_atomically(work / "result.json", result.model_dump_json(indent=1))
        (work / ".fingerprint").unlink(missing_ok=True)
        old = self._set_aside(stage)
        work.rename(self.published(stage))
        if old is not None:
            shutil.rmtree(old)

    def withdraw(self, stage: str) -> None:
        """Take back what the stage published, if anything: it must not be mixed with what stands here now."""
        old = self._set_aside(stage)
        if old is not None:
            if_shared(self.path, lambda mirror: mirror.withdraw(self.published(stage)))
            shutil.rmtree(old)

    def _set_aside(self, stage: str) -> Path | None:
        target, old = self.published(stage), self.path / f".{stage}.old"
        if not target.exists():
            return None
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
        return old


def fingerprint(stage: Stage, config: RunConfig, inputs: dict[str, str]) -> str:
    """A hash of the stage, its settings and its inputs' hashes; equal means the same outcome is due."""
    # A training's checkpoints depend on its own settings only; a change elsewhere must not throw them away.
    own = {"adapt": {"adapt"}, "finetune": {"finetune", "sweep"}}
    parts = {"model", "seed", *own[stage]} if stage in own else None
    text = json.dumps([stage, config.model_dump(mode="json", include=parts), inputs], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def run_slug(run_id: str) -> str:
    """A run id as a folder name: safe characters, and a short hash that keeps different ids apart."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", run_id).strip(".-")[:80]
    return f"{safe}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def run_path(home: str | Path, dag_id: str, run_id: str) -> Path:
    """`<home>/runs/<dag_id>/<run slug>`; UserError for an empty id."""
    if not dag_id or not run_id:
        raise UserError("a run directory needs a dag_id and a run_id")
    return Path(home).expanduser() / "runs" / dag_id / run_slug(run_id)
