"""Which GPUs a host has, who may take which, and what shows a process or a container its own GPUs only."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient

from documents import write_files
from processes import DEADLINE, line, python
from tradewind.errors import UserError
from tradewind.lease import gpu_leases, is_leased
from tradewind_airflow.gpus import (
    Gpu,
    check_count,
    container_environment,
    engine_request,
    free_gpus,
    inventory,
    lease_dir,
    process_environment,
    task_gpus,
)

NVIDIA = (Gpu("0"), Gpu("1"), Gpu("2"))
AMD = (Gpu("renderD128", "amd"), Gpu("renderD129", "amd"), Gpu("renderD130", "amd"))
# As the kernel's drivers show two NVIDIA GPUs, and three of AMD beside two processors.
NVIDIA_TREE = {f"proc/driver/nvidia/gpus/0000:{bus}:00.0/information": "Model: \t A100\n" for bus in ("3b", "01")}
NODES = "sys/class/kfd/kfd/topology/nodes"
AMD_TREE = {
    f"{NODES}/{node}/properties": f"cpu_cores_count {16 if not simds else 0}\nsimd_count {simds}\nlocation_id 768\n"
    f"gfx_target_version 90402\ndrm_render_minor {minor}\nunique_id 18446744073709551615\n"
    for node, simds, minor in ((0, 0, 0), (1, 0, 0), (2, 1216, 128), (3, 1216, 129), (10, 1216, 130))
}
# Chooses among three GPUs as a task does, holds two as its stage does, and leaves a mark that no other can make.
TASK = """
import os, sys
from pathlib import Path
from tradewind.errors import GpuBusyError
from tradewind.lease import gpu_leases
from tradewind_airflow.gpus import Gpu, free_gpus
folder, gpus, won = Path(sys.argv[1]), [Gpu("0"), Gpu("1"), Gpu("2")], 0
print("ready", flush=True)
sys.stdin.readline()
while won < 25:
    chosen = [gpu.id for gpu in free_gpus(2, gpus, folder)]
    if not chosen:
        os.sched_yield()
        continue
    try:
        with gpu_leases(folder, chosen):
            marks = [folder / f"used-{gpu}" for gpu in chosen]
            for mark in marks:
                os.close(os.open(mark, os.O_CREAT | os.O_EXCL))
            for _ in range(100):
                os.sched_yield()
            for mark in marks:
                mark.unlink()
            won += 1
    except GpuBusyError:
        os.sched_yield()
