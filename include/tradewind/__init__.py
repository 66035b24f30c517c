"""Documents in, a domain question-answering model out; nothing in this package knows of Airflow."""

__version__ = "0.1.0"
