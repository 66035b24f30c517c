"""`python -m tradewind_airflow.settings_page > docs/settings.md`: every setting of a run, in tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradewind.settings_page import as_yaml, settings_tables, table
from tradewind_airflow.params import run_params

SET_BY_USER = {
    "TRADEWIND_HOME": "Where runs, models and answers are kept; default: `tradewind` in Airflow's home, with "
    "`make run` and `make up` `.tradewind` in the checkout. A folder, or a bucket's address such as "
    "`s3://bucket/prefix`: [storage.md](storage.md).",
    "TRADEWIND_CACHE": "Where a bucket's content is kept on this machine; default: `tradewind-cache` in Airflow's "
    "home, with `make run` and `make up` `.tradewind/cache`.",
    "TRADEWIND_CACHE_GB": "How much of it, in gigabytes; default 50; 0: no limit.",
    "TRADEWIND_IMAGE": "Runs every stage of `trade_qa` in a container of this image; unset: in subprocesses of the "
    "worker.",
    "TRADEWIND_GPUS": "The GPUs to use: `0,1,2,3`, UUIDs, `amd:renderD128,renderD129`, or `none`; unset: those that "
    "the drivers show.",
    "TRADEWIND_TASK_GPUS": "How many GPUs `baseline`, `adapt`, `finetune` and `evaluate` of `trade_qa` take each; "
    "default 0, with `make run` and `make up` 1 where there is one.",
    "TRADEWIND_GPU_POOL": "The Airflow pool of tasks with GPUs; it must exist, with a slot for each GPU.",
    "TRADEWIND_GPU_QUEUE": "The queue of `baseline`, `adapt`, `finetune`, `evaluate`, the trials of a sweep and every "
    "stage operator with GPUs, for an executor with queues (Celery); unset: Airflow's `default`.",
    "TRADEWIND_CPU_QUEUE": "The queue of all other tasks; unset: Airflow's `default`.",
    "TRADEWIND_LEASE_DIR": "The GPUs' lock files, on a local disk, the same for all workers of the host; default "
    "`/run/lock/tradewind`.",
    "TRADEWIND_MODEL_CACHE": "A folder of downloaded models that all stages share (their `HF_HOME`); unset: each "
    "container downloads anew, a subprocess has the worker's.",
    "TRADEWIND_ANSWERS": "Where answers are kept, those that were paid for and those of models to held-out questions; "
    "default `answers` in `TRADEWIND_HOME`, outside Airflow `~/.cache/tradewind/answers`. A local disk.",
    "TRADEWIND_MOUNT_ROOTS": "Folders, apart by `:`, below which documents, models and mounts of containers may lie, "
    "beside `TRADEWIND_HOME`; with `make run` and `make up` all.",
    "TRADEWIND_RECIPE": "The form's `recipe` by default, and so the recipe of scheduled runs; unset: `tiny`.",
    "TRADEWIND_DATA": "The form's `data` by default, and so the documents of scheduled runs; unset: `embedded:en`.",
    "TRADEWIND_SLACK_CHANNEL": "The form's `slack_channel` by default; unset: `#tradewind`.",
    "TRADEWIND_SLACK_MENTION": "Whom a failure and a late run call, in Slack's form: `<@U012AB3CD>`, `<!here>`, "
    "`<!subteam^S012AB3CD>`; unset: nobody.",
    "TRADEWIND_SLACK_EXAMPLES": "`0`: no question and no answer is quoted on Slack; default `1`.",
    "TRADEWIND_DEADLINE_HOURS": "After how many hours a run that is not finished is told on Slack; unset: never.",
    "TRADEWIND_SCHEDULE": "When `trade_qa` runs by itself, as a cron expression; `none`: only when documents change; "
    "unset: `0 2 * * *`.",
    "TRADEWIND_TIMEZONE": "The zone of that expression; unset: `Asia/Seoul`.",
    "TRADEWIND_START_DATE": "No run by the clock before this date; unset: from the day on which the DAG is unpaused.",
    "TRADEWIND_MAX_RUNS": "After so many times of the clock, counted from `TRADEWIND_START_DATE`, it starts no more "
    "runs; unset: no end.",
    "TRADEWIND_SERVE_WAIT": "How many minutes `trade_qa` waits for `tradewind serve --follow` to take over its "
    "champion: [serving.md](serving.md); unset: it does not wait.",
    "TRADEWIND_PIPELINES": "The folder of pipelines as YAML: [pipelines.md](pipelines.md); unset: `pipelines` in "
    "Airflow's folder of DAGs.",
    "TRADEWIND_SWEEP_PARALLEL": "How many trials of `trade_qa_sweep` run beside each other; unset: as many as there "
    "are GPUs for, and one without GPUs.",
}
"""What a user may set."""

SET_FOR_STAGES = {
    "TRADEWIND_JOB_ID": "`<dag_id>/<run_id>`.",
    "TRADEWIND_TASK_ID": "`<task_id>/<try>`, such as `finetune/2`.",
    "TRADEWIND_MODELS": "The pipeline's folder of models, for `evaluate` to find the champion.",
}
"""What the operators set for a stage; a stage run by hand has none of them, and `evaluate` no champion."""

OTHERS = {
    "SLACK_TOKEN": "A bot's token: [slack.md](slack.md). Never reaches a stage.",
    "HF_TOKEN": "A hub account's token, for gated models and for pushing: [gemma.md](gemma.md).",
    "OPENAI_API_KEY": "The key of `extract` and of the judge; `api_key_env` names another variable.",
    "VLLM_API_KEY": "The key that vLLM asks of clients, and that `tradewind serve` shows it: [serving.md](serving.md).",
    "HF_HUB_OFFLINE": "`1`: the hub is never asked; also set where a recipe names embedded models only.",
    "HF_ENDPOINT": "Another hub than huggingface.co.",
    "AWS_ACCESS_KEY_ID": "With `AWS_SECRET_ACCESS_KEY`, `AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL`, "
    "`AWS_MAX_ATTEMPTS`: of a home in S3, as its library reads them; [storage.md](storage.md).",
    "GOOGLE_APPLICATION_CREDENTIALS": "Of a home in Google Cloud Storage.",
    "DOCKER_HOST": "The engine; it must be this host's.",
}
"""Of other software, read by ours or by what it calls."""


def page() -> str:
    """The whole of docs/settings.md."""
    return f"""# Every setting

