"""Airflow as a team has it: users with different rights, kept by FAB, and the shipped DAG beside one of theirs."""
