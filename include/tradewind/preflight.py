"""What can be known to fail before anything runs."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Collection, Mapping

from tradewind.config import EvaluateConfig, RunConfig, ServerConfig, TrainingConfig
from tradewind.division import share_of_step
from tradewind.errors import UserError
from tradewind.models import check_location
from tradewind.stages import TRAININGS, Stage


def check_recipe(config: RunConfig, *, in_image: bool = False) -> None:
    """Fail where a named model is not there or a tracker, vLLM or bitsandbytes is not installed; no download.

    Args:
        in_image: the stages run in containers, whose image may hold bitsandbytes where this process has none.

    Raises:
        UserError: one line that names the setting and what to do.
    """
    check_location(config.model.model_name_or_path)
    check_location(config.evaluate.encoder)
    for stage in ("adapt", "finetune"):
        for tracker in getattr(config, stage).report_to:
            if importlib.util.find_spec(tracker) is None:
                raise UserError(f"{stage}.report_to: {tracker} is not installed; pip install {tracker}")
        quantization = getattr(config, stage).quantization_config
        wanted = quantization is not None and quantization.load_in_4bit and not in_image
        if wanted and importlib.util.find_spec("bitsandbytes") is None:
            where = f"{stage}.quantization_config"
            raise UserError(f"{where}: bitsandbytes is not installed; pip install 'tradewind[qlora]', or leave it out")
    check_generator(config.evaluate)


def check_division(config: RunConfig, processes: Mapping[Stage, int], skip: Collection[str] = ()) -> None:
    """Fail where the processes of a training cannot share the examples of its steps evenly.

    Args:
        processes: of each stage that several share.
        skip: stages that will not run.

    Raises:
        UserError: one line that names the stage, the settings and what to do.
    """
    for stage in TRAININGS:
        training: TrainingConfig = getattr(config, stage)
        if training.enabled and stage not in skip:
            try:
                share_of_step(training, processes.get(stage, 1))
            except UserError as error:
                raise UserError(f"{stage}: {error}") from error


def check_generator(config: EvaluateConfig) -> None:
    """Fail where vLLM is asked for and not installed.

    Raises:
        UserError: one line that names the setting and what to do.
    """
    if config.generator == "vllm" and importlib.util.find_spec("vllm") is None:
        raise UserError("evaluate.generator: vllm is not installed; pip install vllm, or set it to auto")


def check_keys(config: RunConfig, environment: Mapping[str, str] = os.environ, skip: Collection[str] = ()) -> None:
    """Fail where a model behind a server is configured and its key is not in the environment.

    Args:
        environment: of the stages that ask; this process's own where they share it.
        skip: stages that will not run.
    """
    if config.evaluate.judge is not None and "evaluate" not in skip:
        server_key(config.evaluate.judge, "evaluate.judge", environment)
    if config.extract is not None and "extract" not in skip:
        server_key(config.extract, "extract", environment)


def server_key(server: ServerConfig, block: str, environment: Mapping[str, str] = os.environ) -> str:
    """The key of the server that the recipe's `block` names.

    Raises:
        UserError: the variable is not set, or what it holds cannot stand in an HTTP header; it is not shown.
    """
    name = server.api_key_env
    key = environment.get(name)
    if not key:
        raise UserError(f"{block}: the environment variable {name} is not set; set it to the key")
    if not (key.isascii() and key.isprintable() and " " not in key):
        fault = "white space, a line feed or other signs than ASCII's"
        raise UserError(f"{block}: the environment variable {name} holds {fault}; set it to the key alone")
    return key
