"""Who logs in: an admin, a reader, a neighbour who has a DAG of his own, and an outsider who may read no DAG."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from stack import Stack
from tradewind_airflow.local.home import USER, LocalHome


@dataclass(frozen=True)
class User:
    """A login of FAB."""

    name: str
    role: str
    password: str


# All that a viewer has, and the pages of plugins, without which there are no tabs, but no DAG: whoever may read
# "DAG Runs" in general must still not read the runs of a DAG that is closed to him.
_SEEN = ("Website", "Plugins", "DAG Runs", "Task Instances", "Task Logs", "XComs", "DAG Versions", "DAG Warnings",
         "HITL Detail", "Assets", "Pools", "ImportError")  # fmt: skip
_MENUS = ("DAGs", "Assets", "Browse", "DAG Runs", "Task Instances")


def _role(name: str, *more: str) -> list[dict[str, str]]:
    seen = [{"name": name, "resource": resource, "action": "can_read"} for resource in (*_SEEN, *more)]
    return seen + [{"name": name, "resource": resource, "action": "menu_access"} for resource in _MENUS]


# The neighbour's own DAG says in its `access_control` that his role may read it.
ROLES = [*_role("Reader", "DAGs"), *_role("Neighbour"), *_role("Outsider")]


def users(home: LocalHome) -> dict[str, User]:
    """By what they are in the tests; the admin is the local Airflow's own user."""
    others = {name: User(name, name.capitalize(), f"the-{name}-s-word") for name in ("reader", "neighbour", "outsider")}
    return {"admin": User(USER, "Admin", home.password()), **others}


def create(stack: Stack, folder: Path, logins: Iterable[User]) -> None:
    """Make the roles, then the users, with FAB's own command line."""
    file = folder / "roles.json"
    file.write_text(json.dumps(ROLES), encoding="utf-8")
    stack.run("sync-perm")  # the resources that the roles name
    stack.run("roles", "import", str(file))
    with ThreadPoolExecutor(max_workers=2) as pool:  # each takes seconds, most of them imports
        list(pool.map(lambda login: _create(stack, login), logins))


def _create(stack: Stack, user: User) -> None:
    stack.run(
        "users", "create", "--username", user.name, "--role", user.role, "--password", user.password,
        "--firstname", user.name, "--lastname", "Tester", "--email", f"{user.name}@example.org",
    )  # fmt: skip
