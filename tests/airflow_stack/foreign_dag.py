"""A DAG of somebody else's beside ours: the neighbour may read and start it, and sees no other."""

from airflow.sdk import DAG, task

with DAG(
    dag_id="foreign",
    schedule=None,
    is_paused_upon_creation=False,
    access_control={"Neighbour": {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}},
):

    @task
    def hello() -> str:
        """Say hello."""
        return "hello"

    hello()
