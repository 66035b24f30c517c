"""What a stage of this installation is: its code and the libraries that it computes with."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
from functools import cache
from pathlib import Path

import tradewind
from tradewind.files import sha256_of
from tradewind.results import folder_digest

_OF_AIRFLOW = re.compile(r"extra == ['\"](airflow|production)['\"]")


@cache
def package_digest() -> str:
    """A hash of this package's own files, models and samples included, and of the versions of Python and libraries.

    It is the code of a stage that runs in this installation. Of one in a container the image's id says as much.
    """
    root = Path(tradewind.__file__).parent
    files = [path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    own = folder_digest({path.relative_to(root): sha256_of(path) for path in files})
    versions = "".join(f"{name} {version}\n" for name, version in sorted(_versions().items()))
    return hashlib.sha256(f"{own}\npython {platform.python_version()}\n{versions}".encode()).hexdigest()


def _versions() -> dict[str, str]:
    """Of the packages that this one names, but for those that only Airflow's side needs."""
    found = {}
    for requirement in importlib.metadata.requires("tradewind") or ():
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        if name is None or _OF_AIRFLOW.search(requirement):
            continue
        try:
            found[name[0]] = importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
