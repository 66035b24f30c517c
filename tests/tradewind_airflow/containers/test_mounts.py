"""What of the host a stage's container sees: these folders, by these names, and nothing outside of the allowed ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from docker import APIClient
from docker.types import Mount

from tradewind.errors import UserError
from tradewind.run_dir import RunDir
from tradewind_airflow.containers.mounts import HostPaths, allowed_roots, extra_mounts, model_cache, stage_mounts

OUTSIDE = "may not be mounted into a container; allowed are folders below {home} (TRADEWIND_MOUNT_ROOTS)"
HERE = HostPaths(None)
WORKER = HostPaths(
    [
        {"Type": "bind", "Source": "/srv/tradewind", "Destination": "/opt/home"},
        {"Type": "bind", "Source": "/mnt/fast", "Destination": "/opt/home/runs"},
        {"Type": "volume", "Source": "/var/lib/docker/volumes/models/_data", "Destination": "/models"},
        {"Type": "tmpfs", "Source": "", "Destination": "/tmp"},
        {"Type": "tmpfs", "Source": "", "Destination": "/opt/home/scratch"},
    ]
)
OWN_ID = "4f" * 32
ON_A_HOST = (
    "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    f"93 22 0:47 / /var/lib/docker/overlay2/{OWN_ID}/merged rw - overlay overlay rw,lowerdir=/var/lib/docker/l/A\n"
)
IN_A_CONTAINER = "".join(
    f"{number} 1180 254:1 /var/lib/docker/containers/{OWN_ID}/{name} /etc/{name} rw,relatime - ext4 /dev/vda1 rw\n"
    for number, name in enumerate(("resolv.conf", "hostname", "hosts"), 1190)
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tradewind's own folder: nothing else of the host may be mounted."""
    home = tmp_path.resolve() / "home"
    for name in ("documents", "model"):
        (home / name).mkdir(parents=True)
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("TRADEWIND_HOME", str(home))
    return home


@pytest.fixture
def run(home: Path) -> RunDir:
    (home / "runs/d/r").mkdir(parents=True)
    return RunDir(home / "runs/d/r")


def _table(mounts: Iterable[Mapping[str, Any]]) -> dict[str, tuple[str, bool]]:
    """Source, and whether read-only, by the name in the container."""
    listed = list(mounts)
    assert {mount["Type"] for mount in listed} <= {"bind"}
    table = {mount["Target"]: (mount["Source"], mount["ReadOnly"]) for mount in listed}
    assert len(table) == len(listed)  # the engine refuses a target that comes twice
    return table


def _refused(home: Path, path: Path | str, *, because: str = OUTSIDE) -> str:
    return f"{path}: {because.format(home=home)}"


def test_prepare_sees_its_run_and_its_documents(run: RunDir, home: Path) -> None:
    documents, work = str(home / "documents"), str(run.path / ".prepare.work")
    assert _table(stage_mounts("prepare", run, [home / "documents"], None, HERE)) == {
        str(run.path): (str(run.path), False),
        "/pipeline/outputs": (work, False),
        "/pipeline/input1": (documents, True),
        documents: (documents, True),
    }
    assert Path(work).is_dir()


def test_prepare_of_the_samples_has_no_folder_of_documents(run: RunDir) -> None:
    assert set(_table(stage_mounts("prepare", run, [], None, HERE))) == {str(run.path), "/pipeline/outputs"}


@pytest.mark.parametrize("published", [["prepare", "adapt"], ["prepare"], []])
def test_a_later_stage_sees_what_was_published_before_it_and_the_models(
    run: RunDir, home: Path, published: list[str]
) -> None:
    for name in [*published, "finetune", "evaluate"]:
        (run.path / name).mkdir()
    documents, model = home / "documents", home / "model"
    assert _table(stage_mounts("finetune", run, [documents, model], None, HERE)) == {
        str(run.path): (str(run.path), False),
        "/pipeline/outputs": (str(run.path / ".finetune.work"), False),
        str(documents): (str(documents), True),
        str(model): (str(model), True),
        **{f"/pipeline/input{n}": (str(run.path / name), True) for n, name in enumerate(published, 1)},
    }


