"""Python and the packages, against what this package asks for and, in a checkout, against the pinned versions."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import tradewind
from tradewind.doctor.check import Finding, failure, ok, warning
from tradewind.doctor.subject import Subject

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)
_NAMED = 4


def look_at_python(_: Subject) -> Finding:
    """The interpreter, against the versions that the package takes."""
    from packaging.specifiers import SpecifierSet

    version = platform.python_version()
    try:
        wanted = importlib.metadata.metadata("tradewind")["Requires-Python"]
    except importlib.metadata.PackageNotFoundError:
        return warning(f"{version}; tradewind is not installed, only on the path", "pip install it, or make run")
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        return failure(f"{version}, and tradewind wants {wanted}", "make an environment of Python 3.11")
    return ok(version)


def look_at_packages(subject: Subject) -> Finding:
    """Every package that the stages import here, and that Airflow's side does where it is installed."""
    try:
        requirements = importlib.metadata.requires("tradewind") or []
    except importlib.metadata.PackageNotFoundError:
        return warning("tradewind is not installed: what it wants cannot be told", "pip install it, or make run")
    extras = {"", *_extras(subject)}
    wrong, right = [], 0
    for requirement in requirements:
        told = _told(requirement, extras)
        wrong += [told] if told else []
        right += told == ""
    if wrong:
        wanted = ",".join(sorted(extras - {""}))
        return failure(_few(wrong), f'pip install "tradewind[{wanted}]", or make run')
    drifted = list(_drifted(Path(tradewind.__file__).parents[2] / "requirements.txt"))
    if drifted:
        return warning(
            f"{right} fit; {len(drifted)} differ from requirements.txt: {_few(drifted)}",
            "pip install -r requirements.txt for the versions that were tested",
        )
    return ok(f"{right} fit ({', '.join(sorted(extras - {''})) or 'no extra'})")


def _extras(subject: Subject) -> Iterator[str]:
    if not subject.image:
        yield "train"
    try:
        importlib.metadata.version("apache-airflow")
    except importlib.metadata.PackageNotFoundError:
        return
    yield "airflow"


def _told(line: str, extras: set[str]) -> str | None:
    """What is wrong with a required package; empty where nothing is, None where it is not required."""
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    if requirement.marker and not any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
        return None
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return f"{requirement.name} is missing"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} is {version}, wanted {requirement.specifier}"
    return ""


def _drifted(pins: Path) -> Iterator[str]:
    if not pins.is_file():
        return
    for name, pinned in _PINNED.findall(pins.read_text(encoding="utf-8")):
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if version.partition("+")[0] != pinned.partition("+")[0]:
            yield f"{name} {version} (pinned {pinned})"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
