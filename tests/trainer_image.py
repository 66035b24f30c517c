"""`make images` in the tests' own engine, on a base that needs no registry."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from documents import REPOSITORY
from engine import BASE_IMAGE, Engine

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def make_images(engine: Engine, folder: Path) -> str:
    """Build both images from a copy of the checkout in `folder`; returns the trainer's name.

    What this machine's pip is told (a mirror, a folder of wheels, certificates) is passed on to the build.
    """
    checkout = folder / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, checkout / name)
    settings = _pip_settings()
    (checkout / "wheelhouse").mkdir()
    for wheel in Path(settings.pop("find-links", "/nowhere")).glob("*.whl"):
        shutil.copy2(wheel, checkout / "wheelhouse")
    configuration = folder / "pip.conf"
    lines = [f"{name} = {value}" for name, value in settings.items() if "file:" not in value]
    configuration.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    # A client of the engine's own package brings what its builds need; another may lack it.
    docker = shutil.which("docker", path="/usr/bin") or "docker"
    command = [
        "make", "images", f"DOCKER={docker}", f"BASE_TRAINER={BASE_IMAGE}", f"BASE_AIRFLOW={BASE_IMAGE}",
        f"PIP_CONF={configuration}", "BUILD_ARGS=--network host",
    ]  # fmt: skip
    if CERTIFICATES.exists():
        command.append(f"CA_BUNDLE={CERTIFICATES}")
    done = subprocess.run(
        command,
        cwd=checkout,
        env=os.environ | {"DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return "tradewind-trainer"


def _pip_settings() -> dict[str, str]:
    """What `pip config` and its variables say, by option."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True
    ).stdout
    found = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in ("global", "install", ":env:") and option not in ("cert", "disable-pip-version-check"):
            found[option] = value.strip("'\"")
    return found
