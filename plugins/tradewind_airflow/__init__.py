"""Tradewind's part that knows Airflow, and nothing of torch."""
