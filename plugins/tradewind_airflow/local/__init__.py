"""One Airflow on this machine, for `make run` and `make up`: SQLite, LocalExecutor, one user."""
