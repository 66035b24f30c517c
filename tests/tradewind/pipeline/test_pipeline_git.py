"""The versions of a pipeline's file in a real git repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.errors import UserError
from tradewind.pipeline import git

Commit = Callable[..., None]


def _git(folder: Path, *arguments: str) -> None:
    identity = {
        "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@b",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }  # fmt: skip
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env=os.environ | identity)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three versions: made, renamed with a change, changed; another file's commits between them."""
    folder = tmp_path / "pipelines"
    folder.mkdir()
    _git(tmp_path, "init", "--quiet")
    old, new = folder / "old name.yaml", folder / "qa-한글.yaml"
    text = "\n".join(f"line {n}" for n in range(20))
    for number, (path, subject) in enumerate([(old, "Begin"), (new, "Rename: it's\tnow"), (new, "Change")], 1):
        if path is new and old.exists():
            _git(folder, "mv", old.name, new.name)
        path.write_text(f"{text}\nversion {number}\n", encoding="utf-8")
        (folder / "other.yaml").write_text(f"{number}")
        _git(folder, "add", "--all")
        _git(folder, "commit", "--quiet", "--message", subject)
        (folder / "other.yaml").write_text(f"{number} again")
        _git(folder, "commit", "--quiet", "--all", "--message", "Not of this file")
    return new


def test_its_versions_are_shown_through_a_rename(file: Path) -> None:
    versions = git.history(file)
    assert [(one.number, one.author, one.subject) for one in versions] == [
        (3, "Ada", "Change"), (2, "Ada", "Rename: it's\tnow"), (1, "Ada", "Begin"),
    ]  # fmt: skip
    assert [git.text_of(file, one).splitlines()[-1] for one in versions] == ["version 3", "version 2", "version 1"]


@pytest.mark.parametrize("by_hash", [False, True])
def test_a_restored_version_is_a_change_and_no_rewritten_history(file: Path, by_hash: bool) -> None:
    before = git.history(file)
    first = git.find(file, before[-1].commit[:8] if by_hash else "v1")
    git.restore(file, first)
    assert file.read_text(encoding="utf-8").endswith("version 1\n")
    assert git.is_changed(file)
    assert git.history(file) == before
    _git(file.parent, "commit", "--quiet", "--all", "--message", "Back to v1")
    assert [one.number for one in git.history(file)] == [4, 3, 2, 1]


def test_what_git_does_not_have_is_not_lost(file: Path) -> None:
    file.write_text("mine")
    with pytest.raises(UserError, match="has changes that are not committed, and would be lost; commit them"):
        git.restore(file, git.find(file, "v1"))
    assert file.read_text() == "mine"


@pytest.mark.parametrize("wanted", ["v4", "v0", "1", "", "--help", "deadbeef"])
def test_a_version_that_is_none_is_told(file: Path, wanted: str) -> None:
    with pytest.raises(UserError, match=r"has no version '.*'; there are v1 to v3, see `history`"):
        git.find(file, wanted)


def test_a_commit_is_told_only_where_it_holds_this_very_text(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    assert git.commit_of(file, text) == git.history(file)[0].commit
    assert git.commit_of(file, text + "# more\n") is None


def test_a_version_that_is_no_text_is_not_restored_as_another_one(file: Path) -> None:
    file.write_bytes(b"name: mine  # \xe9\n")
    _git(file.parent, "commit", "--quiet", "--all", "--message", "Latin")
    file.write_text("name: mine\n")
    _git(file.parent, "commit", "--quiet", "--all", "--message", "Text")
    with pytest.raises(UserError, match=r"qa-한글.yaml: v4 is not UTF-8; take it by `git checkout`"):
        git.restore(file, git.find(file, "v4"))
    assert file.read_text() == "name: mine\n"


def test_a_version_in_which_it_was_deleted_is_told(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    _git(file.parent, "rm", "--quiet", file.name)
    _git(file.parent, "commit", "--quiet", "--message", "Delete")
    file.write_text(text, encoding="utf-8")
    _git(file.parent, "add", "--all")
    _git(file.parent, "commit", "--quiet", "--message", "Make it again")
    deleted = next(one for one in git.history(file) if one.subject == "Delete")
    with pytest.raises(UserError, match=r"was deleted in v\d; choose the version before"):
        git.restore(file, deleted)


def test_a_detached_head_has_the_versions_before_it(file: Path) -> None:
    _git(file.parent, "checkout", "--quiet", "--detach", "HEAD~1")
    assert [one.number for one in git.history(file)] == [3, 2, 1]
    git.restore(file, git.find(file, "v1"))
    assert git.is_changed(file)


def test_a_shallow_clone_is_known_for_one(file: Path, tmp_path: Path) -> None:
    assert not git.is_shallow(file)
    shallow = tmp_path / "shallow"
    _git(tmp_path, "clone", "--quiet", "--depth", "2", f"file://{tmp_path}", str(shallow))
    copy = shallow / "pipelines" / file.name
    assert git.is_shallow(copy)
    assert len(git.history(copy)) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_repository_of_another_user_is_told(file: Path, tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 4242, 4242)
    with pytest.raises(UserError, match="the repository is another user's; run this as its owner, or see"):
        git.history(file)


def test_without_a_repository_or_a_commit_it_says_what_to_do(tmp_path: Path) -> None:
    lone = tmp_path / "lone.yaml"
    lone.write_text("a: 1\n")
    with pytest.raises(UserError, match=r"lone.yaml: is in no git repository, so no versions are kept"):
        git.history(lone)
    assert git.commit_of(lone, "a: 1\n") is None
    _git(tmp_path, "init", "--quiet")
    with pytest.raises(UserError, match=r"lone.yaml: (git keeps no version of it|git: your current branch)"):
        git.history(lone)
    with pytest.raises(UserError, match="no such file"):
        git.history(tmp_path / "none.yaml")


def test_without_git_it_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(UserError, match="git: is not installed"):
        git.history(file)
