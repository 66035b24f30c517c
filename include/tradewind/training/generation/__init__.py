"""Greedy answers of a model to many prompts, by what suits the device."""
