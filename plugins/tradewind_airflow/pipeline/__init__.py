"""Pipelines as YAML, as DAGs of Airflow: built from it, and written as it."""
