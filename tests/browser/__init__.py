"""What a person does in Airflow's page, in a real browser; a package, so that its site ends with its last test."""
