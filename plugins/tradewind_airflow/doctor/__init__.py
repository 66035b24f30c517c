"""What `tradewind doctor` looks at where Airflow's side is installed: Airflow, containers, Slack.

`tradewind` finds these checks by the entry point `tradewind.doctor`, since it knows nothing of Airflow. Nothing of
Airflow is imported here: its settings, once imported, make files in its home.
"""

from __future__ import annotations

from tradewind.doctor.check import Check
from tradewind_airflow.doctor import airflow, engine, slack

CHECKS = (
    Check("airflow", airflow.look_at_airflow, airflow.LIMIT + 5),
    Check("schedule", airflow.look_at_schedule, airflow.LIMIT + 5),
    Check("GPU pool", airflow.look_at_pool, airflow.LIMIT + 5),
    Check("docker", engine.look_at_engine, 30.0),
    Check("docker GPUs", engine.look_at_gpus, 30.0),
    Check("docker image", engine.look_at_image, 30.0),
    Check("slack", slack.look_at_slack, slack.LIMIT + 5),
)