def test_leases_are_mounted_for_a_task_with_gpus_and_the_cache_where_one_is_named(
    run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert model_cache() is None
    plain = _table(stage_mounts("adapt", run, [], None, HERE))
    leases, cache = str(tmp_path / "leases"), str(tmp_path.resolve() / "deep/cache")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRADEWIND_MODEL_CACHE", "~/deep/cache")
    more = _table(stage_mounts("adapt", run, [], Path(leases), HERE))
    assert more == plain | {leases: (leases, False), cache: (cache, False)}
    assert Path(cache).is_dir()


def test_a_folder_that_is_named_twice_is_mounted_once(run: RunDir, home: Path) -> None:
    assert str(home / "model") in _table(stage_mounts("adapt", run, [home / "model", home / "model"], None, HERE))


def test_interrupted_work_is_left_for_the_stage(run: RunDir) -> None:
    (run.work("adapt") / "checkpoint").mkdir(parents=True)
    stage_mounts("adapt", run, [], None, HERE)
    assert (run.work("adapt") / "checkpoint").is_dir()


def test_the_allowed_folders_are_those_stated_and_the_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert allowed_roots() == [home]
    (tmp_path / "link").symlink_to(tmp_path / "other")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TRADEWIND_MOUNT_ROOTS", "~/link::/srv/data/../models")
    assert allowed_roots() == [tmp_path.resolve() / "other", Path("/srv/models"), home]


@pytest.mark.parametrize("path", ["/", "/etc", "{home}/..", "{home}/../other", "{home}2", "{home}/escape"])
def test_documents_outside_of_the_allowed_folders_are_refused(run: RunDir, home: Path, path: str) -> None:
    (home.parent / "home2").mkdir()
    (home / "escape").symlink_to(home.parent / "other")
    wanted = Path(path.format(home=home))
    with pytest.raises(UserError) as raised:
        stage_mounts("prepare", run, [wanted], None, HERE)
    assert str(raised.value) == _refused(home, wanted)


def test_documents_behind_a_link_are_mounted_as_what_they_are(run: RunDir, home: Path) -> None:
    (home / "link").symlink_to("documents")
    table = _table(stage_mounts("prepare", run, [home / "link"], None, HERE))
    assert table["/pipeline/input1"] == (str(home / "documents"), True)


def test_a_run_outside_of_the_allowed_folders_is_refused(home: Path) -> None:
    outside = home.parent / "other"
    with pytest.raises(UserError) as raised:
        stage_mounts("prepare", RunDir(outside), [], None, HERE)
    assert str(raised.value) == _refused(home, outside)


@pytest.mark.parametrize("planted", [".finetune.work", "prepare"])
def test_a_link_that_an_earlier_stage_left_in_the_run_opens_nothing(run: RunDir, home: Path, planted: str) -> None:
    """Its container may write there whatever it likes; the engine would follow the link."""
    (run.path / planted).symlink_to(home.parent / "other")
    with pytest.raises(UserError) as raised:
        stage_mounts("finetune", run, [], None, HERE)
    assert str(raised.value) == _refused(home, run.path / planted)


def test_documents_that_are_not_there_are_told_before_the_engine_is_asked(run: RunDir, home: Path) -> None:
    with pytest.raises(UserError) as raised:
        stage_mounts("prepare", run, [home / "absent"], None, HERE)
    assert str(raised.value).startswith(f"{home}/absent: ")
    assert "\n" not in str(raised.value)


def test_a_dags_own_mounts_are_passed_on_as_they_are(home: Path) -> None:
    (home / "hook.py").touch()
    (home / "link").symlink_to("model")
    mounts: list[Mapping[str, Any]] = [
        Mount("/hook.py", str(home / "hook.py"), "bind", read_only=True, propagation="rslave"),
        Mount("/model", str(home / "link"), "bind"),
        Mount("/cache", "named-volume", "volume", no_copy=True),
        Mount("/scratch", None, "tmpfs", tmpfs_size=1024),
    ]
    expected = [*mounts[:1], {**mounts[1], "Source": str(home / "model")}, *mounts[2:]]
    assert extra_mounts(mounts, HERE) == expected


@pytest.mark.parametrize(
    ("source", "because"),
    [
        ("/etc", OUTSIDE),
        ("/var/run", OUTSIDE),
        ("{home}/../other", OUTSIDE),
        ("{home}/escape", OUTSIDE),
        ("{home}/escape/inner", OUTSIDE),
        ("documents", "a mount needs an absolute path"),
        ("~/documents", "a mount needs an absolute path"),
        ("{home}/absent", "cannot be mounted: no such file or folder"),
        ("{home}/dangling", "cannot be mounted: no such file or folder"),
    ],
)
def test_a_dags_own_mount_that_may_not_be(home: Path, source: str, because: str) -> None:
    (home.parent / "other/inner").mkdir()
    (home / "escape").symlink_to(home.parent / "other")
    (home / "dangling").symlink_to(home / "absent")
    wanted = source.format(home=home)
    with pytest.raises(UserError) as raised:
        extra_mounts([Mount("/data", wanted, "bind")], HERE)
    assert str(raised.value) == _refused(home, wanted, because=because)


def test_a_volume_that_is_a_folder_of_the_host_by_another_name_is_refused() -> None:
    from docker.types import DriverConfig

    bind = DriverConfig("local", {"type": "none", "o": "bind", "device": "/etc"})
    with pytest.raises(UserError) as raised:
        extra_mounts([Mount("/data", "sly", "volume", driver_config=bind)], HERE)
    assert str(raised.value) == "sly: a volume with driver options may not be mounted; create it beforehand"


@pytest.mark.parametrize(
    ("path", "on_host"),
    [
        ("/opt/home", "/srv/tradewind"),
        ("/opt/home/documents/a b", "/srv/tradewind/documents/a b"),
        ("/opt/home/runs/d/r", "/mnt/fast/d/r"),
        ("/opt/home/runs2", "/srv/tradewind/runs2"),
        ("/models/gemma", "/var/lib/docker/volumes/models/_data/gemma"),
    ],
)
def test_a_worker_in_a_container_names_folders_as_the_host_does(path: str, on_host: str) -> None:
    assert WORKER.on_host(Path(path)) == on_host


@pytest.mark.parametrize("path", ["/opt/home2", "/opt", "/", "/etc/hosts", "/tmp/run", "/opt/home/scratch/run"])
def test_a_folder_that_only_the_workers_container_has_is_refused(path: str) -> None:
    with pytest.raises(UserError) as raised:
        WORKER.on_host(Path(path))
    assert str(raised.value) == f"{path}: stands inside the worker's own container; mount a folder of the host there"


def test_sources_are_the_hosts_names_and_targets_the_workers(run: RunDir, home: Path) -> None:
    worker = HostPaths([{"Source": "/srv/tradewind", "Destination": str(home)}])
    table = _table(stage_mounts("prepare", run, [home / "documents"], None, worker))
    assert table[str(run.path)] == ("/srv/tradewind/runs/d/r", False)
    assert table["/pipeline/input1"] == table[str(home / "documents")] == ("/srv/tradewind/documents", True)
    assert _table(extra_mounts([Mount("/m", str(home / "model"), "bind")], worker)) == {
        "/m": ("/srv/tradewind/model", False)
    }


@pytest.fixture
def engine() -> Iterator[ThreadingHTTPServer]:
    """Answers like an engine that knows one container: the worker's."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == f"/v1.41/containers/{OWN_ID}/json"
            body = json.dumps({"Mounts": [{"Source": "/srv/x", "Destination": "/x"}]} if found else {}).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(
    ("mountinfo", "on_host"), [(IN_A_CONTAINER, "/srv/x/run"), (ON_A_HOST, "/x/run"), ("", "/x/run")]
)
def test_the_engine_is_asked_for_the_container_that_the_worker_is_in(
    tmp_path: Path, engine: ThreadingHTTPServer, mountinfo: str, on_host: str
) -> None:
    (tmp_path / "mountinfo").write_text(mountinfo)
    cli = APIClient(base_url=f"http://127.0.0.1:{engine.server_port}", version="1.41")
    assert HostPaths.of_this_process(cli, tmp_path / "mountinfo").on_host(Path("/x/run")) == on_host


def test_on_a_host_no_engine_is_asked(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(ON_A_HOST)
    nobody = APIClient(base_url="http://localhost:1", version="1.41")
    assert HostPaths.of_this_process(nobody, tmp_path / "mountinfo").on_host(Path("/x")) == "/x"


@pytest.mark.parametrize(
    "more",
    [
        {"source": "/etc"},
        {"type": "bind"},
        {"volumeoptions": {"DriverConfig": {}}},
        {"VolumeOptions": {"driverconfig": {}}},
        {"Type": "npipe"},
        {"Type": "Bind"},
    ],
)
def test_a_key_that_only_the_engine_understands_is_refused(home: Path, more: dict[str, Any]) -> None:
    """The engine ignores the case of keys and takes the last of two."""
    with pytest.raises(UserError, match="mounts: /a: "):
        extra_mounts([{"Target": "/a", "Source": str(home), "Type": "volume"} | more], HERE)


@pytest.mark.parametrize("lacking", ["Type", "Target"])
def test_a_mount_without_its_kind_or_place_is_told(home: Path, lacking: str) -> None:
    mount = {"Target": "/a", "Source": str(home), "Type": "bind"}
    with pytest.raises(UserError, match="needs a Target and a Type"):
        extra_mounts([{key: value for key, value in mount.items() if key != lacking}], HERE)
