from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import json, sys
from pathlib import Path
import torch
import torch.distributed as dist
from torch import nn
from tradewind.training import gradients

folder, rank = Path(sys.argv[1]), int(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{folder}/store", world_size=2, rank=rank)
gradients.MESSAGE = 100  # bytes, so that there are several
parameters = [nn.Parameter(torch.zeros(shape)) for shape in ((3, 4), (40,), (2,), (1,))]
parameters.append(nn.Parameter(torch.zeros(5, dtype=torch.bfloat16)))
for number, parameter in enumerate(parameters):
    parameter.grad = torch.full_like(parameter, float(number + 10 * rank))
if rank == 1:
    parameters[1].grad = None  # as of a process that used it for nothing
loss = torch.tensor(2.0 + rank)
gradients.average(parameters, loss)
found = [parameter.grad.flatten().tolist() for parameter in parameters]
(folder / f"{rank}.json").write_text(json.dumps([found, float(loss)]))
dist.destroy_process_group()
"""


def test_each_process_has_the_mean_of_both(tmp_path: Path) -> None:
    both = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path), str(rank)]) for rank in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    for rank in range(2):
        found, loss = json.loads((tmp_path / f"{rank}.json").read_text(encoding="utf-8"))
        assert loss == 2.5
        assert found == [[5.0] * 12, [0.5] * 40, [7.0] * 2, [8.0], [9.0] * 5]
