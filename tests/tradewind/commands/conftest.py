"""A registry and runs for it."""

from nights import night, registry

__all__ = ["night", "registry"]
