"""The five stages; each module has one `run(stage: StageRun) -> None`."""
