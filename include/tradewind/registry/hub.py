"""The champion on the Hugging Face hub."""

from __future__ import annotations

import os

from tradewind.errors import UserError
from tradewind.registry.placing import files_below
from tradewind.registry.version import CARD, Version

# What transformers reads from a model's folder: of two models' shards it might load the wrong ones.
_OF_A_MODEL = (".safetensors", ".bin", ".json", ".jinja", ".model")


def push_version(version: Version, hub_model_id: str, token: str | None = None) -> None:
    """Make the hub's model this one, card and all, in one commit, which the version's name titles.

    A new repository is private. What a model before left there goes; other files are a human's and stay.

    Args:
        token: None: `HF_TOKEN`, or the login that is kept on this machine.

    Raises:
        UserError: the hub refused it, cannot be reached, or its client is not installed.
    """
    try:
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
    except ImportError as error:
        raise UserError(
            "registry.push_to_hub: huggingface_hub is not installed here; pip install huggingface_hub"
        ) from error
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    files = {CARD: version.path / CARD} | {path.as_posix(): version.model / path for path in files_below(version.model)}
    try:
        api.create_repo(hub_model_id, private=True, exist_ok=True)
        left = [name for name in api.list_repo_files(hub_model_id) if name not in files and name.endswith(_OF_A_MODEL)]
        api.create_commit(
            hub_model_id,
            [
                *(CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()),
                *(CommitOperationDelete(path_in_repo=name) for name in left),
            ],
            commit_message=f"Publish {version.record.dag_id} {version.name}",
        )
    except Exception as error:  # its HTTP client, and so what it raises, is another in each of its releases
        raise UserError(
            f"registry.push_to_hub: '{hub_model_id}' cannot be written ({type(error).__name__}); "
            "check HF_TOKEN and the name, or turn registry.push_to_hub off"
        ) from error
