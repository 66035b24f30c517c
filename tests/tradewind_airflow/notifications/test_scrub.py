"""What may leave the house."""

from __future__ import annotations

import time

import pytest
from airflow.sdk.log import mask_secret

from tradewind_airflow.notifications.scrub import SECRET, mask, scrub


@pytest.mark.parametrize(
    "secret",
    ["xoxb-12345-67890-abcDEF", "xapp-1-A0-123", "hf_abcdefGHIJ", "sk-proj-0123456789", "ghp_0123456789abcdefXYZ",
     "AKIAIOSFODNN7EXAMPLE", "ASIAIOSFODNN7EXAMPLE", "AIzaSyA1234567890abcdefghijklmnopqrstuv", "ya29.a0AfH6SMBabc",
     "npm_0123456789abcdefghijABCDEFGHIJ012345", "pypi-AgEIcHlwaS5vcmcabcdef", "gsk_0123456789abcdef0123",
     "nvapi-0123456789abcdef-XYZ", "sk_live_0123456789abcdef", "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.c2lnbmF0dXJl",
     "https://hooks.slack.com/services/T0/B0/abc",
     "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"],
)  # fmt: skip
@pytest.mark.parametrize("around", ["{}", "token {} was refused", "(무역:{})", '"{}",', "x\u200b={}", "a\n{}\nb"])
def test_what_looks_like_a_secret_is_gone(secret: str, around: str) -> None:
    found = mask(around.format(secret))
    assert SECRET in found
    assert secret[8:] not in found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.DEF-0123456789", f"Authorization: Bearer {SECRET}"),
        ("authorization: Basic dXNlcjpwdw==", f"authorization: Basic {SECRET}"),
        ("password=hunter2! and on", f"password={SECRET} and on"),
        ('{"api_key": "abcdef123"}', f'{{"api_key": "{SECRET}"}}'),
        ("postgresql://anna:geheim@db.example/x", "postgresql://db.example/x"),
        ("https://anna@hub.example/org/model?x=1", "https://hub.example/org/model?x=1"),
        ("postgresql://anna:ge/he@im@db.example/x", "postgresql://db.example/x"),
        (
            "http://localhost:8080/@anna/x, https://x.example/pkg@1.2",
            "http://localhost:8080/@anna/x, https://x.example/pkg@1.2",
        ),
        ("UID=sa;PWD=Sommer99;pass=winter77", f"UID=sa;PWD={SECRET};pass={SECRET}"),
        ("token=abc, password='a b c' and on", f"token={SECRET}, password='{SECRET}' and on"),
        ("passphrase: correcthorse", f"passphrase: {SECRET}"),
        ("AccountName=x;AccountKey=YWJj1234==;y", f"AccountName=x;AccountKey={SECRET};y"),
        ("https://b.example/k?sv=1&sig=abc%2Bdef&x=1", f"https://b.example/k?sv=1&sig={SECRET}&x=1"),
        ("https://b.example/k?X-Amz-Signature=0123abcd", f"https://b.example/k?X-Amz-Signature={SECRET}"),
        ("docker login --password hunter2 -u x", f"docker login --password {SECRET} -u x"),
        ("['docker', '--token', 'hunter2', 'x']", f"['docker', '--token', '{SECRET}', 'x']"),
        ("Cookie: session=0123abcd; other=1", f"Cookie: {SECRET}"),
        # The words of the trade stay what they are.
        ("a bearer document, a bearer instrument", "a bearer document, a bearer instrument"),
        ("max_new_tokens: 128, hit_token_limit 0.2", "max_new_tokens: 128, hit_token_limit 0.2"),
        ("risk-free, task-oriented, sk-", "risk-free, task-oriented, sk-"),
        (
            "AsiaPacificEconomicCooperation: 12 pass: nothing else",
            "AsiaPacificEconomicCooperation: 12 pass: nothing else",
        ),
    ],
)
def test_what_is_named_a_secret_is_gone_and_nothing_else(text: str, expected: str) -> None:
    assert mask(text) == expected
    assert mask(expected) == expected


def test_secrets_of_this_environment_and_those_that_airflow_knows_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "plain-words-only")
    monkeypatch.setenv("MY_SECRET", "plain-words-only-but-longer")
    mask_secret("known-to-airflow-alone")
    text = mask("plain-words-only-but-longer, plain-words-only, known-to-airflow-alone")
    assert text == f"{SECRET}, {SECRET}, ***"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv/docs/exam.json: record 3: no answer", "exam.json: record 3: no answer"),
        ("/srv/docs/: no such folder", "docs: no such folder"),
        ("No such file: '/home/anna/My Documents/실무 자료.txt'", "No such file: '실무 자료.txt'"),
        ("file:///srv/docs/a.pdf, ~/models/x", "a.pdf, x"),
        (r"C:\Users\anna\docs\a.json and \\server\share\b.json", "a.json and b.json"),
        ("PATH=/usr/bin:/usr/local/bin", "PATH=bin:bin"),
        ("(/srv/무역/용어.json)", "(용어.json)"),
        ("/srv/a&b/c.json", "c.json"),
        ("unix:///run/user/1000/podman.sock is away", "podman.sock is away"),
        ("http+unix://%2Frun%2Fuser%2F1000%2Fpodman.sock/v1.40/info", "http+unix://podman.sock/v1.40/info"),
        ("sqlite:////srv/airflow/airflow.db", "airflow.db"),
        (r"\\?\C:\Users\anna\a.json", "a.json"),
        ("~anna/docs/a.json, about ~3/4 of it", "a.json, about ~3/4 of it"),
        ("docker run -v/srv/data:/data", "docker run -vdata:data"),
        ("read https://hub.example/org/model, not /srv/org/model", "read https://hub.example/org/model, not model"),
        ("prepare/rejected.jsonl says which; 30/4/6 won/tied/lost, and/or, 3 tokens/s",
         "prepare/rejected.jsonl says which; 30/4/6 won/tied/lost, and/or, 3 tokens/s"),
    ],
)  # fmt: skip
def test_a_path_is_cut_to_its_last_part(text: str, expected: str) -> None:
    assert scrub(text) == expected
    assert scrub(expected) == expected


def test_a_known_folder_may_hold_blanks() -> None:
    text = "/srv/My Trade/en/exam.json: damaged; /srv/My Trade: read; /srv/My Trade-2/x.json"
    assert scrub(text, ["/srv/My Trade"]) == "en/exam.json: damaged; My Trade: read; My Trade-2/x.json"


def test_characters_that_nobody_sees_are_gone() -> None:
    assert scrub("a\x00b\x1b[31mc\u202ed\u200be\r\nf\tg 무역") == "ab[31mcde\nf\tg 무역"


@pytest.mark.parametrize(
    "piece",
    ["/", "a/", "'", "//a:", "x@", "token=", "a://a:", "--token ", "password='", "eyJ.", "<", "무", "-----BEGIN "],
)
def test_a_hostile_text_takes_no_time(piece: str) -> None:
    began = time.thread_time()  # whatever else this machine does
    scrub(piece * 5000)
    assert time.thread_time() - began < 2
