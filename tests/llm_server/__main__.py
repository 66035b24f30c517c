"""The server as a process, for demonstrations by hand: `cd tests && python -m llm_server --port-file port`.

SIGTERM or Ctrl-C ends it; SIGUSR1 resumes after `--pause-after`.
"""

from __future__ import annotations

import argparse
import json
import signal
from dataclasses import fields
from pathlib import Path
from typing import Any

from llm_server import account
from llm_server.batch import Batching
from llm_server.faults import NAMES, Faults
from llm_server.ledger import Price, Served
from llm_server.server import LlmServer

_FIRST, _, _REST = (__doc__ or "").partition("\n\n")


def main() -> None:
    """Serve until a signal."""
    parser = _parser()
    options = parser.parse_args()
    try:
        always: dict[str, str] = dict(text.rsplit("=", 1) for text in options.always)
        faults = Faults(**_settings(options.faults, Faults), always=always)  # type: ignore[arg-type]  # checked there
        batching = Batching(**_settings(options.batching, Batching))
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    # Blocked before the server's thread starts, which inherits it: only `sigwait` below takes these signals.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def watch(served: Served) -> None:
        if options.journal:
            with options.journal.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(account.entry(served)) + "\n")
        if options.account:
            account.write(options.account, server.ledger)

    server = LlmServer(
        faults,
        gullible=options.gullible,
        wordings=options.wordings,
        refuse=options.refuse,
        price=Price(*options.price),
        seed=options.seed,
        latency=options.latency,
        batching=batching,
        port=options.port,
        watch=watch,
    )
    with server:
        if options.pause_after is not None:
            server.pause_after(options.pause_after)
        if options.port_file:
            account.replace(options.port_file, f"{server.port}\n")
        print(server.base_url, flush=True)
        while signal.sigwait(signals) == signal.SIGUSR1:
            server.resume()
    if options.account:
        account.write(options.account, server.ledger)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llm_server", description=_FIRST, epilog=_REST, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--port", type=int, default=0)
    add("--port-file", type=Path, help="gets the port once it listens")
    add("--account", type=Path, metavar="FILE", help="JSON, written before every answer and at the end")
    add("--journal", type=Path, metavar="FILE", help="JSON lines, one added for each request that ends")
    add("--faults", type=_list, default=[], metavar="FAULT=P,...", help=f"{', '.join(NAMES)}; or a setting of Faults")
    add("--always", action="append", default=[], metavar="TEXT=FAULT", help="for each passage with this text")
    add("--batching", type=_list, default=[], metavar="NAME=VALUE,...", help="settings of Batching")
    add("--refuse", type=_list, default=[], metavar="FEATURE,...", help="answered with 400, as by older servers")
    add("--price", type=_price, default=(1.0, 4.0), metavar="P,C", help="a million prompt and completion tokens")
    add("--seed", type=int, default=0)
    add("--latency", type=float, default=0.0, metavar="SECONDS")
    add("--wordings", type=int, default=1, help="questions for each fact where no schema says how many")
    add("--gullible", action="store_true", help="obey orders that stand in a passage")
    add("--pause-after", type=int, metavar="N", help="hold all requests after N answers")
    return parser


def _list(text: str) -> list[str]:
    return text.split(",")


def _price(text: str) -> tuple[float, float]:
    prompt, completion = text.split(",")
    return float(prompt), float(completion)


def _settings(stated: list[str], kind: type) -> dict[str, Any]:
    """`name=value` items as arguments of a dataclass. Raises ValueError for a name that it lacks, or a bad number."""
    types = {field.name: str(field.type) for field in fields(kind)}
    settings: dict[str, Any] = {}
    for item in stated:
        name, _, value = item.partition("=")
        if name not in types:
            raise ValueError(f"{item}: {kind.__name__} has only {', '.join(types)}")
        convert = {"float": float, "int": int}.get(types[name], str)
        settings[name] = convert(value)
    return settings


if __name__ == "__main__":
    main()
