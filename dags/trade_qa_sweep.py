"""### Several settings of fine-tuning at once, the best of them against the champion of `trade_qa`.

Trigger it by hand with the settings to try, one a line. `configure` checks them, and what comes before fine-tuning is
done once, as in `trade_qa`; then each setting is a trial, and as many run beside each other as there are GPUs
(`TRADEWIND_SWEEP_PARALLEL`). A trial leaves a tenth of the training pairs out and is judged by its loss on them: the
grid tells both. `choose` takes the best, which is evaluated, reported and registered among the models of `trade_qa`.

Nightly runs go on with their own settings: put the best ones into the recipe.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from airflow.providers.docker.operators.docker import DockerOperator  # noqa: F401 - imported once for all parses
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

from tradewind_airflow.assets import model_of
from tradewind_airflow.gpus import task_gpus
from tradewind_airflow.notifications.answer import keep_answer
from tradewind_airflow.notifications.errors import CALLBACKS
from tradewind_airflow.notifications.slack import SlackFailureNotifier
from tradewind_airflow.operators.announce import AnnounceRunOperator
from tradewind_airflow.operators.gemma import GemmaAdaptOperator, GemmaBaselineOperator, GemmaEvaluateOperator
from tradewind_airflow.operators.promotion import ApprovePromotionOperator, PromoteModelOperator, RegisterModelOperator
from tradewind_airflow.operators.qa import QAConversionOperator, TranscriptShardsOperator
from tradewind_airflow.operators.report import NotifyPromotionOperator, NotifyRunOperator, ReportOperator
from tradewind_airflow.operators.sweep import ChooseTrialOperator, ConfigureSweepOperator, GemmaTrialOperator
from tradewind_airflow.queues import cpu_queue, gpu_queue
from tradewind_airflow.sweep import mapped_trials, sweep_params

IMAGE = os.environ.get("TRADEWIND_IMAGE")  # none: each stage is a subprocess of the worker
GPUS = task_gpus()
# A queue is Celery's; other executors have none.
ON_GPUS: dict[str, Any] = {"cluster": {"nodes": 1, "gpus": GPUS}, "queue": gpu_queue(), "shm_size": "2g"}
SECRETS = {
    "HF_TOKEN": ("connection:huggingface_default", "env:HF_TOKEN"),
    "OPENAI_API_KEY": ("connection:openai_default", "env:OPENAI_API_KEY"),
}
PIPELINE = "trade_qa"
MODELS = f"{{{{ macros.tradewind.models_dir('{PIPELINE}') }}}}"  # not this DAG's own
MODEL = model_of(PIPELINE)
FORM = sweep_params()
CHANNEL = FORM["slack_channel"].value

with DAG(
    dag_id="trade_qa_sweep",
    doc_md=__doc__,
    schedule=None,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["tradewind"],
    params=FORM,
    default_args={
        "image": IMAGE,
        "queue": cpu_queue(),
        "models_dir": MODELS,
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        **CALLBACKS,
    },
    on_failure_callback=SlackFailureNotifier(
        channel=f"{{{{ (params | default({{}})).slack_channel or '{CHANNEL}' }}}}"
    ),
) as dag:
    configure = ConfigureSweepOperator(task_id="configure", secrets=SECRETS)
    shards = TranscriptShardsOperator(task_id="shards")
    extract = QAConversionOperator.partial(
        task_id="extract", secrets=SECRETS, map_index_template="{{ counts }}"
    ).expand(shard=shards.output)
    prepare = QAConversionOperator(task_id="prepare")
    baseline = GemmaBaselineOperator(task_id="baseline", **ON_GPUS, secrets=SECRETS)
    adapt = GemmaAdaptOperator(task_id="adapt", **ON_GPUS, secrets=SECRETS)
    trials = GemmaTrialOperator.partial(
        task_id="trials", **ON_GPUS, secrets=SECRETS, **mapped_trials(GPUS)
    ).expand_kwargs(configure.output)
    choose = ChooseTrialOperator(task_id="choose", trials=trials.output)
    evaluate = GemmaEvaluateOperator(task_id="evaluate", **ON_GPUS, secrets=SECRETS)
    report = ReportOperator(task_id="report")
    register = RegisterModelOperator(task_id="register", secrets=SECRETS, outlets=[MODEL])
    approve = ApprovePromotionOperator(task_id="approve", registered=register.output, on_success_callback=keep_answer)
    promote = PromoteModelOperator(
        task_id="promote", registered=register.output, approval=approve.output, secrets=SECRETS, outlets=[MODEL]
    )
    announce = AnnounceRunOperator(task_id="announce")
    notify = NotifyRunOperator(
        task_id="notify", registered=register.output, done_without={"trials": "choose"}, trigger_rule="all_done"
    )
    tell_promotion = NotifyPromotionOperator(
        task_id="tell_promotion", registered=register.output, promoted=promote.output, trigger_rule="all_done"
    )
    # Fails with the stages, whatever those that tell do.
    end = EmptyOperator(task_id="end", trigger_rule="none_failed", on_execute_callback=None, on_failure_callback=None)

    configure >> shards >> extract >> prepare >> adapt >> trials >> choose >> evaluate >> report >> register
    prepare >> baseline >> evaluate
    configure >> announce
    promote >> end
