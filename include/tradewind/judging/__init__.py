"""Truthfulness from 1 to 5: a model behind a server grades each answer against the reference."""
