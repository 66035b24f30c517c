"""### Documents to a domain question-answering model, every night.

`extract` draws question/answer pairs from transcripts, if the recipe names a model to ask; `prepare`
adds those of exams and glossaries, `adapt` lets the base model read the documents' text, `finetune`
trains it on the pairs; meanwhile the base itself answers the held-out questions (`baseline`). `evaluate`
compares it with the tuned model and with the champion, `report` draws it,
`register` keeps the model and makes it champion if it is better (`approve` and `promote`, where the recipe
asks for a human's word), `notify` tells Slack.
"""

from __future__ import annotations

import os
from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from tradewind.recipes import shipped_recipes
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.operators.gemma import (
    GemmaAdaptOperator,
    GemmaBaselineOperator,
    GemmaEvaluateOperator,
    GemmaFinetuneOperator,
)
from tradewind_airflow.operators.promotion import ApprovePromotionOperator, PromoteModelOperator, RegisterModelOperator
from tradewind_airflow.operators.qa import QAConversionOperator, TranscriptShardsOperator
from tradewind_airflow.operators.report import ReportOperator, SlackReportOperator

IMAGE = os.environ.get("TRADEWIND_IMAGE")  # none: each stage is a subprocess of the worker
GPUS = int(os.environ.get("TRADEWIND_TASK_GPUS") or 0)
SECRETS = {
    "HF_TOKEN": ("connection:huggingface_default", "env:HF_TOKEN"),
    "OPENAI_API_KEY": ("connection:openai_default", "env:OPENAI_API_KEY"),
}

with DAG(
    dag_id="trade_qa",
    doc_md=__doc__,
    # Unpaused, it waits for the next night; by default it would run at once for some hours after two.
    schedule=CronTriggerTimetable("0 2 * * *", timezone="Asia/Seoul", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["tradewind"],
    params={
        "recipe": Param("tiny", type="string", description=f"{', '.join(shipped_recipes())}, or a path"),
        "data": Param("embedded:en", type="string", description="Folder of your documents"),
        "seed": Param(42, type="integer", minimum=0, maximum=2**32 - 1),
        "slack_channel": Param("#tradewind", type="string"),
    },
    default_args={"image": IMAGE, "retries": 1, "retry_delay": timedelta(minutes=1)},
    on_failure_callback=SlackFailureNotifier(channel="{{ (params | default({})).get('slack_channel', '#tradewind') }}"),
) as dag:
    shards = TranscriptShardsOperator(task_id="shards")
    extract = QAConversionOperator.partial(
        task_id="extract", secrets=SECRETS, map_index_template="{{ counts }}"
    ).expand(shard=shards.output)
    prepare = QAConversionOperator(task_id="prepare")
    baseline = GemmaBaselineOperator(task_id="baseline", gpus=GPUS, shm_size="2g", secrets=SECRETS)
    adapt = GemmaAdaptOperator(task_id="adapt", gpus=GPUS, shm_size="2g", secrets=SECRETS)
    finetune = GemmaFinetuneOperator(task_id="finetune", gpus=GPUS, shm_size="2g", secrets=SECRETS)
    evaluate = GemmaEvaluateOperator(task_id="evaluate", gpus=GPUS, shm_size="2g", secrets=SECRETS)
    report = ReportOperator(task_id="report")
    register = RegisterModelOperator(task_id="register", secrets=SECRETS)
    approve = ApprovePromotionOperator(task_id="approve", registered=register.output)
    PromoteModelOperator(task_id="promote", registered=register.output, approval=approve.output, secrets=SECRETS)
    # Not after `approve`: the message is what asks for the answer.
    notify = SlackReportOperator(
        task_id="notify", registered=register.output, trigger_rule="none_failed_min_one_success"
    )

    extract >> prepare >> adapt >> finetune >> evaluate >> report >> [register, notify]
    prepare >> baseline >> evaluate
