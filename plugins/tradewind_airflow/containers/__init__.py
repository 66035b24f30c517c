"""A stage as a container: what is asked of the engine, and how it is followed to its end."""
