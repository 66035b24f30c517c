"""Tradewind's pages in Airflow: a FastAPI application that the API server mounts below `/tradewind`."""
