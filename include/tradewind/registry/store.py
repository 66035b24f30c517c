"""The folder of a pipeline's models: `versions/<name>/`, the pointer `champion`, and `history.jsonl`."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tradewind.errors import RunDirBusyError, UserError
from tradewind.files import write_atomically
from tradewind.lease import is_worked_on, registry_lock, release_work, work_lock
from tradewind.registry.history import Action, Move, add_move, predecessor, read_moves
from tradewind.registry.placing import sync, sync_entries
from tradewind.registry.serving import SERVING, ServingMove, moves_in, read_serving, served_now, with_move
from tradewind.registry.version import Version
from tradewind.store.mirror import Mirror, mirror_of

_NAME = re.compile(r"v([1-9][0-9]*)")
_MAKING, _LEAVING = ".new-", ".old-"


def models_path(home: str | Path, dag_id: str) -> Path:
    """`<home>/models/<dag_id>`."""
    return Path(home).expanduser() / "models" / dag_id


class Registry:
    """The models of one pipeline.

    Readers need no lock: a version appears by one rename, and the pointer, a relative link, is replaced by another.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self.pointer = self.path / "champion"
        self.history_file = self.path / "history.jsonl"
        self._folder = self.path / "versions"

    @property
    def mirror(self) -> Mirror | None:
        """The bucket that it is shared by; None where its home is on a disk."""
        return mirror_of(self.path)

    def names(self) -> list[str]:
        """The versions' names, the oldest first."""
        found = [entry.name for entry in self._folder.iterdir()] if self._folder.is_dir() else []
        return sorted(filter(_NAME.fullmatch, found), key=_number)

    def versions(self) -> list[Version]:
        """All versions, the oldest first; UserError where one cannot be read."""
        return [Version.read(self._folder / name) for name in self.names()]

    def version(self, name: str) -> Version:
        """One version; UserError that names those there are."""
        names = self.names()
        if name not in names:
            raise UserError(f"{self.path}: no version '{name}'; there are {', '.join(names) or 'none'}")
        return Version.read(self._folder / name)

    def champion_name(self) -> str | None:
        """What the pointer names, there or not; UserError where it is no pointer of ours."""
        try:
            target = self.pointer.readlink()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{self.pointer}: not a link; remove it and promote a version again") from error
        if target.parent != Path(self._folder.name) or not _NAME.fullmatch(target.name):
            raise UserError(f"{self.pointer}: leads to {target}, which is no version; remove it and promote one again")
        return target.name

    def champion(self) -> Version | None:
        """The version in use; UserError where the pointer leads nowhere."""
        name = self.champion_name()
        return None if name is None else self.version(name)

    def predecessor(self) -> str | None:
        """Who was champion before the present one was promoted; it may be gone."""
        champion = self.champion_name()
        return None if champion is None else predecessor(self.history(), champion)

    def history(self) -> list[Move]:
        """The pointer's moves, the oldest first."""
        return read_moves(self.history_file)

    def serving(self) -> list[ServingMove]:
        """The moves of the alias that says which version is served where, the oldest first."""
        return read_serving(self.path)

    @contextmanager
    def making(self) -> Iterator[Path]:
        """A folder to make a version in, gone at the end if it was not published; leftovers of killed ones go, too."""
        self._folder.mkdir(parents=True, exist_ok=True)
        folder = self._folder / f"{_MAKING}{uuid.uuid4().hex}"
        with ExitStack() as held:
            with self.changing("register"):
                self._sweep()
                folder.mkdir()
                held.callback(shutil.rmtree, folder, ignore_errors=True)
                held.enter_context(work_lock(folder))
            yield folder

    @contextmanager
    def changing(self, doing: str) -> Iterator[Change]:
        """Be the only one that changes the registry.

        Raises:
            TemporaryError: another process does so, and does not come to its end; or a bucket does not answer.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with registry_lock(self.path, doing):
            self._refresh()
            change = Change(self)
            change.recover()
            yield change

    def refresh(self, *, wait: bool = False) -> None:
        """Have here what other workers have registered, promoted and served, where the home is a bucket's.

        Args:
            wait: for another process of this machine that changes the registry; else what that one sees is what
                there is.

        Raises:
            UserError: the bucket refuses, or something in it is damaged.
            TemporaryError: it does not answer, or that process does not come to its end.
        """
        if self.mirror is None:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        if wait:
            with registry_lock(self.path, "refresh"):
                self._refresh()
            return
        with suppress(RunDirBusyError), registry_lock(self.path, "refresh", patience=0.0):
            self._refresh()

    def _refresh(self) -> None:
        mirror = self.mirror
        if mirror is not None:
            from tradewind.store.registry import bring_up_to_date

            champion = bring_up_to_date(mirror, self.path, self.history_file, self.path / SERVING)
            if champion is not None and champion != self.champion_name():
                self.point(champion)

    def point(self, name: str) -> None:
        """Have the pointer lead to a version, by one rename; for the holder of the registry's lock, noted elsewhere."""
        link = self.path / f".champion.{uuid.uuid4().hex}"
        link.symlink_to(Path(self._folder.name) / name)
        link.replace(self.pointer)

    def _sweep(self) -> None:
        for entry in self._folder.iterdir():
            is_leftover = entry.name.startswith(_MAKING) and not is_worked_on(entry)
            if is_leftover or entry.name.startswith(_LEAVING):
                shutil.rmtree(entry)


