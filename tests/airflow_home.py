"""A temporary Airflow for this process's tests, imported before the first `import airflow`, which reads it once."""

from __future__ import annotations

import os
import sys
import tempfile

from documents import REPOSITORY

assert "airflow" not in sys.modules, "Airflow has read its settings already, and tests would write to its own home"
_HOME = tempfile.TemporaryDirectory(prefix="tradewind-airflow-")
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
}


def remove() -> None:
    """Leave nothing in the temporary folder."""
    _HOME.cleanup()
