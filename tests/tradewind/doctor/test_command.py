"""The command as a whole: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from doctoring import Doctor
from documents import Cli, run_cli

RIGHT = {"ok", "not needed here"}


def test_a_machine_without_a_gpu_is_ready_for_the_recipe_that_wants_none(bare: Path, cli: Cli, tmp_path: Path) -> None:
    done = cli("doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["ready"]) == (0, True), done.stdout
    found = {check["name"]: check for check in told["checks"]}
    assert {name for name, one in found.items() if one["outcome"] not in RIGHT} <= {"packages", "disk"}, done.stdout
    assert found["GPU"]["outcome"] == "not needed here"
    assert "computes on cpu" in found["torch"]["found"]
    assert "641 pairs to train on" in found["documents"]["found"]
    assert not (tmp_path / "home").exists(), "a check leaves nothing behind"


def test_what_a_large_recipe_lacks_is_a_table_as_wide_as_the_terminal(bare: Path, tmp_path: Path) -> None:
    """At the two widths that terminals have; one has a path in it that is wider."""
    for width, name in ((80, "a"), (120, "b")):
        deep = tmp_path / f"{name}-very-long-name-of-a-folder" / ("of-models-and-runs-" * 4)
        done = run_cli(
            tmp_path, "doctor", "--recipe", "gemma-2-2b-it",
            COLUMNS=str(width), TRADEWIND_HOME=str(deep), HF_HUB_OFFLINE="1", TRADEWIND_IMAGE="none-such",
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert max(map(len, lines[:-2])) <= width
        assert lines[0].split() == ["check", "outcome", "found,", "and", "what", "to", "do"]
        assert done.returncode == 1
        assert lines[-1].startswith("not ready for recipe gemma-2-2b-it: GPU, model, encoder")
        assert "-> unset it, or download the model first" in done.stdout


def test_a_recipe_that_is_wrong_is_told_as_everywhere(cli: Cli) -> None:
    done = cli("doctor", "--recipe", "tiney")
    assert done.returncode == 2
    assert done.stderr.startswith("tradewind: recipe 'tiney': unknown; did you mean 'tiny'?")


def test_documents_that_cannot_be_read_are_a_failure_beside_others(doctor: Doctor, tmp_path: Path) -> None:
    told = doctor("tiny", "documents", "disk", "torch", data=str(tmp_path / "nothing"), TRADEWIND_IMAGE="some-image")
    assert told.outcome("documents") == "failure"
    assert str(tmp_path / "nothing") in told.words("documents")
    assert told.outcome("disk") == "ok"
    assert "docker run --rm --gpus all some-image tradewind doctor" in told.words("torch")


def test_packages_that_are_missing_or_too_old_are_named(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "site" / "tradewind-0.1.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(
        "Metadata-Version: 2.1\nName: tradewind\nVersion: 0.1.0\nRequires-Python: >=3.99\n"
        "Requires-Dist: numpy<1\nRequires-Dist: no-such-package; extra == 'train'\n"
        "Requires-Dist: not-looked-at; extra == 'production'\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    told = doctor("tiny", "python", "packages")
    assert "and tradewind wants >=3.99" in told.words("python")
    assert "numpy is " in told.words("packages")
    assert "wanted <1, no-such-package is missing" in told.words("packages")
    assert "not-looked-at" not in told.text
    in_image = doctor("tiny", "packages", TRADEWIND_IMAGE="some-image")
    assert "no-such-package" not in in_image.text
    assert os.environ["PATH"] not in in_image.text


@pytest.mark.slow
def test_bitsandbytes_is_tried_where_the_recipe_is_in_four_bits_and_where_it_is_broken(
    doctor: Doctor, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed")
    four = "finetune: {quantization_config: {load_in_4bit: true}}\n"
    assert "computes nf4 on this cpu; the merge takes 0.0 GB" in doctor(four, "bitsandbytes").words("bitsandbytes")
    broken = tmp_path / "broken" / "bitsandbytes"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libcudart.so.13: cannot open')\n", encoding="utf-8")
    path = os.pathsep.join([str(broken.parent), os.environ.get("PYTHONPATH", "")])
    told = doctor("tiny", "bitsandbytes", PYTHONPATH=path)
    assert told.outcome("bitsandbytes") == "failure"
    assert "it is installed and broken, and PEFT imports it: OSError: libcudart.so.13" in told.words("bitsandbytes")
