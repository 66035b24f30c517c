"""What Airflow finds in the plugins folder; an installed wheel's entry point names the same class."""

from importlib.metadata import entry_points

# Offered twice, Airflow takes one and reports the other as an import error.
if not entry_points(group="airflow.plugins", name="tradewind"):
    from tradewind_airflow.plugin import TradewindPlugin  # noqa: F401 - for Airflow
