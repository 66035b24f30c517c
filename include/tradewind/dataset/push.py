"""The prepared pairs as a private data set on the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from tradewind.dataset.files import conversational_name
from tradewind.dataset.split_proof import USES
from tradewind.errors import UserError

CARD = "dataset_card.md"
_BESIDE = ("dataset_card.html", "train.jsonl", "heldout.jsonl", *map(conversational_name, USES))


def push_dataset(folder: Path, hub_dataset_id: str) -> None:
    """Send the pairs and their card, as `README.md`, in one commit; a new repository is private.

    Raises:
        UserError: the hub refused it, or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    files = {"README.md": folder / CARD} | {name: folder / name for name in _BESIDE if (folder / name).exists()}
    api = HfApi()
    try:
        api.create_repo(hub_dataset_id, repo_type="dataset", private=True, exist_ok=True)
        api.create_commit(
            hub_dataset_id,
            [CommitOperationAdd(path_in_repo=name, path_or_fileobj=path) for name, path in files.items()],
            commit_message="Publish the prepared pairs",
            repo_type="dataset",
        )
    except Exception as error:  # its HTTP client, and so what it raises, is another in each of its releases
        raise UserError(
            f"data.push_to_hub: '{hub_dataset_id}' cannot be written ({type(error).__name__}); "
            "check HF_TOKEN and the name, or turn data.push_to_hub off"
        ) from error
