"""How a model is served; stated on the command line, no part of a recipe."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tradewind.config.asking import is_http
from tradewind.config.base import Frozen

EngineName = Literal["transformers", "vllm", "nim"]


class ServeConfig(Frozen):
    """The few values of `tradewind serve`."""

    engine: EngineName = "transformers"
    """What computes the answers: transformers' own server, vLLM, or NVIDIA NIM in a container."""
    image: str | None = None
    """NIM's container image."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """The address that clients connect to; any other than this one is open to your network."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Its port; 0: a free one, which the log names."""
    url: str | None = None
    """What clients call it, for the alias; None: `http://HOST:PORT/v1`."""
    continuous_batching: bool = False
    """Of transformers, which else answers one request after another: requests share each step, and all are answered
    greedily, whatever temperature a client asks for."""
    gpus: tuple[str, ...] = ()
    """Held while the server lives, by their locks in `lease_dir`; none: transformers serves on the CPU."""
    lease_dir: str | None = None
    """The folder of the GPUs' lock files."""
    timeout: Annotated[float, Field(gt=0)] = 300.0
    """Seconds in which the server must be healthy, and in which it must answer each question of the smoke test."""
    stop_timeout: Annotated[float, Field(gt=0)] = 30.0
    """Seconds for requests under way when the server is to end; then it is killed."""
    min_equal: Annotated[int, Field(ge=1, le=10)] | None = None
    """How many of the smoke test's ten answers must be the evaluation's; None: see `tradewind.serving.smoke`."""

    check: str | None = None
    """Start nothing, and ask the server at this `.../v1`."""

    @field_validator("url", "check")
    @classmethod
    def _is_address(cls, url: str | None) -> str | None:
        if url is not None and not is_http(url):
            raise ValueError("an address begins with http:// or https:// and names a host")
        return url if url is None else url.rstrip("/")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.gpus and self.lease_dir is None:
            raise ValueError("--gpu needs --lease-dir, the folder of the GPUs' lock files")
        if (self.engine == "nim") != (self.image is not None):
            raise ValueError("--image: the name of NIM's container image: needed with --engine nim, and with no other")
        if self.continuous_batching and self.engine != "transformers":
            raise ValueError("--continuous-batching: is for --engine transformers; vLLM and NIM do so anyway")
        return self
