"""The messages of a run, a module each: what is said, and in which order."""