print(won)
"""


@pytest.mark.parametrize(
    ("tree", "found"),
    [({}, ()), (NVIDIA_TREE, NVIDIA[:2]), (AMD_TREE, AMD), (AMD_TREE | NVIDIA_TREE, NVIDIA[:2])],
)
def test_the_kernels_drivers_tell_which_gpus_there_are(tmp_path: Path, tree: dict[str, str], found: Any) -> None:
    assert inventory(write_files(tmp_path, tree)) == found


@pytest.mark.parametrize(
    ("stated", "found"),
    [
        ("0", NVIDIA[:1]),
        ("2,0", (Gpu("2"), Gpu("0"))),
        (" 0, 1 ,2 ", NVIDIA),
        ("GPU-8f2a1c3e,GPU-0d5b4f6a", (Gpu("GPU-8f2a1c3e"), Gpu("GPU-0d5b4f6a"))),
        ("amd:renderD128,renderD129", AMD[:2]),
        ("none", ()),
        ("", AMD),
        ("  ", AMD),
    ],
)
def test_what_is_stated_goes_before_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stated: str, found: Any
) -> None:
    monkeypatch.setenv("TRADEWIND_GPUS", stated)
    assert inventory(write_files(tmp_path, AMD_TREE)) == found


@pytest.mark.parametrize(
    "stated", ["0,0", "0,", ",", "amd:", "amd:renderD128,renderD128", "intel:0", "amd:x:renderD128"]
)
def test_a_list_that_is_none_is_told_with_how_to_write_it(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("TRADEWIND_GPUS", stated)
    with pytest.raises(UserError) as raised:
        inventory()
    assert str(raised.value) == (
        f"TRADEWIND_GPUS: '{stated}' does not list GPUs; write '0,1', 'amd:renderD128,renderD129' or 'none'"
    )


def test_the_leases_folder_is_made_for_every_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRADEWIND_LEASE_DIR", "~/deep/leases")
    before = os.umask(0o077)
    try:
        assert lease_dir() == tmp_path / "deep/leases"
    finally:
        os.umask(before)
    assert stat.S_IMODE(lease_dir().stat().st_mode) == 0o1777


def test_a_leases_folder_that_is_there_keeps_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADEWIND_LEASE_DIR", str(tmp_path))
    tmp_path.chmod(0o770)
    assert stat.S_IMODE(lease_dir().stat().st_mode) == 0o770


@pytest.mark.parametrize(
    ("count", "gpus", "told"),
    [
        (3, NVIDIA[:2], "gpus=3: this host has 2 (0, 1); ask for fewer, or list them in TRADEWIND_GPUS"),
        (1, (), "gpus=1: this host has none; ask for fewer, or list them in TRADEWIND_GPUS"),
    ],
)
def test_more_than_there_are_is_told_with_what_there_is(count: int, gpus: Sequence[Gpu], told: str) -> None:
    with pytest.raises(UserError) as raised:
        check_count(count, gpus)
    assert str(raised.value) == told


@pytest.mark.parametrize(("count", "gpus"), [(0, ()), (0, NVIDIA), (1, NVIDIA), (3, NVIDIA)])
def test_what_there_is_may_be_asked_for(count: int, gpus: Sequence[Gpu]) -> None:
    check_count(count, gpus)


def test_only_free_gpus_are_chosen_in_the_hosts_order_and_none_where_too_few(tmp_path: Path) -> None:
    gpus = (Gpu("9"), Gpu("10"), Gpu("2"), Gpu("1"))
    with gpu_leases(tmp_path, ["10"]):
        assert free_gpus(3, gpus, tmp_path) == [Gpu("9"), Gpu("2"), Gpu("1")]
        assert free_gpus(4, gpus, tmp_path) == []
    assert free_gpus(4, gpus, tmp_path) == list(gpus)


def test_tasks_that_choose_together_seldom_want_the_same(tmp_path: Path) -> None:
    assert {tuple(free_gpus(1, NVIDIA, tmp_path)) for _ in range(100)} == {(gpu,) for gpu in NVIDIA}


def test_choosing_holds_nothing(tmp_path: Path) -> None:
    chosen = free_gpus(2, NVIDIA, tmp_path)
    assert [is_leased(tmp_path, gpu.id) for gpu in chosen] == [False, False]
    with gpu_leases(tmp_path, [gpu.id for gpu in NVIDIA]):
        assert free_gpus(1, NVIDIA, tmp_path) == []


def test_tasks_that_want_two_of_three_gpus_come_to_their_turn_and_never_share_one(tmp_path: Path) -> None:
    with python(TASK, tmp_path) as one, python(TASK, tmp_path) as two:
        for process in (one, two):
            assert line(process.stdout) == "ready"
        for process in (one, two):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [line(process.stdout) for process in (one, two)] == ["25", "25"]
        assert [process.wait(DEADLINE) for process in (one, two)] == [0, 0]


@pytest.mark.parametrize(
    ("chosen", "gpus", "variables"),
    [
        (NVIDIA[1:], NVIDIA, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "1,2"}),
        ((Gpu("GPU-8f"),), (Gpu("GPU-0d"), Gpu("GPU-8f")),
         {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "GPU-8f"}),
        (AMD[1:], AMD, {"HIP_VISIBLE_DEVICES": "1,2"}),
        ((), NVIDIA, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}),
    ],
)  # fmt: skip
def test_a_process_sees_its_gpus_only(chosen: Sequence[Gpu], gpus: Sequence[Gpu], variables: dict[str, str]) -> None:
    assert process_environment(chosen, gpus) == variables


@pytest.mark.parametrize(("chosen", "visible"), [((), "void"), (NVIDIA[1:], "1,2"), (AMD[:1], "void")])
def test_an_image_that_says_all_is_overridden(chosen: Sequence[Gpu], visible: str) -> None:
    assert container_environment(chosen) == {"NVIDIA_VISIBLE_DEVICES": visible}


@pytest.mark.parametrize(("stated", "count"), [("", 0), (" 2 ", 2), ("0", 0)])
def test_how_many_gpus_a_task_has_is_the_deployments_word(
    monkeypatch: pytest.MonkeyPatch, stated: str, count: int
) -> None:
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", stated)
    assert task_gpus() == count


@pytest.mark.parametrize("stated", ["two", "-1", "1.5", "\u00b2"])
def test_a_number_of_gpus_that_is_none_is_told_by_its_variable(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("TRADEWIND_TASK_GPUS", stated)
    with pytest.raises(UserError, match=f"TRADEWIND_TASK_GPUS: '{re.escape(stated)}' is not how many"):
        task_gpus()


def _host_config(chosen: Sequence[Gpu]) -> dict[str, Any]:
    """What of a container's host configuration is about GPUs, as the engine gets it."""
    client = APIClient(base_url="http://localhost:1", version="1.41")  # asks no engine for this
    plain = client.create_host_config()
    return {
        key: value for key, value in client.create_host_config(**engine_request(chosen)).items() if key not in plain
    }


def test_no_gpu_asks_the_engine_for_nothing() -> None:
    assert engine_request(()) == {}
    assert _host_config(()) == {}


def test_nvidia_gpus_are_asked_for_by_their_ids_never_by_a_count() -> None:
    request = {"Driver": "", "Count": 0, "DeviceIDs": ["1", "2"], "Capabilities": [["gpu"]], "Options": {}}
    assert _host_config(NVIDIA[1:]) == {"DeviceRequests": [request]}


def test_amd_gpus_are_asked_for_by_their_nodes_and_the_common_interface() -> None:
    asked = _host_config((Gpu("renderD252", "amd"), Gpu("renderD253", "amd")))  # no host has so many
    paths = ["/dev/kfd", "/dev/dri/renderD252", "/dev/dri/renderD253"]
    assert asked.pop("Devices") == [
        {"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in paths
    ]
    groups = [str(Path("/dev/kfd").stat().st_gid)] if Path("/dev/kfd").exists() else ["video"]
    assert asked == {"GroupAdd": groups}
