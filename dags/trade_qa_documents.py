"""### Have the documents changed?

Every quarter of an hour `look` compares the documents with those that `trade_qa` was last told of. When they have
changed, and the next look finds them at rest, an asset event starts `trade_qa`. Unpause it to have that.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from tradewind_airflow.assets import documents_of
from tradewind_airflow.operators.documents import WatchDocumentsOperator
from tradewind_airflow.params import run_params
from tradewind_airflow.queues import cpu_queue

with DAG(
    dag_id="trade_qa_documents",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["tradewind"],
    params={name: param for name, param in run_params().items() if name in ("recipe", "data")},
) as dag:
    WatchDocumentsOperator(task_id="look", documents=documents_of("trade_qa"), queue=cpu_queue())
