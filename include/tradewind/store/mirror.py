"""A home whose published things are in a bucket: what others published comes here, what is made here goes there.

A folder that others published is here at once with its small files; large ones come when `complete` asks for them. So
every worker and page sees all runs and their results, and holds the models that it works with.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from tradewind.errors import TemporaryError, UserError
from tradewind.files import write_atomically
from tradewind.store.address import MARKER
from tradewind.store.bucket import Bucket, Entry, TakenError, bucket_at, each
from tradewind.store.checked import manifest_at
from tradewind.store.contents import files_of, is_here, place_in, sources_of
from tradewind.store.download import fetch, write_inline
from tradewind.store.manifest import Manifest, StoredFile, is_task, mark_of
from tradewind.store.record import Known, Records, identity_here
from tradewind.store.removal import remove_units
from tradewind.store.removed_runs import drop_removed_runs
from tradewind.store.room import in_use, make_room
from tradewind.store.superseded import is_superseded
from tradewind.store.units import is_unit, unit_of, units_of_run
from tradewind.store.upload import Upload, live_parts, manifest_key, newest_number, number_of

log = logging.getLogger("tradewind")
_FETCHING, _LEAVING = ".fetching-", ".leaving-"
_AGAIN = 5


class Mirror:
    """The local folder of a home in a bucket."""

    def __init__(self, root: Path, address: str) -> None:
        self.root = root
        self.address = address
        self.records = Records(root)

    @property
    def bucket(self) -> Bucket:
        """The client; made when the first request is due."""
        return bucket_at(self.address)

    def refresh(self, below: str) -> None:
        """Have here what is in the bucket below a path such as `runs/trade_qa`, each unit with its small files.

        What was made here and is not in the bucket yet stays as it is.

        Raises:
            UserError: the bucket is not there or refuses, or a manifest is damaged.
            TemporaryError: it does not answer.
        """
        newest: dict[str, Entry] = {}
        listed = self.bucket.find(f"manifests/{below}")
        if not listed:
            self.bucket.check()
        for entry in listed:
            unit = entry.key.removeprefix("manifests/").rpartition("/")[0]
            if is_unit(unit) and number_of(entry.key) and number_of(entry.key) > number_of(_key(newest.get(unit))):
                newest[unit] = entry
        due = [unit for unit, entry in newest.items() if self._is_news(unit, entry)]
        each(lambda unit: self._take(unit, newest[unit]), due)
        if newest:  # where all is gone, somebody has made a mistake that no cache should repeat
            drop_removed_runs(self.root, self.records, below, newest)

    def complete(self, path: Path, without: Collection[str] = ()) -> None:
        """Have every file of a published folder here, or of a run's, or the one file that `path` is.

        Args:
            without: names in the folder, such as `model`, that are not asked for.

        Raises:
            UserError: something of it is gone from the bucket, or changed there.
            TemporaryError: the bucket does not answer.
            OSError: the disk is full.
        """
        unit = unit_of(path, self.root)
        if unit is None:
            below = f"{path.relative_to(self.root).as_posix()}/"
            units = [known for known, _ in self.records.units(below) if is_unit(known)]
        else:
            units = [unit]
        for name in units:
            self._complete(name, path, without)

    def publish(self, units: Iterator[str] | Collection[str]) -> None:
        """Have these units in the bucket as they are here, where they are not; and take back those withdrawn.

        Raises:
            TemporaryError: the bucket does not answer, or another worker published the same at this moment.
            UserError: it refuses.
        """
        for unit in list(units):
            with self._alone(unit):
                path = self.root / unit
                here, known = identity_here(path), self.records.get(unit)
                if here is not None and (known is None or known.withdrawn or known.manifest.identity != here):
                    self._send(unit, path, known)

    def publish_run(self, run: Path, *, notes_only: bool = False) -> None:
        """`publish` all of a run.

        Args:
            notes_only: its small files, and no stage.
        """
        units = units_of_run(run, self.root)
        self.publish([unit for unit in units if not notes_only or (self.root / unit).is_file()])
        below = run.relative_to(self.root).as_posix()
        for unit, _ in list(self.records.units(below)):
            known = self.records.get(unit)
            if known is not None and known.withdrawn and not (self.root / unit).exists():
                self.remove(unit)

    def publish_below(self, folder: str) -> None:
        """`publish` the files in a folder of the home."""
        names = sorted(path.name for path in (self.root / folder).glob("[!.]*"))
        self.publish([unit for name in names if is_unit(unit := f"{folder}/{name}")])

    def publish_new(self, unit: str, folder: Path, sources: Collection[str] = ()) -> Known:
        """Have `folder` in the bucket as `unit`, of which there was none.

        Args:
            sources: units whose parts it may hold as well.

        Raises:
            TemporaryError: another was first.
        """
        upload = Upload(self.bucket, unit, self._trusted(sources))
        try:
            known = upload.publish(files_of(folder), is_folder=True, first=True)
        except TakenError as error:
            raise TemporaryError(f"{self.address}/{unit}: another worker was first; try again") from error
        self.records.put(unit, known)
        return known

    def agree(self, path: Path, text: Callable[[], str]) -> None:
        """Have a small file of a run here that is the same on all workers: this text, or one that was there first.

        Raises:
            UserError, TemporaryError: as `refresh`.
        """
        unit = path.relative_to(self.root).as_posix()
        for _ in range(_AGAIN):
            if path.exists() and self.records.get(unit) is not None:
                return
            self.refresh(unit)
            with self._alone(unit):
                if path.exists() and self.records.get(unit) is not None:
                    return
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    write_atomically(path, text())
                try:
                    made = Upload(self.bucket, unit).publish({path.name: path}, is_folder=False, first=True)
                except TakenError:
                    path.unlink()
                else:
                    self.records.put(unit, made)
                    return
        raise TemporaryError(f"{self.address}/{unit}: another worker was first; try again")

    def withdraw(self, path: Path) -> None:
        """Note that what stood at `path` is taken back; `publish_run` tells the bucket."""
        unit = unit_of(path, self.root)
        known = self.records.get(unit) if unit else None
        if unit and known is not None:
            self.records.put(unit, known.model_copy(update={"withdrawn": True}))

    def remove(self, unit: str) -> None:
        """Take the unit out of the bucket; its parts go when retention next finds that nothing refers to them."""
        remove_units(self.bucket, [unit])
        self.records.drop(unit)

    def unit(self, path: Path) -> str | None:
        """The unit that a path is, or is in."""
        return unit_of(path, self.root)

    def absent_files(self, path: Path) -> list[StoredFile]:
        """Of a folder that was published, the files that are in the bucket only."""
        unit = unit_of(path, self.root)
        known = self.records.get(unit) if unit else None
        if unit is None or known is None or known.withdrawn:
            return []
        return [file for file in known.manifest.large if not is_here(self.root / unit / file.path, file)]

    def _complete(self, unit: str, path: Path, without: Collection[str]) -> None:
        known = self.records.get(unit)
        if known is None or known.withdrawn:
            return
        folder = self.root / unit
        if identity_here(folder) not in (known.manifest.identity, None):
            return  # made here anew, and whole
        wanted = path.relative_to(folder).as_posix() if path != folder and path.is_relative_to(folder) else ""
        absent = [
            file
            for file in known.manifest.large
            if file.path.partition("/")[0] not in without
            and (not wanted or file.path == wanted or file.path.startswith(f"{wanted}/"))
            and not is_here(place_in(folder, known.manifest, file), file)
        ]
        self.records.used(unit)
        if not absent:
            return
        with self._alone(unit):
            make_room(self.root, self.records, sum(file.bytes for file in absent), but=unit)
            for file in absent:
                target = place_in(folder, known.manifest, file)
                if not is_here(target, file):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fetch(self.bucket, file, target)
            log.info("%s: %s bytes fetched from %s", unit, f"{sum(file.bytes for file in absent):,}", self.address)

    def _send(self, unit: str, path: Path, known: Known | None) -> None:
        is_folder = path.is_dir()
        if is_folder and self._gives_way(unit, path):
            return
        files = files_of(path, all_of_it=is_task(unit)) if is_folder else {path.name: path}
        # A folder whose small files were written anew, while the large ones are in the bucket only.
        absent = {} if known is None or known.withdrawn else {
            file.path: file for file in known.manifest.large if is_folder and file.path not in files
        }  # fmt: skip
        upload = Upload(self.bucket, unit, self._trusted([unit, *sources_of(path, unit)]) if is_folder else ())
        for _ in range(_AGAIN):
            try:
                made = upload.publish(
                    files, is_folder=is_folder, known=absent, mark=mark_of(path) if is_task(unit) else None
                )
            except TakenError:
                if is_folder:  # the stage ran twice, and the other's result is what later stages read
                    break
            else:
                self.records.put(unit, made)
                return
        raise TemporaryError(f"{self.address}/{unit}: another worker published it at this moment; try again")

    def _gives_way(self, unit: str, path: Path) -> bool:
        """Whether a later try's result is in the bucket; it is then put here, too."""
        number = newest_number(self.bucket, unit)
        entry = self.bucket.head(manifest_key(unit, number)) if number else None
        found = self._newest(unit, entry) if entry else None
        if found is None or not is_superseded(path, found.manifest):
            return False
        log.warning("%s: a later try has made it on another worker; what was made here goes", unit)
        self._put_in_place(path, found.manifest, None)
        self.records.put(unit, found)
        return True

    def _trusted(self, units: Collection[str]) -> set[str]:
        return {sha256 for unit in units for sha256 in live_parts(self.bucket, unit)}

    def _is_news(self, unit: str, entry: Entry) -> bool:
        known = self.records.get(unit)
        if known is None or (known.number, known.tag) != (number_of(entry.key), entry.tag):
            return True
        return not known.withdrawn and not (self.root / unit).exists()

    def _take(self, unit: str, entry: Entry) -> None:
        """Put what another published in its place, unless what stands there is this machine's own news."""
        with self._alone(unit):
            path, known = self.root / unit, self.records.get(unit)
            here = identity_here(path)
            is_own = here is not None and (known is None or known.manifest.identity != here)
            try:
                newest = self._newest(unit, entry)
            except FileNotFoundError:
                return  # removed meanwhile
            if newest is None:
                return
            found = newest.manifest
            if is_own and found.identity != here:
                if not is_superseded(path, found):
                    return
                known = None  # its large files have the names of what the other try made, and other bytes
            if here != found.identity or found.is_folder:
                self._put_in_place(path, found, known)
            self.records.put(unit, newest)

    def _newest(self, unit: str, entry: Entry) -> Known | None:
        key, tag = entry.key, entry.tag
        for _ in range(_AGAIN):
            try:
                return Known(number=number_of(key), tag=tag, manifest=manifest_at(self.bucket, key, unit))
            except FileNotFoundError:  # a newer one has taken its place
                number = newest_number(self.bucket, unit)
                there = self.bucket.head(manifest_key(unit, number)) if number else None
                if there is None:
                    return None
                key, tag = there.key, there.tag
        return None

    def _put_in_place(self, path: Path, manifest: Manifest, known: Known | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if not manifest.is_folder:
                file = manifest.files[0]
                if file.inline is None:
                    fetch(self.bucket, file, path)
                else:
                    write_inline(file, path)
                return
            staged = path.parent / f".{path.name}{_FETCHING}{uuid.uuid4().hex}"
            try:
                self._stage(staged, path, manifest, known)
                old = path.parent / f".{path.name}{_LEAVING}{uuid.uuid4().hex}"
                mark_of(path).unlink(missing_ok=True)
                with suppress(FileNotFoundError):
                    path.rename(old)
                staged.rename(path)
                if manifest.mark is not None:
                    write_inline(manifest.mark, mark_of(path))
                shutil.rmtree(old, ignore_errors=True)
            finally:
                shutil.rmtree(staged, ignore_errors=True)
        except ValueError as error:
            raise UserError(f"{self.address}/manifests/{manifest.unit}: {error}; publish it again") from error

    def _stage(self, staged: Path, path: Path, manifest: Manifest, known: Known | None) -> None:
        """The unit's small files, and of the large ones those that are here already."""
        staged.mkdir()
        had: Mapping[str, str] = {file.path: file.sha256 for file in known.manifest.files} if known else {}
        for file in manifest.files:
            target = staged / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.inline is not None:
                write_inline(file, target)
            elif had.get(file.path) == file.sha256 and is_here(path / file.path, file):
                with suppress(FileNotFoundError):  # it went for room
                    os.link(path / file.path, target)

    @contextmanager
    def _alone(self, unit: str) -> Iterator[None]:
        """Be the only one on this machine that moves the unit; waits for another, who may be sending gigabytes."""
        with self.records.lock_file(unit).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def mirror_of(path: Path) -> Mirror | None:
    """The home that a path is below, if that is a bucket's; None for one on a disk."""
    for folder in (path, *path.parents):
        if (folder / MARKER).is_file():
            return _mirror(folder)
    return None


def complete(path: Path, without: Collection[str] = ()) -> None:
    """Have all files of a published folder here, where its home is a bucket's; see `Mirror.complete`."""
    mirror = mirror_of(path.absolute())
    if mirror is not None:
        mirror.complete(path.absolute(), without)


@contextmanager
def using(*folders: Path) -> Iterator[None]:
    """Have nothing of a run's folder, or of a pipeline's models, removed for room while the block runs."""
    with in_use(*(folder.absolute() for folder in folders if mirror_of(folder.absolute()))):
        yield


def if_shared(path: Path, do: Callable[[Mirror], None]) -> None:
    """Do it where the path's home is a bucket's."""
    mirror = mirror_of(path.absolute())
    if mirror is not None:
        do(mirror)


@cache
def _mirror(root: Path) -> Mirror:
    return Mirror(root, (root / MARKER).read_text(encoding="utf-8").strip())


def _key(entry: Entry | None) -> str:
    return entry.key if entry else ""
