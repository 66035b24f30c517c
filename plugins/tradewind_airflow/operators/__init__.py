"""Operators: one stage of the pipeline each."""
