"""What may stand in a pipeline's YAML."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator

from tradewind.config import Frozen
from tradewind.pipeline.uses import IMAGE, USES, TriggerRule, Uses

NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,199}$")]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Size = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?[kmgKMG]?$")]
SecretPlace = Annotated[str, StringConstraints(pattern=r"^(connection|variable|env):.+$")]
AssetName = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_.-]+\.)?(documents|model)$")]
Text = Annotated[str, StringConstraints(strict=True)]
MOST_SECONDS = 31 * 24 * 3600
Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
Channel = Annotated[str, StringConstraints(strict=True, pattern=r"^[^'\\{}\s]+$")]
_SECRET_NAMES = ("TOKEN", "PASSWORD", "PASSWD", "SECRET", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY")
_NUMBER = re.compile(r"[-+]?[0-9.]+")


class Block(Frozen):
    """A part of a pipeline: immutable, and an unknown key is an error."""

    model_config = ConfigDict(populate_by_name=True)


class Schedule(Block):
    """When the pipeline runs by itself; without any of it, never."""

    cron: Text | None = None
    """Five fields, such as `0 2 * * *`."""
    timezone: Text = "UTC"
    """Of `cron`, such as `Asia/Seoul`."""
    start: date | datetime | None = None
    """No run by the clock before it; without one, from the day on which the pipeline is unpaused."""
    max_runs: int | None = Field(default=None, ge=1, le=1000)
    """After so many times of the clock, counted from `start`, it starts no more runs."""
    assets: tuple[AssetName, ...] = ()
    """Also at each event of these: `trade_qa.documents`, `trade_qa.model`; without a pipeline's name, its own."""

    @field_validator("start", mode="before")
    @classmethod
    def _no_seconds(cls, start: Any) -> Any:
        """Which pydantic takes a number for, counted from 1970: `20261201` forgot its dashes."""
        if isinstance(start, int | float) or (isinstance(start, str) and _NUMBER.fullmatch(start)):
            raise ValueError("is no date; write one such as 2026-12-01")
        return start


class Slack(Block):
    """What is told when no task can tell it any more; `announce` and `notify` are tasks."""

    channel: Channel = "#tradewind"
    """Where a failure is told if the run's form names no channel."""
    deadline_hours: float | None = Field(default=None, gt=0, le=10_000)
    """After how long a run is told to be late; not stated: as `TRADEWIND_DEADLINE_HOURS` says."""


class Resources(Block):
    """What a task has; without limits, what the host has."""

    gpus: int | None = Field(default=None, ge=0, le=1024)
    """For itself alone; ours with a model spread their work over them. Not stated: those that the deployment gives a
    task with a model, else none."""
    cpus: float | None = Field(default=None, gt=0, le=100_000)
    """A limit in cores, of a container only."""
    memory: Size | None = None
    """A limit such as `24g`, of a container only."""
    shm: Size | None = None
    """The container's /dev/shm, such as `2g`."""


class Mount(Block):
    """A folder or file of the host in a task's container."""

    source: Annotated[str, StringConstraints(pattern=r"^/")]
    """On the host, below `TRADEWIND_MOUNT_ROOTS`."""
    target: Annotated[str, StringConstraints(pattern=r"^/.")]
    """In the container."""
    read_only: bool = True


