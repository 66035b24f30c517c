"""LLaMA-Factory in a virtual environment of its own, since it wants other versions than this package.

    python benchmarks/trainers/install_llama_factory.py

It goes to ~/.cache/tradewind-benchmarks/llama-factory, with the torch that this environment has, so that what is
compared is the trainer. Nothing is done where it stands already.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from setting.places import cache

VERSION = "0.9.5"


def environment_folder() -> Path:
    """The virtual environment; it may not exist."""
    return cache("llama-factory")


def main() -> None:
    """Build the environment; CalledProcessError where pip cannot."""
    folder = environment_folder()
    if (folder / "complete").exists():
        return
    print(f"installing LLaMA-Factory {VERSION} into {folder} (some minutes) ...", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    torch, _, build = version("torch").partition("+")
    pip: list[Path | str] = [folder / "bin" / "python", "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", f"llamafactory=={VERSION}", f"torch=={torch}"], check=True)
    if build == "cpu":
        _without_sight_and_sound(folder, pip)
    (folder / "complete").touch()


def _without_sight_and_sound(folder: Path, pip: list[Path | str]) -> None:
    """Take out two companions of torch, whose builds for CUDA do not load beside a torch that was built for CPUs.

    Text needs neither, but LLaMA-Factory imports torchaudio whatever it trains on: an empty module stands in for it.
    """
    subprocess.run([*pip, "uninstall", "--quiet", "--yes", "torchvision", "torchaudio"], check=True)
    packages = next((folder / "lib").glob("python*/site-packages"))
    (packages / "torchaudio.py").write_text('"""Nothing: see tradewind\'s benchmarks."""\n', encoding="utf-8")


if __name__ == "__main__":
    main()
