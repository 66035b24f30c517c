"""The image is there, or is pulled, before anything else happens."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException
from docker.errors import APIError, ImageNotFound

import tradewind

if TYPE_CHECKING:
    from docker import APIClient

log = logging.getLogger("tradewind_airflow")
VERSION_LABEL = "org.opencontainers.image.version"
_FORBIDDEN = (401, 403, 404)


def have_image(cli: APIClient, image: str, *, force_pull: bool = False) -> None:
    """Pull `image` if it is absent; warn where it holds another version of tradewind than the worker.

    Raises:
        AirflowFailException: no such image, or no right to it.
        AirflowException: its registry does not answer.
    """
    try:
        found = None if force_pull else cli.inspect_image(image)
    except ImageNotFound:
        found = None
    if found is None:
        found = _pull(cli, image)
    version = (found["Config"].get("Labels") or {}).get(VERSION_LABEL)
    if version and version != tradewind.__version__:
        log.warning(
            "%s holds tradewind %s, this worker has %s; build or pull the same", image, version, tradewind.__version__
        )


def _pull(cli: APIClient, image: str) -> Any:
    log.info("%s: not on this host; pulling it", image)
    try:
        shown: set[str] = set()
        for step in cli.pull(image, stream=True, decode=True):
            line = " ".join(str(step[key]) for key in ("id", "status") if key in step)
            if line not in shown:  # a layer says "Downloading" many times a second
                shown.add(line)
                log.info("%s", line)
        return cli.inspect_image(image)
    except APIError as error:
        why = error.explanation or str(error)
        hint = "check its name, or build it with `make images`"
        # Docker Hub says "denied" for a name that does not exist.
        final = error.status_code in _FORBIDDEN or "denied" in why or "manifest unknown" in why
        kind = AirflowFailException if final else AirflowException
        raise kind(f"image '{image}': not on this host and cannot be pulled ({why}); {hint}") from error
