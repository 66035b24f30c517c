"""### Documents to a domain question-answering model, every night.

`configure` checks what the run was asked to do. `extract` draws question/answer pairs from transcripts, if the
recipe names a model to ask; `prepare` adds those of exams and glossaries, `adapt` lets the base model read the
documents' text, `finetune` trains it on the pairs; meanwhile the base itself answers the held-out questions
(`baseline`). `evaluate` compares it with the tuned model and with the champion, `report` draws it, `register` keeps
the model and makes it champion if it is better (`approve` and `promote`, where the recipe asks for a human's word).
`notify` tells Slack how it went, whatever happened.

A stage of which nothing has changed since an earlier run is not run again, see its log; a night with unchanged
documents ends as *nothing new*. `trade_qa_documents` starts a run when the documents change.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator  # noqa: F401 - imported once for all parses
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from tradewind_airflow.assets import documents_of, model_of
from tradewind_airflow.gpus import task_gpus
from tradewind_airflow.notifications.answer import keep_answer
from tradewind_airflow.notifications.deadline import deadline_alert
from tradewind_airflow.notifications.errors import CALLBACKS
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.operators.announce import AnnounceRunOperator
from tradewind_airflow.operators.configure import ConfigureRunOperator
from tradewind_airflow.operators.gemma import (
    GemmaAdaptOperator,
    GemmaBaselineOperator,
    GemmaEvaluateOperator,
    GemmaFinetuneOperator,
)
from tradewind_airflow.operators.promotion import ApprovePromotionOperator, PromoteModelOperator, RegisterModelOperator
from tradewind_airflow.operators.qa import QAConversionOperator, TranscriptShardsOperator
from tradewind_airflow.operators.report import NotifyPromotionOperator, NotifyRunOperator, ReportOperator
from tradewind_airflow.operators.serving import ServedChampionSensor, serve_wait
from tradewind_airflow.params import run_params
from tradewind_airflow.queues import cpu_queue, gpu_queue
from tradewind_airflow.schedule import schedule

IMAGE = os.environ.get("TRADEWIND_IMAGE")  # none: each stage is a subprocess of the worker
# A queue is Celery's; other executors have none.
ON_GPUS: dict[str, Any] = {"cluster": {"nodes": 1, "gpus": task_gpus()}, "queue": gpu_queue(), "shm_size": "2g"}
SECRETS = {
    "HF_TOKEN": ("connection:huggingface_default", "env:HF_TOKEN"),
    "OPENAI_API_KEY": ("connection:openai_default", "env:OPENAI_API_KEY"),
}
MODEL = model_of("trade_qa")
FORM = run_params()
CHANNEL = FORM["slack_channel"].value

with DAG(
    dag_id="trade_qa",
    doc_md=__doc__,
    **schedule(documents_of("trade_qa"), cron="0 2 * * *", timezone="Asia/Seoul"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,
    tags=["tradewind"],
    params=FORM,
    default_args={"image": IMAGE, "queue": cpu_queue(), "retries": 1, "retry_delay": timedelta(minutes=1), **CALLBACKS},
    on_failure_callback=SlackFailureNotifier(
        channel=f"{{{{ (params | default({{}})).slack_channel or '{CHANNEL}' }}}}"
    ),
    deadline=deadline_alert(channel=CHANNEL),
) as dag:
    configure = ConfigureRunOperator(task_id="configure", secrets=SECRETS)
    shards = TranscriptShardsOperator(task_id="shards")
    extract = QAConversionOperator.partial(
        task_id="extract", secrets=SECRETS, map_index_template="{{ counts }}"
    ).expand(shard=shards.output)
    prepare = QAConversionOperator(task_id="prepare")
    baseline = GemmaBaselineOperator(task_id="baseline", **ON_GPUS, secrets=SECRETS)
    adapt = GemmaAdaptOperator(task_id="adapt", **ON_GPUS, secrets=SECRETS)
    finetune = GemmaFinetuneOperator(task_id="finetune", **ON_GPUS, secrets=SECRETS)
    evaluate = GemmaEvaluateOperator(task_id="evaluate", **ON_GPUS, secrets=SECRETS)
    report = ReportOperator(task_id="report")
    register = RegisterModelOperator(task_id="register", secrets=SECRETS, outlets=[MODEL])
    approve = ApprovePromotionOperator(task_id="approve", registered=register.output, on_success_callback=keep_answer)
    promote = PromoteModelOperator(
        task_id="promote", registered=register.output, approval=approve.output, secrets=SECRETS, outlets=[MODEL]
    )
    # All done, whatever became of it: none of these may decide how the run ends, which is what `end` is for. They are
    # no teardowns: of a run with one that somebody marks failed Airflow makes a success.
    announce = AnnounceRunOperator(task_id="announce")
    notify = NotifyRunOperator(task_id="notify", registered=register.output, trigger_rule="all_done")
    tell_promotion = NotifyPromotionOperator(
        task_id="tell_promotion", registered=register.output, promoted=promote.output, trigger_rule="all_done"
    )
    # Without callbacks the scheduler itself ends it: no worker starts for nothing.
    end = EmptyOperator(task_id="end", trigger_rule="none_failed", on_execute_callback=None, on_failure_callback=None)

    configure >> shards >> extract >> prepare >> adapt >> finetune >> evaluate >> report >> register
    prepare >> baseline >> evaluate
    configure >> announce
    promote >> end
    if (minutes := serve_wait()) is not None:  # a service of its own serves the champion: docs/serving.md
        hand_over = ServedChampionSensor(
            task_id="hand_over", registered=register.output, promoted=promote.output, timeout=60 * minutes
        )
        hand_over >> end
