"""`python -m tradewind_airflow.settings_page > docs/settings.md`: every setting of a run, in tables."""

from __future__ import annotations

from tradewind.settings_page import settings_tables, table

SET_BY_USER = {
    "TRADEWIND_HOME": "Where runs, models and answers are kept; default: `tradewind` in Airflow's home, with "
    "`make run` and `make up` `.tradewind` in the checkout.",
    "TRADEWIND_IMAGE": "Runs every stage of `trade_qa` in a container of this image; unset: in subprocesses of the "
    "worker. Read where DAG files are read.",
    "TRADEWIND_GPUS": "The GPUs to use: `0,1,2,3`, UUIDs, `amd:renderD128,renderD129`, or `none`; unset: those that "
    "the drivers show.",
    "TRADEWIND_TASK_GPUS": "How many GPUs `baseline`, `adapt`, `finetune` and `evaluate` of `trade_qa` take each; "
    "default 0, with `make run` and `make up` 1 where there is one. Read where DAG files are read.",
    "TRADEWIND_GPU_POOL": "The Airflow pool of tasks with GPUs; it must exist, with a slot for each GPU. Read where "
    "DAG files are read.",
    "TRADEWIND_LEASE_DIR": "The GPUs' lock files, on a local disk, the same for all workers of the host; default "
    "`/run/lock/tradewind`.",
    "TRADEWIND_MODEL_CACHE": "A folder of downloaded models that all stages share (their `HF_HOME`); unset: each "
    "container downloads anew, a subprocess has the worker's.",
    "TRADEWIND_ANSWERS": "Where answers are kept, those that were paid for and those of models to held-out questions; "
    "default `answers` in `TRADEWIND_HOME`, outside Airflow `~/.cache/tradewind/answers`. A local disk.",
    "TRADEWIND_MOUNT_ROOTS": "Folders, apart by `:`, below which documents, models and mounts of containers may lie, "
    "beside `TRADEWIND_HOME`; with `make run` and `make up` all.",
}
"""Variables of the worker."""

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
    "HF_HUB_OFFLINE": "`1`: the hub is never asked; also set where a recipe names embedded models only.",
    "HF_ENDPOINT": "Another hub than huggingface.co.",
    "DOCKER_HOST": "The engine; it must be this host's.",
}
"""Of other software, read by ours or by what it calls."""


def page() -> str:
    """The whole of docs/settings.md."""
    return f"""# Every setting

Made by `python -m tradewind_airflow.settings_page > docs/settings.md`; a test fails where the two differ.

A recipe is a YAML file that states what differs from the defaults below. The [shipped
ones](../include/tradewind/recipes/) are `tiny` and `gemma-2-2b-it`. `--set finetune.lora.r=8` overrides a recipe on the
command line. An unknown key or a value out of range ends the run in its first seconds, with the key's name.

A *block* is a mapping of further settings, with a table of its own: `finetune: {{lora: {{r: 8}}}}`. What a block does
not state keeps its default.

{settings_tables()}

## Environment variables

Of the worker, in Airflow's sense: where tasks run.

{_variables(SET_BY_USER)}

Of other software:

{_variables(OTHERS)}

Set by the operators for each stage, in a subprocess or a container:

{_variables(SET_FOR_STAGES)}

The variables of `docker-compose.yaml` stand in [`.env.example`](../.env.example), each with what it does."""


def _variables(what: dict[str, str]) -> str:
    return table(("variable", "what it says"), [(f"`{name}`", says) for name, says in what.items()])


if __name__ == "__main__":
    print(page())
