"""One task's container: started at most once at a time, found again, followed to its end, stopped."""

from __future__ import annotations

import json
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from docker.errors import APIError, DockerException, NotFound

from tradewind.errors import GpuBusyError
from tradewind_airflow.containers import logs
from tradewind_airflow.containers.claim import Claim
from tradewind_airflow.containers.ending import failure, not_started
from tradewind_airflow.containers.identity import FOLDER, GENERATION, GPUS, JOB, TASK, Identity, label, try_number
from tradewind_airflow.containers.request import STOP_GRACE
from tradewind_airflow.gpus import Gpu
from tradewind_airflow.last_words import KEPT_LINES
from tradewind_airflow.stop_request import StopRequest
from tradewind_airflow.stopper import Stopper

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger("tradewind_airflow")
Request = Callable[[Sequence[Gpu]], dict[str, Any]]
_LOST = (requests.exceptions.ConnectionError, requests.exceptions.Timeout, urllib3.exceptions.HTTPError)
_LIVE = ("running", "paused", "restarting")
_PAUSE = 0.2
_START_LIMIT = 10.0
"""Seconds from a container's creation to its start, after which its creator is taken for lost."""
_REMOVE_LIMIT = 60.0
_ENGINE_LIMIT = 600.0
"""Seconds that an engine may be away: a restart with live-restore keeps the container."""


def _status(container: Mapping[str, Any]) -> str:
    state = container["State"]
    if state["Status"] in _LIVE:
        return "running"
    if state["Status"] == "created":
        return "gone"
    return "succeeded" if state["ExitCode"] == 0 else "failed"


def _is_starting(container: Mapping[str, Any]) -> bool:
    if container["State"]["Status"] != "created":
        return False
    created = datetime.fromisoformat(container["Created"][:19] + "+00:00")
    return (datetime.now(UTC) - created).total_seconds() < _START_LIMIT


