"""The champion on the Hugging Face hub."""

from __future__ import annotations

import os

from tradewind.errors import UserError
from tradewind.registry.placing import files_below
from tradewind.registry.version import CARD, Version


def push_version(version: Version, hub_model_id: str, token: str | None = None) -> None:
    """Send the model and its card in one commit, which the version's name titles; a new repository is private.

    Args:
        token: None: `HF_TOKEN`, or the login that is kept on this machine.

    Raises:
        UserError: the hub refused it, cannot be reached, or its client is not installed.
    """
    try:
        from huggingface_hub import CommitOperationAdd, HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError as error:
        raise UserError(
            "registry.push_to_hub: huggingface_hub is not installed here; pip install huggingface_hub"
        ) from error
    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)
    files = {CARD: version.path / CARD} | {path.as_posix(): version.model / path for path in files_below(version.model)}
    try:
        api.create_repo(hub_model_id, private=True, exist_ok=True)
        api.create_commit(
            hub_model_id,
            [CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()],
            commit_message=f"Publish {version.record.dag_id} {version.name}",
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(
            f"registry.push_to_hub: '{hub_model_id}' cannot be written ({type(error).__name__}); "
            "check HF_TOKEN and the name, or turn registry.push_to_hub off"
        ) from error
