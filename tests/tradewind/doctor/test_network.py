"""Hub, servers and clock, each with real faults on loopback."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from doctoring import Doctor
from hub_models import GEMMA_2_2B, HubModels
from llm_server import Faults, LlmServer

GEMMA, ENCODER = "google/gemma-2-2b-it", "sentence-transformers/all-mpnet-base-v2"
MODELS: dict[str, dict[str, Any]] = {GEMMA: GEMMA_2_2B, ENCODER: {"model_type": "mpnet"}}
OF_HUB = ("model", "encoder", "hub token", "GPU memory", "clock", "model cache")
TOKEN, KEY = "hf_abcdefghijklmnop", "sk-0123456789abcdef"


def _judged(url: str, block: str = "judge") -> str:
    return f"evaluate: {{judge: {{model: m, base_url: {url}, api_key_env: MY_KEY}}}}\n"


def test_a_hub_that_lends_the_model_tells_its_size_and_the_time(doctor: Doctor) -> None:
    with HubModels(MODELS, gated={GEMMA: TOKEN}, token=TOKEN) as hub:
        told = doctor("gemma-2-2b-it", *OF_HUB, HF_ENDPOINT=hub.endpoint, HF_TOKEN=TOKEN)
    assert told.words("model").startswith(f"{GEMMA} may be read")
    assert told.words("encoder").startswith(f"{ENCODER} may be read")
    assert "the hub knows it" in told.words("hub token")
    assert "wants 11" in told.words("GPU memory")
    assert told.outcome("clock") == "ok"
    assert f"to download: {GEMMA}, {ENCODER}" in told.words("model cache")
    assert TOKEN not in told.text
    assert not any(" /datasets" in line or "POST" in line for line in hub.seen)


def test_a_gated_model_a_wrong_name_and_a_wrong_token_are_told_apart(doctor: Doctor) -> None:
    with HubModels({GEMMA: GEMMA_2_2B}, gated={GEMMA: "of another"}, token=TOKEN) as hub:
        told = doctor("gemma-2-2b-it", "model", "encoder", "hub token", HF_ENDPOINT=hub.endpoint, HF_TOKEN=TOKEN)
        assert told.words("model").startswith(f"{GEMMA} is gated, and this account may not read it -> log in")
        assert told.words("encoder").startswith(f"{ENCODER} is not on the hub, or is private")
        assert told.outcome("hub token") == "ok"
        wrong = doctor(
            "gemma-2-2b-it", "model", "encoder", "hub token", HF_ENDPOINT=hub.endpoint, HF_TOKEN="hf_of_nobody_at_all"
        )
    assert wrong.words("hub token").startswith("the hub refuses the token -> make another")
    assert wrong.outcome("model") == "failure"
    assert "hf_of_nobody_at_all" not in wrong.text


def test_a_proxy_s_page_is_no_hub(doctor: Doctor) -> None:
    with HubModels(MODELS, page=True) as hub:
        told = doctor("gemma-2-2b-it", "model", "encoder", "hub token", HF_ENDPOINT=hub.endpoint)
    assert told.words("model").startswith(f"{hub.endpoint} answers, but not as a hub does")


def test_a_hub_that_hangs_and_a_judge_that_is_not_there_do_not_keep_the_others(doctor: Doctor) -> None:
    with HubModels(MODELS, slow=600) as hub, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        recipe = _judged(f"http://127.0.0.1:{nobody.getsockname()[1]}/v1") + f"model: {{model_name_or_path: {GEMMA}}}\n"
        told = doctor(recipe, "model", "judge", "clock", "documents", HF_ENDPOINT=hub.endpoint, MY_KEY=KEY)
    assert told.outcome("model") == "failure"
    assert told.outcome("judge") == "failure"
    assert "ConnectError" in told.words("judge") or "APIConnectionError" in told.words("judge")
    assert told.outcome("clock") == "warning"
    assert told.outcome("documents") == "ok"


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (Faults(unauthorized=1.0), "refused 'm' with HTTP 401"),
        (Faults(quota=1.0), "the account's quota is used up"),
        (Faults(html=1.0), "a reply that is no JSON"),
        (Faults(server_error=1.0), "HTTP 50"),
    ],
    ids=["unauthorized", "quota", "html", "broken"],
)
def test_a_judge_s_fault_is_told_in_the_words_of_the_stages(doctor: Doctor, faults: Faults, says: str) -> None:
    with LlmServer(faults) as server:
        told = doctor(_judged(server.base_url), "judge", MY_KEY=KEY)
    assert says in told.words("judge"), told.words("judge")
    assert KEY not in told.text


def test_a_judge_that_answers_is_asked_once_with_its_key(doctor: Doctor) -> None:
    with LlmServer(api_key=KEY) as server:
        told = doctor(_judged(server.base_url), "judge", MY_KEY=KEY)
        wrong = doctor(_judged(server.base_url), "judge", MY_KEY="sk-of-somebody-else")
    assert told.words("judge").startswith(f"m answers at {server.base_url}")
    assert "HTTP 401" in wrong.words("judge")
    asked = [one for one in server.served if one.path.endswith("/chat/completions")]
    assert len(asked) == 2
    missing = doctor(_judged("http://127.0.0.1:9/v1"), "judge")
    assert "the environment variable MY_KEY is not set -> set it to the key" in missing.words("judge")


@pytest.mark.parametrize(("ahead", "outcome"), [(3600.0, "failure"), (-90.0, "warning"), (2.0, "ok")])
def test_a_clock_that_differs_from_the_servers_is_told(doctor: Doctor, ahead: float, outcome: str) -> None:
    recipe = f"model: {{model_name_or_path: {GEMMA}}}\nevaluate: {{encoder: 'embedded:all-MiniLM-L6-v2'}}\n"
    with HubModels(MODELS, ahead=ahead) as hub:
        told = doctor(recipe, "clock", HF_ENDPOINT=hub.endpoint)
    assert told.outcome("clock") == outcome
    if ahead > 3000:
        assert told.words("clock").startswith("3600 s behind 1 server")
