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
_FINAL = (400, 401, 403, 404)


def have_image(cli: APIClient, image: str, *, force_pull: bool = False) -> str:
    """Pull `image` if it is absent, warn where it holds another version of tradewind, and return its id.

    Raises:
        AirflowFailException: no such image, or no right to it.
        AirflowException: its registry does not answer.
    """
    try:
        found = None if force_pull else cli.inspect_image(image)
    except ImageNotFound:
        found = None
    except APIError as error:
        if error.status_code in _FINAL:  # no name of an image
            raise _not_pulled(image, error.explanation or str(error), error.status_code) from error
        raise
    if found is None:
        found = _pull(cli, image)
    version = (found["Config"].get("Labels") or {}).get(VERSION_LABEL)
    if version and version != tradewind.__version__:
        log.warning(
            "%s holds tradewind %s, this worker has %s; build or pull the same", image, version, tradewind.__version__
        )
    return str(found["Id"])


def _pull(cli: APIClient, image: str) -> Any:
    log.info("%s: not on this host; pulling it", image)
    try:
        shown: set[str] = set()
        for step in cli.pull(image, stream=True, decode=True):
            if "error" in step:  # later than its first line a pull fails in words, not by a status
                raise _not_pulled(image, str(step["error"]))
            line = " ".join(str(step[key]) for key in ("id", "status") if key in step)
            if line not in shown:  # a layer says "Downloading" many times a second
                shown.add(line)
                log.info("%s", line)
        return cli.inspect_image(image)
    except APIError as error:
        raise _not_pulled(image, error.explanation or str(error), error.status_code) from error


def _not_pulled(image: str, why: str, status: int | None = None) -> AirflowException:
    # Docker Hub says "denied" for a name that does not exist.
    final = status in _FINAL or "denied" in why or "manifest unknown" in why or "no space left" in why
    kind = AirflowFailException if final else AirflowException
    reason = " ".join(why.split())
    return kind(
        f"image '{image}': not on this host and cannot be pulled ({reason}); "
        "check its name, or build it with `make images`"
    )
