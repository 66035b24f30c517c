"""`tradewind models ...`: look at a registry, move its pointer, give it back."""

from __future__ import annotations

import argparse
import getpass
from collections.abc import Callable

from tradewind.errors import UserError
from tradewind.registry.promotion import promote, rollback
from tradewind.registry.serving import served_now
from tradewind.registry.store import Registry
from tradewind.registry.version import CARD
from tradewind.store.place import place_of


def run(arguments: argparse.Namespace) -> None:
    """Do what the command after `models` says."""
    _ACTIONS[arguments.action](arguments)


def _registry(arguments: argparse.Namespace) -> Registry:
    registry = Registry(place_of(arguments.dir))
    if not registry.names():
        raise UserError(f"{arguments.dir}: holds no registered model; name $TRADEWIND_HOME/models/DAG_ID")
    return registry


def _list(arguments: argparse.Namespace) -> None:
    registry = _registry(arguments)
    champion, before = registry.champion_name(), registry.predecessor()
    for version in registry.versions():
        record = version.record
        place = {champion: "champion", before: "predecessor"}.get(record.name, "")
        gate = "let through" if record.decision.promote else "refused"
        print(f"{record.name:<6}{place:<13}{record.made_at}  {record.verdict:<21}gate: {gate:<13}run {record.run}")
    for move in registry.history():
        print(f"{move.at}  {move.action} {move.before or 'none'} -> {move.after} by {move.who}: {move.why[0]}")


def _show(arguments: argparse.Namespace) -> None:
    registry = _registry(arguments)
    version = registry.version(arguments.name) if arguments.name else registry.champion()
    if version is None:
        raise UserError(f"{arguments.dir}: there is no champion; name a version: {', '.join(registry.names())}")
    record = version.record
    print(f"{record.name}: {record.verdict}: {record.verdict_reason}")
    print(f"made {record.made_at} by recipe {record.recipe} from {record.base_model}, run {record.run}")
    print(f"gate: {'let through' if record.decision.promote else 'refused'} over {record.parent or 'no champion'}")
    for reason in record.decision.reasons:
        print(f"  {reason}")
    print(f"model: {version.model}\ncard: {version.path / CARD}")


def _served(arguments: argparse.Namespace) -> None:
    moves = _registry(arguments).serving()
    now = served_now(moves)
    print(f"served: {now.version} as {now.name} at {now.url}, since {now.at}" if now else "served: none")
    for move in moves:
        what = f" ({move.equal}/{move.asked} answers)" if move.action == "serve" else f": {move.why}"
        print(f"{move.at}  {move.action} {move.version} by {move.engine} at {move.url}{what}")


def _promote(arguments: argparse.Namespace) -> None:
    registry = _registry(arguments)
    before = registry.champion_name()
    promote(registry, arguments.name, who=_who(), why=arguments.why, force=arguments.force)
    print(f"champion: {arguments.name} (before: {before or 'none'})")


def _rollback(arguments: argparse.Namespace) -> None:
    registry = _registry(arguments)
    before = registry.champion_name()
    version = rollback(registry, arguments.to, who=_who(), why=arguments.why)
    print(f"champion: {version.name} (before: {before or 'none'})")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "unknown user"


_ACTIONS: dict[str, Callable[[argparse.Namespace], None]] = {
    "list": _list,
    "show": _show,
    "served": _served,
    "promote": _promote,
    "rollback": _rollback,
}
