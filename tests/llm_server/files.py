"""Uploaded and produced files."""

from __future__ import annotations

import time
from dataclasses import dataclass

from llm_server.errors import ApiError, Json


@dataclass(frozen=True)
class StoredFile:
    """A file as the API keeps it."""

    file_id: str
    filename: str
    purpose: str
    content: bytes
    created_at: int

    def to_json(self) -> Json:
        """The file object."""
        return {
            "id": self.file_id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": None,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """All files by their ids."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}
        self._count = 0

    def add(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        """Keep a file."""
        self._count += 1
        stored = StoredFile(f"file-{self._count:06d}", filename, purpose, content, int(time.time()))
        self._files[stored.file_id] = stored
        return stored

    def get(self, file_id: str) -> StoredFile:
        """Raises ApiError (404) for an id that there is not."""
        if file_id not in self._files:
            raise ApiError(404, f"No such File object: {file_id}", param="id")
        return self._files[file_id]

    def delete(self, file_id: str) -> Json:
        """Forget a file."""
        self.get(file_id)
        del self._files[file_id]
        return {"id": file_id, "object": "file", "deleted": True}
