"""### Documents to a domain question-answering model, every night.

`prepare` turns exams, glossaries and transcripts into question/answer pairs, `adapt` lets the base
model read their text, `finetune` trains it on the pairs, `evaluate` compares base and tuned on
held-out questions, `report` draws it, `notify` tells Slack.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable, Param

import tradewind
from tradewind.recipes import shipped_recipes
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.operators.gemma import GemmaAdaptOperator, GemmaEvaluateOperator, GemmaFinetuneOperator
from tradewind_airflow.operators.qa import QAConversionOperator
from tradewind_airflow.operators.report import ReportOperator, SlackReportOperator

SAMPLES = Path(tradewind.__file__).parent / "samples" / "en"
IMAGE = os.environ.get("TRADEWIND_IMAGE")  # none: each stage is a subprocess of the worker
SECRETS = {name: os.environ[name] for name in ("HF_TOKEN", "OPENAI_API_KEY") if name in os.environ}

with DAG(
    dag_id="trade_qa",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 2 * * *", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["tradewind"],
    params={
        "recipe": Param("tiny", type="string", description=f"{', '.join(shipped_recipes())}, or a path"),
        "data": Param(str(SAMPLES), type="string", description="Folder of your documents"),
        "seed": Param(42, type="integer", minimum=0, maximum=2**32 - 1),
        "slack_channel": Param("#tradewind", type="string"),
    },
    default_args={"image": IMAGE, "retries": 1, "retry_delay": timedelta(minutes=1)},
    on_failure_callback=SlackFailureNotifier(channel="{{ (params | default({})).get('slack_channel', '#tradewind') }}"),
) as dag:
    # Secrets stand at each task, not in default_args: those are stored with the DAG, a private environment is not.
    prepare = QAConversionOperator(task_id="prepare")
    adapt = GemmaAdaptOperator(task_id="adapt", gpus=["0"], private_environment=SECRETS)
    finetune = GemmaFinetuneOperator(task_id="finetune", gpus=["0"], private_environment=SECRETS)
    evaluate = GemmaEvaluateOperator(task_id="evaluate", gpus=["0"], private_environment=SECRETS)
    report = ReportOperator(task_id="report")
    notify = SlackReportOperator(task_id="notify")

    prepare >> adapt >> finetune >> evaluate >> report >> notify
