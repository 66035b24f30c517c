"""A pipeline's YAML: what is right is read, what is wrong is told with file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tradewind.errors import UserError
from tradewind.pipeline.read import read_pipeline
from tradewind.pipeline.templates import find, shipped_templates

ONE_TASK = "name: mine\ntasks:\n  - name: a\n"
HEAD = "name: mine\ntasks:\n"
ONE = HEAD + "  - {name: a, image: i, command: c}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def fault(file: Path, text: str | bytes) -> str:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UserError) as raised:
        read_pipeline(file)
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 1000
    assert raised.value.exit_code == 2
    return message.removeprefix(str(file))


@pytest.mark.parametrize("name", shipped_templates())
def test_every_template_is_a_pipeline(name: str) -> None:
    assert read_pipeline(find(name)).pipeline.tasks


def test_what_is_stated_is_read(file: Path) -> None:
    file.write_text(
        "name: mine\nform: run\nenvironment: {A: b}\ntasks:\n"
        "  - {name: a, image: i, command: [x, y], resources: &r {cpus: 2}}\n"
        "  - {name: b, uses: report, dependencies: [a], resources: {<<: *r, cpus: 3, memory: 1g}, with: {seed: 7}}\n"
    )  # fmt: skip
    pipeline = read_pipeline(file).pipeline
    assert pipeline.environment == {"A": "b"}
    first, second = pipeline.tasks
    assert first.command == ("x", "y")
    assert (second.resources.cpus, second.resources.memory, second.arguments) == (3, "1g", {"seed": 7})
    assert second.before() == ("a",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: is empty; start from a template"),
        ("# a comment\n", ":1: is empty"),
        ("- a\n- b\n", ":1: a pipeline is a mapping of settings, not a list"),
        ("name: mine\n\ttasks: []\n", ":2: not YAML: found character '\\t' that cannot start any token; indent with "),
        (f"{HEAD}  - [\n", ": not YAML: "),
        ("name: mine\nname: other\n", ":2: name: stated twice, first in line 1; leave one out"),
        ("name: mine\ntask: []\n", ":2: task: unknown key; did you mean 'tasks'?"),
        (f"{ONE_TASK}    imge: x\n", ":4: tasks[0].imge: unknown key; did you mean 'image'?"),
        (f"{ONE_TASK}    resources: {{gpu: 1}}\n", ":4: tasks[0].resources.gpu: unknown key; did you mean 'gpus'?"),
        ("name: !!timestamp soon\n", "not YAML: a tag (!!) that its value does not fit; write the value without"),
        ("name: mine\n", "tasks: is missing; state it"),
        ("name: mine\ntasks: []\n", ":2: tasks: Tuple should have at least 1 item"),
        ("name: 1.5\ntasks: []\n", ":1: name: Input should be a valid string; put it in quotes (got 1.5)"),
        ("name: ../up\ntasks: []\n", ":1: name: String should match pattern"),
        (f"{ONE_TASK}    image: i\n    retries: many\n", ":5: tasks[0].retries: Input should be a valid integer"),
        (f"{ONE_TASK}    image: i\n    retries: yes\n", ":5: tasks[0].retries: true and false"),
        (
            f"{ONE_TASK}    image: i\n    environment: {{PORT: 80}}\n",
            ":5: tasks[0].environment.PORT: Input should be a valid string; put it in quotes",
        ),
        (f"{ONE_TASK}    image: i\n    command: 5\n", ":5: tasks[0].command: Input should be a valid "),
        (
            f"{ONE_TASK}    image: i\n  - name: b\n    image: i\n  - name: a\n    image: i\n",
            ":7: two tasks are named 'a', the first in line 3; rename one",
        ),
        (
            f"{ONE_TASK}    uses: finetun\n",
            ":4: uses 'finetun': there is no such task of ours; did you mean 'finetune'?",
        ),
        (
            f"{ONE_TASK}    uses: report\n  - name: b\n    uses: report\n",
            ":6: task 'b': a run has one 'report', and 'a' is it; put the other into a pipeline of its own",
        ),
        (f"{HEAD}  - name: a\n", ":3: task 'a': state `uses` (one of ours) or `image` and `command`"),
        (f"{ONE_TASK}    uses: report\n    command: x\n", ":5: task 'a': `uses` brings its own command"),
        (
            f"{ONE_TASK}    uses: end\n    mounts: [{{source: /a, target: /b}}]\n",
            ":5: task 'a': end runs in Airflow itself; leave `mounts` out",
        ),
        (
            f"{HEAD}  - name: fit\n    image: i\n    dependencies: [fitt]\n",
            ":5: task 'fit': no task is named 'fitt'; did you mean 'fit'?",
        ),
        (
            (
                f"{ONE_TASK}    image: i\n    dependencies: [b]\n  - name: b\n    image: i\n    dependencies: [c]\n"
                "  - name: c\n    image: i\n    dependencies: [a]\n"
            ),
            ":5: tasks wait for each other: a -> ",
        ),
        (f"{ONE_TASK}    image: i\n    dependencies: [a]\n", ":5: tasks wait for each other: a -> a; take one"),
        (
            f"{ONE_TASK}    uses: report\n    with: {{recip: x}}\n",
            ":5: task 'a' (report): `with` has no 'recip'; did you mean 'recipe'?",
        ),
        (f"{ONE_TASK}    image: i\n    with: {{x: 1}}\n", ":5: task 'a': `with` has no 'x'; it takes none"),
        (f"{ONE_TASK}    uses: approve\n", ":3: task 'a' (approve): needs `inputs: {registered: TASK}`"),
        (f"{ONE_TASK}    uses: trial\n", ":3: task 'a' (trial): is one task for each item; state `for_each"),
        (f"{ONE_TASK}    uses: report\n    for_each: {{x: a}}\n", ":5: task 'a' (report): is one task; leave"),
        (
            f"{ONE_TASK}    image: i\n    secrets: [TOKEN]\n",
            ":5: task 'a': the pipeline has no secret 'TOKEN'; add `secrets: {TOKEN: 'env:TOKEN'}` to the pipeline",
        ),
        (f"{ONE_TASK}    uses: report\n    secrets: [TOKEN]\n", ":5: task 'a': report takes no secrets"),
        (
            f"{ONE_TASK}    image: i\n    mounts: [{{source: data, target: /x}}]\n",
            ":5: tasks[0].mounts[0].source: String should match pattern",
        ),
        (f"schedule: {{max_runs: 3}}\n{ONE}", ":1: schedule.max_runs: counts from `start` by `cron`; state `cron`"),
        (f"schedule: {{timezone: UTC}}\n{ONE}", ":1: schedule: state `cron` or `assets`"),
        (f"schedule: {{cron: '0 2 * * *', start: 2026-13-45}}\n{ONE}", "put texts that look like dates or numbers in"),
        (f"schedule: {{assets: [mine]}}\n{ONE}", ":1: schedule.assets[0]: String should match pattern"),
        (b"name: \xff\xfe\n", ": byte 6: not UTF-8; save the pipeline as UTF-8"),
        (f"{ONE}x: 1\n# \x07\n", ":5: holds the control character '\\x07'; remove it"),
        (f'{ONE_TASK}    image: "a\\0b"\n', ":4: holds the character '\\x00', which is none of a text; remove it"),
        (f'{ONE}params: {{a: "\\ud800"}}\n', ":4: holds the character '\\ud800', which is none of a text"),
        (f'{ONE}"im\\nage": x\n', ":4: im age: unknown key"),
        (f"name: {'../' * 50_000}\n{ONE[11:]}", ":1: name: String should match pattern"),
        (
            f"schedule: {{cron: '0 2 * * *', start: 20261201}}\n{ONE}",
            ":1: schedule.start: is no date; write one such as",
        ),
        (f"schedule: {{cron: '0 2 * * *', start: '1'}}\n{ONE}", ":1: schedule.start: is no date; write one such as"),
        (f"slack: {{channel: it's}}\n{ONE}", ":1: slack.channel: String should match pattern"),
        (f"slack: {{channel: '#{{{{ x }}}}'}}\n{ONE}", ":1: slack.channel: String should match pattern"),
        (
            f"{ONE_TASK}    uses: approve\n    inputs: {{registered: a}}\n    with: {{response_timeout: soon}}\n",
            ":6: task 'a' (approve): `response_timeout` is no number of seconds; give one such as 3600",
        ),
        (
            f"{ONE_TASK}    uses: hand_over\n    inputs: {{registered: a}}\n    with: {{timeout: .nan}}\n",
            ":6: task 'a' (hand_over): `timeout` is no number of seconds",
        ),
        (
            f"{ONE_TASK}    image: i\n    mounts: [{{source: /a, target: /b}}, {{source: /c, target: /x/../b/}}]\n",
            ":5: task 'a': two mounts at /b; take one of them out",
        ),
        (
            f"{ONE_TASK}    image: i\n    mounts: [{{source: /a, target: /pipeline//outputs/x}}]\n",
            ":5: task 'a': /pipeline/outputs/x is what the task has anyway; name another folder",
        ),
        (
            f"{ONE_TASK}    image: i\n    mounts: [{{source: /a, target: /..}}]\n",
            ":5: task 'a': / is what the task has",
        ),
    ],
)
def test_what_is_wrong_is_told(file: Path, text: str | bytes, told: str) -> None:
    assert told in fault(file, text)


def test_a_task_that_needs_the_runs_form_says_so(file: Path) -> None:
    text = "name: mine\ntasks:\n  - {name: a, uses: prepare, with: {data: /d, seed: 1}}\n"
    assert fault(file, text) == (
        ":3: task 'a' (prepare): takes `recipe` from the run's form; state `form: run`, or `with: {recipe: ...}`"
    )
    for more in ("form: run", "form: sweep", "form: documents", "params: {recipe: tiny}"):
        file.write_text(f"{more}\n{text}")
        read_pipeline(file)


def test_aliases_that_stand_for_a_billion_values_are_refused_at_once(file: Path) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
    assert fault(file, f"l0: &l0 lol\n{levels}").startswith(":6: its aliases (*) stand for over 100,000 values")


def test_an_alias_inside_its_own_anchor_is_refused(file: Path) -> None:
    assert ":1: an alias (*) stands inside its own anchor (&)" in fault(file, "name: &a [*a]\n")


@pytest.mark.parametrize("deep", ["name: " + "[" * 5000, "name: " + "{a: " * 5000])
def test_a_file_that_nests_without_end_is_refused(file: Path, deep: str) -> None:
    assert "nested too deep" in fault(file, deep)


def test_a_huge_file_is_refused_unread(file: Path) -> None:
    assert "over 1 MiB" in fault(file, "#" * (1 << 21))


@pytest.mark.parametrize("key", ['"[x]"', '"*x"', '"a: b"', '"yes"', '"1"', '"@x"', '"한글"', "''"])
def test_a_key_in_quotes_is_the_text_that_stands_there(file: Path, key: str) -> None:
    file.write_text(f"{ONE}params:\n  {key}: one\n", encoding="utf-8")
    found = read_pipeline(file)
    assert found.pipeline.params == {key[1:-1]: "one"}
    assert found.file.place(("params", key[1:-1])) == f"{file}:5"


@pytest.mark.parametrize("name", ["SLACK_TOKEN", "db_password", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"])
def test_a_secret_among_the_environment_is_refused_and_not_repeated(file: Path, name: str) -> None:
    told = fault(file, f"environment: {{{name}: xoxb-marker}}\n{ONE}")
    assert f"{name} looks like a secret; state it in the pipeline's `secrets`" in told
    assert "marker" not in told


def test_a_secret_in_the_place_of_its_reference_is_not_repeated(file: Path) -> None:
    told = fault(file, f"secrets: {{SLACK_TOKEN: xoxb-marker}}\n{ONE}")
    assert told.startswith(":1: secrets.SLACK_TOKEN: ")
    assert "marker" not in told


def test_a_file_that_is_not_there_is_told(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        read_pipeline(file)
    with pytest.raises(UserError, match="is a folder"):
        read_pipeline(tmp_path)


@pytest.mark.parametrize("start", ["2026-12-01", "'2026-12-01'", "2026-12-01 02:00", "2026-12-01T02:00:00+09:00"])
def test_a_start_is_a_date_or_a_moment(file: Path, start: str) -> None:
    file.write_text(f"schedule: {{cron: '0 2 * * *', start: {start}}}\n{ONE}")
    schedule = read_pipeline(file).pipeline.schedule
    assert schedule is not None
    assert str(schedule.start).startswith("2026-1")


@pytest.mark.parametrize("write", ["\ufeff{}", "%YAML 1.1\n---\n{}...\n"], ids=["BOM", "document"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_editors_files_are_read(file: Path, write: str, end: str) -> None:
    file.write_bytes(write.format(ONE).replace("\n", end).encode())
    assert read_pipeline(file).pipeline.name == "mine"


def test_a_name_that_is_no_template_is_told() -> None:
    with pytest.raises(UserError, match="did you mean 'fasttrack'"):
        find("fastrack")
