"""A model's folder laid out as transformers' own server looks for it: as a repository in the hub's cache."""

from __future__ import annotations

from pathlib import Path


def lay_out(model: Path, name: str, commit: str, home: Path) -> Path:
    """Make `home`, an empty folder, an `HF_HOME` in which the model is the repository `name`; nothing is copied.

    Args:
        commit: 40 hexadecimal digits; any will do.

    Returns:
        The folder for `HF_HUB_CACHE`.
    """
    cache = home / "hub"
    repository = cache / f"models--{name}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit, encoding="ascii")
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for entry in model.iterdir():
        (snapshot / entry.name).symlink_to(entry.resolve())
    return cache