Made by `python -m tradewind_airflow.settings_page > docs/settings.md`; a test fails where the two differ.

A recipe is a YAML file that states what differs from the defaults below. The [shipped
ones](../include/tradewind/recipes/) are `tiny`, `gemma-2-2b-it` and `gemma-2-9b-it-qlora`. `--set finetune.lora.r=8`
overrides a recipe on the command line. An unknown key or a value out of range ends the run in its first seconds, with
the key's name.

A *block* is a mapping of further settings, with a table of its own: `finetune: {{lora: {{r: 8}}}}`. What a block does
not state keeps its default.

{settings_tables()}

## The trigger form

What *Trigger* asks in Airflow's page, and what `conf` may hold where a run is triggered otherwise. A scheduled run
takes the defaults. An unknown key, or a value out of range, ends the run in its first task.

{_form()}

## Environment variables

Set them for every part of Airflow: the DAG processor reads what a DAG file asks, the worker the rest.

{_variables(SET_BY_USER)}

Of other software:

{_variables(OTHERS)}

Set by the operators for each stage, in a subprocess or a container:

{_variables(SET_FOR_STAGES)}

The variables of `docker-compose.yaml` stand in [`.env.example`](../.env.example), each with what it does."""


def _form() -> str:
    rows = [
        (f"`{name}`", f"{param.schema['section']}: {param.schema['title']}", _values(param.schema),
         "empty" if param.value is None else f"`{as_yaml(param.value)}`", param.description or "")
        for name, param in run_params().items()
    ]  # fmt: skip
    return table(("key", "in the form", "value", "default", "what it does"), rows)


def _values(schema: Mapping[str, Any]) -> str:
    """What the form takes, in words; what may stay empty has no value of its own."""
    stated = schema["type"] if isinstance(schema["type"], str) else next(one for one in schema["type"] if one != "null")
    if stated == "array":
        return f"several of {', '.join(f'`{one}`' for one in schema['items']['enum'])}"
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"] if one is not None)
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    low, high = schema.get("minimum"), schema.get("maximum")
    return words[stated] + (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")


def _variables(what: dict[str, str]) -> str:
    return table(("variable", "what it says"), [(f"`{name}`", says) for name, says in what.items()])


if __name__ == "__main__":
    print(page())