class Task(Block):
    """One task: ours by `uses`, or anyone's by `image` and `command`."""

    name: TaskName
    description: Text | None = None
    """Markdown, for the page."""
    uses: Text | None = Field(default=None, json_schema_extra={"enum": list(USES)})
    """One of ours."""
    image: Text | None = Field(default=None, min_length=1)
    """With `uses`: of this task instead of the pipeline's. Without: anyone's, with a `command`."""
    command: tuple[Text, ...] | Text | None = None
    """A list is taken as it is; a text is run by the image's `sh`. Not stated: the image's own."""
    dependencies: tuple[TaskName, ...] = ()
    """Tasks before it; the outputs of the N-th stand in `/pipeline/inputN`, for an image of anyone's."""
    inputs: dict[Text, TaskName] = Field(default_factory=dict)
    """Arguments that are what another task returned."""
    for_each: dict[Text, TaskName] | TaskName | None = None
    """One task for each item that another returned: an argument and that task, or a task that returns arguments."""
    arguments: dict[Text, Any] = Field(default_factory=dict, alias="with")
    """Arguments of one of ours; texts may be templates of Airflow's."""
    resources: Resources = Resources()
    mounts: tuple[Mount, ...] = ()
    environment: dict[Variable, Text] = Field(default_factory=dict)
    secrets: tuple[Variable, ...] | None = None
    """Which of the pipeline's secrets it gets, as environment variables that no inspection shows."""
    network: Text | None = None
    """The container's network: `none`, `host` or one of the engine's; not stated: the engine's bridge."""
    queue: Text | None = None
    """Of an executor with queues; not stated: the deployment's for tasks with GPUs or a model, or for the others."""
    pool: Text | None = None
    """Airflow's; not stated: that of GPUs, where the deployment names one."""
    trigger_rule: TriggerRule | None = None
    retries: int | None = Field(default=None, ge=0, le=100)
    retry_delay: Seconds | None = None
    """Seconds."""
    timeout: Seconds | None = Field(default=None, gt=0)
    """Seconds, after which it fails."""
    outlets: tuple[AssetName, ...] = ()
    """Assets that it tells of; without a pipeline's name, this one's."""

    @property
    def kind(self) -> Uses:
        """What it can take."""
        return IMAGE if self.uses is None else USES[self.uses]

    @field_validator("environment")
    @classmethod
    def _no_secret(cls, environment: dict[str, str]) -> dict[str, str]:
        return no_secret(environment)

    def taken_from(self) -> tuple[str, ...]:
        """The tasks whose results it takes as arguments."""
        each = self.for_each
        mapped = () if each is None else (each,) if isinstance(each, str) else tuple(each.values())
        return tuple(dict.fromkeys([*self.inputs.values(), *mapped]))

    def before(self) -> tuple[str, ...]:
        """The tasks before it, however stated."""
        return tuple(dict.fromkeys([*self.dependencies, *self.taken_from()]))


class Pipeline(Block):
    """A pipeline: in Airflow a DAG."""

    name: Name
    """Of the DAG."""
    description: Text | None = None
    """Markdown, for the page."""
    schedule: Schedule | None = None
    paused: bool = True
    """Whether a new one waits to be unpaused."""
    max_active_runs: int = Field(default=1, ge=1, le=1000)
    tags: tuple[Text, ...] = ()
    form: Literal["run", "sweep", "documents", "none"] = "none"
    """Which of our trigger forms it has."""
    params: dict[Text, Any] = Field(default_factory=dict)
    """Defaults of the form's fields, and fields of your own; not stated: as the deployment says."""
    models_of: Name | None = None
    """The pipeline whose models these are, if not its own."""
    image: Text | None = Field(default=None, min_length=1)
    """Of our stages; not stated: the deployment's (`TRADEWIND_IMAGE`); null: subprocesses of the worker."""
    environment: dict[Variable, Text] = Field(default_factory=dict)
    """Of every task that runs something."""
    secrets: dict[Variable, SecretPlace | tuple[SecretPlace, ...]] = Field(default_factory=dict)
    """Where each secret is read when a task runs: `connection:ID`, `variable:KEY`, `env:NAME`; of several the first
    that is set."""
    retries: int = Field(default=1, ge=0, le=100)
    retry_delay: Seconds = 60
    """Seconds."""
    slack: Slack | None = None
    tasks: tuple[Task, ...] = Field(min_length=1, max_length=1000)

    @field_validator("environment")
    @classmethod
    def _no_secret(cls, environment: dict[str, str]) -> dict[str, str]:
        return no_secret(environment)

    def task(self, name: str) -> Task | None:
        """By its name."""
        return next((task for task in self.tasks if task.name == name), None)


def no_secret(environment: dict[str, str]) -> dict[str, str]:
    """ValueError where a variable is named as a secret is: these files are kept in git and with every run."""
    for name in environment:
        if name.upper().endswith(_SECRET_NAMES):
            raise ValueError(f"{name} looks like a secret; state it in the pipeline's `secrets`, such as 'env:{name}'")
    return environment
