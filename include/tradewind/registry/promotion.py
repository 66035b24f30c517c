"""Moving the pointer after registration: what a human approved, what a human orders, and back again."""

from __future__ import annotations

from tradewind.errors import UserError
from tradewind.registry.history import taken_back
from tradewind.registry.store import Registry
from tradewind.registry.version import Version


def promote_approved(registry: Registry, name: str, *, who: str) -> Version:
    """Make champion what the gate let through and a human approved.

    Raises:
        UserError: the version is damaged, its weights were champion before and taken back, or the champion is no
            longer the one that it was compared with.
    """
    version = registry.version(name)
    record = version.record
    if not record.decision.promote:
        raise UserError(f"{registry.path}: {name}: the gate refused it: {record.decision.reasons[0]}")
    version.verify()
    with registry.changing("promote") as change:
        champion = registry.champion_name()
        if reason := taken_back(registry.history(), record.model_sha256, name):
            raise UserError(f"{registry.path}: {name}: {reason}")
        if champion not in (record.parent, name):
            raise UserError(
                f"{registry.path}: {name} was compared with {record.parent or 'the base'}, but the champion is "
                f"{champion or 'none'} now; clear evaluate to compare again"
            )
        change.point_to(name, "promote", who=who, why=record.decision.reasons)
    return version


def promote(registry: Registry, name: str, *, who: str, why: str, force: bool = False) -> Version:
    """Make a version champion because somebody says so.

    Raises:
        UserError: the gate refused it, and `force` is not stated; or it is damaged.
    """
    version = registry.version(name)
    if not version.record.decision.promote and not force:
        reason = version.record.decision.reasons[0]
        raise UserError(f"{registry.path}: {name}: the gate refused it: {reason}; --force promotes it all the same")
    version.verify()
    with registry.changing("promote") as change:
        if not change.point_to(name, "promote", who=who, why=(why,)):
            raise UserError(f"{registry.path}: {name} is the champion already")
    return version


def rollback(registry: Registry, to: str | None = None, *, who: str, why: str) -> Version:
    """Give the pointer back to the champion before this one, or to another version.

    Raises:
        UserError: there is none, or it is damaged: the pointer stays.
    """
    name = to or registry.predecessor()
    if name is None:
        raise UserError(f"{registry.path}: no champion before this one; name a version with --to")
    if name not in registry.names():
        raise UserError(f"{registry.path}: {name} is gone (registry.keep); name another with --to: "
                        f"{', '.join(registry.names()) or 'there is none'}")  # fmt: skip
    version = registry.version(name)
    version.verify()
    with registry.changing("rollback") as change:
        if not change.point_to(name, "rollback", who=who, why=(why,)):
            raise UserError(f"{registry.path}: {name} is the champion already")
    return version
