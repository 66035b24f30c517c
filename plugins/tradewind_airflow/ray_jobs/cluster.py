"""A Ray cluster's job API.

By plain HTTP: Ray's own client takes seconds to import, reads its token from the environment, and its requests know
no time limit.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from tradewind.errors import without_secret

DASHBOARD_PORT = 8265
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_OF_A_PROXY = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)
_TIME_LIMIT = 30.0
"""Seconds of one request; the head asks the node where a job runs before it answers."""


class ClusterAwayError(AirflowException):
    """The cluster does not answer now; it may later."""


class NotSubmittedError(AirflowException):
    """The cluster did not take the job; most often because it knows one of that id."""


@dataclass(frozen=True)
class JobInfo:
    """A job as the cluster tells of it."""

    submission_id: str
    status: str
    """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED."""
    message: str
    exit_code: int | None
    """Of the job's command, negative for a signal; None where Ray could not run it to its end."""
    metadata: Mapping[str, str]

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in _ENDED


class RayCluster:
    """The cluster that a connection of Airflow's names.

    Its host (with `https://` where TLS stands before it) and port are the dashboard's, its password is the token.
    """

    def __init__(self, address: str, token: str, conn_id: str) -> None:
        self.address = address
        self._token = token
        self._conn_id = conn_id

    @classmethod
    def of_connection(cls, conn_id: str) -> RayCluster:
        """Read it; AirflowFailException where there is no such connection or it names no host."""
        try:
            found = Connection.get(conn_id)
        except AirflowNotFoundException:
            raise AirflowFailException(
                f"connection {conn_id!r}: there is none; make one with the host of the Ray cluster's dashboard, its "
                f"port ({DASHBOARD_PORT}) and as password the cluster's token"
            ) from None
        if not found.host:
            raise AirflowFailException(f"connection {conn_id!r}: names no host; give the Ray cluster's dashboard")
        scheme, _, host = found.host.rpartition("://")
        if not scheme:
            scheme = "https" if "https" in (found.conn_type, found.schema) else "http"
        if found.password:
            mask_secret(found.password)
        return cls(f"{scheme}://{host.rstrip('/')}:{found.port or DASHBOARD_PORT}", found.password or "", conn_id)

    def check(self) -> None:
        """Raise where the address is no Ray cluster's or the token is not the cluster's."""
        answer = self._answer("GET", "/api/version")
        if "ray_version" not in self._json(answer, dict):
            raise self._no_ray(answer)

    def info(self, submission_id: str) -> JobInfo | None:
        """What is known of a job; None where the cluster knows none of the id."""
        answer = self._answer("GET", f"/api/jobs/{submission_id}")
        return None if answer.status_code == httpx.codes.NOT_FOUND else _job(self._json(answer, dict))

    def jobs(self) -> list[JobInfo]:
        """All submitted jobs that the cluster knows, ended ones included."""
        found = self._json(self._answer("GET", "/api/jobs/"), list)
        return [_job(each) for each in found if each.get("submission_id")]

    def submit(self, request: Mapping[str, Any]) -> None:
        """Start a job.

        Args:
            request: the body of `POST /api/jobs/`; its `submission_id` must be new to the cluster.

        Raises:
            NotSubmittedError: Ray's own reason.
        """
        answer = self._answer("POST", "/api/jobs/", json=dict(request))
        if not answer.is_success:
            raise NotSubmittedError(f"{self._name}: takes no job: {self._reason(answer)}")

    def stop(self, submission_id: str) -> None:
        """Ask for a job's end; Ray terminates its processes, and kills what is left of them after three seconds."""
        self._answer("POST", f"/api/jobs/{submission_id}/stop")

    def log(self, submission_id: str) -> str | None:
        """All that the job has said so far; None where the node that keeps it does not give it."""
        answer = self._answer("GET", f"/api/jobs/{submission_id}/logs")
        return str(self._json(answer, dict).get("logs", "")) if answer.is_success else None

    def without_token(self, text: str) -> str:
        """The text, which a job may have made of its environment, without the cluster's token."""
        return without_secret(text, self._token)

    @property
    def _name(self) -> str:
        return f"Ray cluster {self.address} (connection {self._conn_id!r})"

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def _answer(self, method: str, path: str, **body: Any) -> httpx.Response:
        """The answer, of whatever status but those that say the token is wrong."""
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            # A client for each: one that a signal interrupts may hold a lock which its handler needs as well.
            with httpx.Client(base_url=self.address, headers=headers, timeout=_TIME_LIMIT, verify=self._tls) as client:
                answer = client.request(method, path, **body)
        except httpx.InvalidURL as error:
            raise AirflowFailException(f"{self._name}: is no address: {error}") from None
        except httpx.UnsupportedProtocol:
            raise AirflowFailException(
                f"{self._name}: is no address; its host is a name or begins with https://"
            ) from None
        except httpx.HTTPError as error:
            told = " ".join(str(error).split()) or type(error).__name__
            raise ClusterAwayError(
                f"{self._name}: does not answer ({told}); start it, or mend the connection's host and port"
            ) from None
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            why = "refuses the token" if self._token else "asks for a token"
            raise AirflowFailException(
                f"{self._name}: {why} ({answer.status_code}); the connection's password must be the cluster's token"
            )
        if answer.status_code in (
            httpx.codes.BAD_GATEWAY,
            httpx.codes.SERVICE_UNAVAILABLE,
            httpx.codes.GATEWAY_TIMEOUT,
        ):
            raise ClusterAwayError(f"{self._name}: does not answer ({answer.status_code} of what stands before it)")
        return answer

    def _json(self, answer: httpx.Response, kind: type) -> Any:
        if answer.is_server_error:
            raise ClusterAwayError(f"{self._name}: {self._reason(answer)}")
        try:
            found = answer.json()
        except ValueError:
            raise self._no_ray(answer) from None
        if not answer.is_success or not isinstance(found, kind):
            raise self._no_ray(answer)
        return found

    def _no_ray(self, answer: httpx.Response) -> AirflowFailException:
        return AirflowFailException(
            f"{self._name}: answers {answer.status_code}, but not as a Ray cluster's dashboard does; "
            "check the connection's host and port"
        )

    def _reason(self, answer: httpx.Response) -> str:
        """The last line of a traceback that says something, or the status."""
        lines = [line.strip() for line in answer.text.splitlines() if len(line.strip()) > 1]
        return self.without_token(lines[-1])[:500] if lines else f"status {answer.status_code}"


def _job(found: Mapping[str, Any]) -> JobInfo:
    return JobInfo(
        submission_id=str(found["submission_id"]),
        status=str(found["status"]),
        message=str(found.get("message") or ""),
        exit_code=found.get("driver_exit_code"),
        metadata=found.get("metadata") or {},
    )