class Change:
    """What only the holder of the registry's lock may do."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._folder = registry.path / "versions"
        self._intent = registry.path / ".move.json"

    def next_name(self) -> str:
        """A name that no version has or, as far as the history tells, ever had."""
        known = [*self._registry.names(), *(move.after for move in self._registry.history())]
        return f"v{max(map(_number, known), default=0) + 1}"

    def publish(self, folder: Path, name: str, sources: tuple[str, ...] = ()) -> Version:
        """Make a folder of `Registry.making` the version `name`, whole and on the disk, by one rename.

        Args:
            sources: units of a bucket that hold some of the same files.

        Raises:
            TemporaryError: another worker has published that name in this moment.
        """
        sync(folder)
        mirror = self._registry.mirror
        if mirror is not None:
            mirror.publish_new((self._folder / name).relative_to(mirror.root).as_posix(), folder, sources)
        release_work(folder)
        folder.rename(self._folder / name)
        sync_entries(self._folder)
        return self._registry.version(name)

    def point_to(self, name: str, action: Action, *, who: str, why: tuple[str, ...]) -> bool:
        """Move the pointer and note it in the history; returns False where it points there already.

        Raises:
            TemporaryError: another worker, with which the registry is shared, was first; nothing was moved.
        """
        before = self._registry.champion_name()
        version = self._registry.version(name)
        if before == name:
            return False
        model_sha256 = version.record.model_sha256
        move = Move.now(action, before=before, after=name, model_sha256=model_sha256, who=who, why=why)
        mirror = self._registry.mirror
        if mirror is not None:
            from tradewind.store.moves import add_move as add_shared_move

            add_shared_move(mirror, self._registry.path, move, len(self._registry.history()) + 1)
        # Killed from here on, the next change finds the intent and ends what was begun.
        write_atomically(self._intent, move.model_dump_json())
        self._registry.point(name)
        sync_entries(self._registry.path)
        add_move(self._registry.history_file, move)
        self._intent.unlink()
        return True

    def serve(self, move: ServingMove) -> bool:
        """Note a move of the serving alias; returns False for a stop of a server that has it no more.

        Raises:
            TemporaryError: a bucket does not answer; the move may be noted there, or not.
        """
        file, mirror = self._registry.path / SERVING, self._registry.mirror
        if mirror is None:
            text = with_move(self._registry.serving(), move)
            if text is not None:
                write_atomically(file, text)
            return text is not None
        from tradewind.store.alias import replace_alias

        place = f"{mirror.address}: serving.jsonl"
        text = replace_alias(
            mirror, self._registry.path, lambda before: with_move(moves_in(before.encode(), place), move)
        )
        if text is not None:
            with suppress(OSError):  # the bucket has it; the next refresh brings it here
                write_atomically(file, text)
        return text is not None

    def recover(self) -> None:
        """Note a move that a killed process made but did not live to note; forget one that it did not make."""
        for pattern in (".champion.*", ".history.jsonl.*", ".serving.jsonl.*", "..move.json.*"):
            for litter in self._registry.path.glob(pattern):
                litter.unlink()
        moves = read_moves(self._intent)
        for move in moves:
            if move.after == self._registry.champion_name() and move not in self._registry.history():
                add_move(self._registry.history_file, move)
        self._intent.unlink(missing_ok=True)

    def retire(self, keep: int) -> list[str]:
        """Remove all but the newest `keep`, the champion, the one before it and the one served; returns their names."""
        names = self._registry.names()
        served = served_now(self._registry.serving())
        kept = {*names[-keep:], self._registry.champion_name(), self._registry.predecessor()}
        kept |= {served.version} if served else set()
        retired = [name for name in names if name not in kept]
        for name in retired:
            leaving = self._folder / f"{_LEAVING}{uuid.uuid4().hex}"
            (self._folder / name).rename(leaving)  # so that a half of one never looks whole
            mirror = self._registry.mirror
            if mirror is not None:
                mirror.remove((self._folder / name).relative_to(mirror.root).as_posix())
            shutil.rmtree(leaving)
        return retired


def _number(name: str) -> int:
    return int(name.removeprefix("v"))
