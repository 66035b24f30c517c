"""Pipelines as YAML: what may stand in one, and how it is read, written, kept and found again. Without Airflow."""