class ContainerJob:
    """The container of one task instance of one run."""

    def __init__(
        self,
        cli: APIClient,
        identity: Identity,
        name: str,
        claim: Claim,
        *,
        image: str,
        request: Request,
        choose: Callable[[], list[Gpu]],
        secrets: Mapping[str, str],
        on_line: Callable[[str], None],
        stop: StopRequest,
        folder: str = "",
    ) -> None:
        """Take what a container is made of.

        Args:
            folder: of the run, as the host names it, where `name` is not made of it: several workers of this host may
                each have one, and only who has it can read what the container makes.
            image: for what is told of it.
            request: the arguments of `create_container` for a choice of GPUs.
            choose: waits until GPUs are free and returns them.
            secrets: environment variables that only the process in the container gets to know.
            on_line: gets each line that the container says.
            stop: requested when the task is to end.
        """
        self.cli = cli
        self.identity = identity
        self.name = name
        self._claim = claim
        self._image = image
        self._request = request
        self._choose = choose
        self._secrets = secrets
        self._on_line = on_line
        self._stop_request = stop
        self._folder = folder
        self._stopper = Stopper(self._end)

    def found(self) -> dict[str, Any] | None:
        """The task's container as the engine inspects it, live or ended."""
        try:
            return dict(self.cli.inspect_container(self.name))
        except NotFound:
            return None

    def status(self, container_id: str) -> str:
        """`running`, `succeeded`, `failed`, or `gone`; a container that never started counts as gone."""
        try:
            return _status(self.cli.inspect_container(container_id))
        except NotFound:
            return "gone"

    def claim(self) -> None:
        """Become the try that may stop the task's container, one of before included."""
        self._claim.take()

    def clear_others(self) -> None:
        """Remove the task's container of before the run was cleared, or of a lost worker with a folder of its own.

        Only then may a new one start.
        """
        earlier = self.found()
        if earlier is None:
            return
        if (label(earlier, JOB), label(earlier, GENERATION)) != (self.identity.job_id, str(self.identity.generation)):
            log.info("%s: of before the task was cleared; removing it", self.name)
            self.remove(earlier["Id"])
        elif label(earlier, FOLDER) != self._folder:
            log.info("%s: of another worker, into %s; removing it", self.name, label(earlier, FOLDER))
            self.remove(earlier["Id"])

    def finished_before(self) -> str:
        """The earlier try whose container published before its worker could tell Airflow; empty if there is none."""
        task_id = self._claim.finished(self.identity.generation)
        if not task_id or try_number(task_id) >= self.identity.number:
            return ""
        log.info("try %s has published its result already", task_id)
        ended = self.found()
        if ended is not None and ended["State"]["Status"] not in _LIVE:
            self.remove(ended["Id"])
        return task_id

    def submit(self) -> str:
        """Start the container, or take over the one that an earlier try started; returns its id.

        Raises:
            AirflowException: the engine refuses it, or the task was stopped meanwhile.
        """
        deadline = time.monotonic() + _REMOVE_LIMIT
        while not self._stop_request.requested:
            earlier = self.found()
            if earlier is not None:
                if _status(earlier) in ("running", "succeeded"):
                    log.info("taking over container %s of try %s", earlier["Id"][:12], label(earlier, TASK))
                    return str(earlier["Id"])
                if _is_starting(earlier):  # another try is at it
                    self._stop_request.wait(_PAUSE)
                    continue
                self._forget(earlier)
            gpus = self._choose()
            if self._stop_request.requested:
                break
            try:
                created = self._create(gpus)
            except APIError as error:
                # Another try was faster: look again.
                if error.status_code == requests.codes.conflict and time.monotonic() < deadline:
                    self._stop_request.wait(_PAUSE)
                    continue
                raise not_started(self.identity.task, self._image, error.explanation or str(error)) from error
            self._start(created)
            if self._stop_request.requested:  # it came while nobody could find this container yet
                self.remove(created)
                break
            given = f" with GPU {', '.join(gpu.id for gpu in gpus)}" if gpus else ""
            log.info("container %s (%s) started%s", created[:12], self.name, given)
            return created
        raise AirflowException(f"{self.name}: stopped before its container started")

    def follow(self, container_id: str, on_restart: Callable[[str], None]) -> str:
        """Pass on its lines until it has ended well; returns the try whose result it left.

        The container is removed, however it ended.

        Args:
            on_restart: told the id of another container that took its place because its GPU was taken.

        Raises:
            AirflowException: how it ended, and whether a retry can help.
        """
        last: deque[str] = deque(maxlen=KEPT_LINES)
        while True:
            try:
                ended = self._to_its_end(container_id, last)
            except NotFound:
                raise AirflowException(f"{self.name}: its container is gone; it was stopped or removed") from None
            if not self._was_too_late(ended) or self._stop_request.requested:
                break
            log.info("GPU %s was taken in that moment; choosing again", label(ended, GPUS))
            self.remove(container_id)
            self._stop_request.wait(random.uniform(0, 2 * _PAUSE))  # so that two do not meet again and again
            container_id = self.submit()
            on_restart(container_id)
        task_id = label(ended, TASK)
        if ended["State"]["ExitCode"] == 0:
            self._claim.finish(self.identity.generation, task_id)
        self._remove_ours(container_id)
        if ended["State"]["ExitCode"] != 0:
            raise self._failure(ended, tuple(last))
        return task_id

    def stop(self, leave: Callable[[], bool]) -> bool:
        """End the task's container, unless another try has taken it over; whether it was left: see `Stopper`."""
        return self._stopper.stop(leave)

    def finish(self) -> None:
        """Wait until what `stop` began is done."""
        self._stopper.finish()

    def remove(self, container_id: str) -> None:
        """Remove it, by force if it still runs, and return when it is gone.

        Raises:
            AirflowException: the engine does not get rid of it.
        """
        deadline = time.monotonic() + _REMOVE_LIMIT
        while True:
            try:
                self.cli.remove_container(container_id, force=True)
            except NotFound:
                return
            except APIError as error:
                if time.monotonic() > deadline:
                    raise AirflowException(
                        f"container {self.name}: the engine does not remove it ({error.explanation}); "
                        "remove it by hand (docker rm --force)"
                    ) from error
            time.sleep(_PAUSE)  # somebody else may be removing it

    def _create(self, gpus: Sequence[Gpu]) -> str:
        asked = self._request(gpus)
        if self._folder:
            asked["labels"] = {**asked["labels"], FOLDER: self._folder}
        return str(self.cli.create_container(name=self.name, **asked)["Id"])

    def _end(self) -> None:
        with self._claim.held() as ours:
            found = self.found() if ours else None
            # The claim is of this folder: a worker with another one may have taken the task over.
            if found is not None and label(found, FOLDER) == self._folder:
                try:
                    self.cli.stop(found["Id"], timeout=STOP_GRACE)
                except APIError as error:
                    log.warning("container %s: %s", self.name, error.explanation)
                self.remove(found["Id"])

    def _remove_ours(self, container_id: str) -> None:
        """Remove an ended container, unless a newer try looks after it; a stage that ended well stays so."""
        with self._claim.held() as ours:
            if ours:
                try:
                    self.remove(container_id)
                except (AirflowException, DockerException, requests.exceptions.RequestException) as error:
                    log.warning("%s", error)

    def _start(self, container_id: str) -> None:
        """Start it and hand over the secrets, which no inspection of the container shows."""
        try:
            # Attached before the start: should this process end now, the container reads an end of file and ends, too.
            channel = self.cli.attach_socket(container_id, {"stdin": 1, "stream": 1}) if self._secrets else None
            self.cli.start(container_id)
        except APIError as error:
            self.remove(container_id)
            raise not_started(self.identity.task, self._image, error.explanation or str(error)) from error
        if channel is not None:
            plain = getattr(channel, "_sock", channel)
            with suppress(BrokenPipeError, ConnectionResetError):  # it has ended already, and its end says why
                plain.sendall(self._message(self._secrets))
            channel.close()
            plain.close()

    def _message(self, secrets: Mapping[str, str]) -> bytes:
        """The secrets as its process reads them."""
        return json.dumps(dict(secrets)).encode()

    def _failure(self, ended: Mapping[str, Any], last_lines: Sequence[str]) -> AirflowException:
        """What became of it, for Airflow and the user."""
        return failure(self.identity.task, str(ended["Config"]["Image"]), ended["State"], last_lines)

    def _was_too_late(self, ended: Mapping[str, Any]) -> bool:
        """Whether another container held its GPU already, which our entry point tells by its exit code."""
        return ended["State"]["ExitCode"] == GpuBusyError.exit_code and label(ended, GPUS) != ""

    def _forget(self, earlier: Mapping[str, Any]) -> None:
        """Pass on the rest of an earlier try's ended container and remove it; raise where no retry can help."""
        why = None
        if _status(earlier) == "failed" and not self._was_too_late(earlier):
            last: deque[str] = deque(maxlen=KEPT_LINES)
            self._pass_on(earlier["Id"], last, follow=False)
            why = self._failure(earlier, tuple(last))
            log.warning("the container of try %s ended while nobody followed it: %s", label(earlier, TASK), why)
        self.remove(earlier["Id"])
        if isinstance(why, AirflowFailException):
            raise why

    def _to_its_end(self, container_id: str, last: deque[str]) -> dict[str, Any]:
        """Pass on its lines, over restarts of the engine; returns the ended container.

        That the stream of lines ends says little: it does, without an error, when the engine or a proxy stops.
        """
        while True:
            try:
                self._pass_on(container_id, last, follow=True)
                found = dict(self.cli.inspect_container(container_id))
                if found["State"]["Status"] not in _LIVE:
                    self._pass_on(container_id, last, follow=False)
                    return found
            except _LOST:
                self._wait_for_engine()
            except APIError as error:
                if error.status_code == requests.codes.conflict:  # it is being removed
                    raise NotFound(str(error)) from error
                if not error.is_server_error():
                    raise
                self._wait_for_engine()
            self._stop_request.wait(_PAUSE)

    def _pass_on(self, container_id: str, last: deque[str], *, follow: bool) -> None:
        for moment, line in logs.lines(self.cli, container_id, self._claim.position(container_id), follow=follow):
            if line:
                self._on_line(line)
                last.append(line)
            self._claim.advance(container_id, moment)

    def _wait_for_engine(self) -> None:
        log.warning("the Docker engine went away; waiting up to %.0f s for it", _ENGINE_LIMIT)
        deadline = time.monotonic() + _ENGINE_LIMIT
        while not self._answers():
            if time.monotonic() > deadline or self._stop_request.wait(1.0):
                raise AirflowException(f"{self.name}: the Docker engine went away and does not answer; start it")

    def _answers(self) -> bool:
        try:
            return bool(self.cli.ping())
        except (DockerException, requests.exceptions.RequestException):
            return False
