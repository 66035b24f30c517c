"""`lora: null`: every weight is trained, saved without a merge, and a killed training goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tradewind.config import LoraSettings, ModelConfig, TrainingConfig
from tradewind.errors import UserError
from tradewind.files import sha256_of
from tradewind.models import EMBEDDED
from tradewind.training import host_memory
from tradewind.training.learning_memory import check_fits, learning_bytes
from tradewind.training.load import load_model
from tradewind.training.train import with_adapter
from trained_kind import killed_after, train_and_save

WHOLE = TrainingConfig(lora=None)


@pytest.fixture
def free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the machine have so many free bytes."""

    def install(count: int) -> None:
        told = tmp_path / "meminfo"
        told.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {count // 1024} kB\n", encoding="ascii")
        monkeypatch.setattr(host_memory, "_MEMINFO", told)

    return install


def test_what_cannot_fit_is_told_before_the_first_step(free: Callable[[int], None]) -> None:
    model = load_model(EMBEDDED / "tiny-gemma2", ModelConfig())
    need = learning_bytes(model, WHOLE)
    assert need == 3 * 4 * sum(weight.numel() for weight in model.parameters())
    free(need // 1024 * 1024 + 1024)
    check_fits("finetune", model, WHOLE)
    free(need - 4096)
    with pytest.raises(UserError, match=r"^finetune: gradients .* 1\.3 million .* 0\.0158 GB .*; set finetune\.lora"):
        check_fits("finetune", model, WHOLE)
    adapted = with_adapter(model, LoraSettings(r=256))
    free(4096)
    with pytest.raises(UserError, match=r"lower adapt\.lora\.r"):
        check_fits("adapt", adapted, TrainingConfig(lora=LoraSettings(r=256)))


def test_half_precision_of_every_weight_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    check_fits("finetune", load_model(EMBEDDED / "tiny-gemma2", ModelConfig(dtype="bfloat16")), WHOLE)
    assert "trained in bfloat16, which rounds small steps away; set model.dtype to float32" in caplog.text


@pytest.mark.slow
def test_every_weight_changes_and_a_killed_training_ends_as_one_never_killed(tmp_path: Path) -> None:
    metrics = train_and_save(tmp_path / "whole", {"lora": None})
    base = load_file(EMBEDDED / "tiny-gemma2" / "model.safetensors")
    assert metrics["changed_tensors"] == metrics["tensors"] == len(base)
    assert metrics["trainable_parameters"] == sum(weight.numel() for weight in base.values())
    assert not (tmp_path / "whole" / "adapter").exists()

    killed = tmp_path / "killed"
    killed_after(8, killed, {"lora": None})
    resumed = train_and_save(killed, {"lora": None})
    assert resumed["resumed_from_step"] in (8, 12)
    weights = "model/model.safetensors"
    assert sha256_of(killed / weights) == sha256_of(tmp_path / "whole" / weights)
