"""The workspace at any revision of the git repository that holds its folder, read without a work tree."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from dulwich.errors import NotGitRepository
from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.objectspec import parse_commit
from dulwich.repo import Repo

from hub.errors import HubError, NotFound, WorkspaceInvalid
from hub.workspace.loader import FOLDERS, Intake, read_files
from hub.workspace.origin import Origin
from hub.workspace.source.lint import close_match

#: A chain of links that is longer leads nowhere.
_MOST_LINKS = 8
#: A name or id, and the way from it to a parent: `HEAD~2`, `v1.0^`.
_REVISION = re.compile(r"([^~^:{]+)((?:[~^][0-9]{0,4}){0,20})")
_STEP = re.compile(r"([~^])([0-9]*)")


def read_revision(folder: Path, revision: str) -> tuple[dict[str, bytes], Origin]:
    """Read the workspace in `folder` as it is at a branch, tag, full or short id, or `HEAD~1`.

    The same folders, endings and limits hold as for a folder. Raises `NotFound` without a repository, for an unknown
    revision, and when the folder was no workspace then; `WorkspaceInvalid` for links that lead out and submodules.
    """
    with _repository(folder) as repo:
        commit = _commit(repo, revision)
        files = _Reading(repo, _inside(repo, folder), revision).files(commit)
    return files, Origin(commit=commit.id.decode())


def origin_of(folder: Path, files: Mapping[str, bytes] | None = None) -> Origin | None:
    """Tell the commit that a folder stands on, and whether its workspace differs from it; None outside git.

    `files` are the folder's workspace files where they have been read already.
    """
    try:
        with _repository(folder) as repo:
            head = repo.head()
    except (HubError, KeyError, OSError, ValueError):
        return None
    try:
        committed, _ = read_revision(folder, "HEAD")
    except HubError:
        # The commit has no workspace here, or one that cannot be read; the folder is new on top of it.
        committed = None
    here = files if files is not None else read_files(folder)
    return Origin(commit=head.decode(), dirty=committed != here)


@contextmanager
def _repository(folder: Path) -> Iterator[Repo]:
    try:
        repo = Repo.discover(str(folder.resolve()))
    except NotGitRepository:
        raise NotFound(
            "The workspace is in no git repository; name `.` for the folder as it is, or a published revision.",
            code="no-repository",
            folder=str(folder),
        ) from None
    try:
        yield repo
    finally:
        repo.close()


def _inside(repo: Repo, folder: Path) -> str:
    """Give the path of the folder within its repository, with `/`; empty for the repository's own folder."""
    inside = folder.resolve().relative_to(Path(repo.path).resolve()).as_posix()
    return "" if inside == "." else inside


def _commit(repo: Repo, revision: str) -> Commit:
    match = _REVISION.fullmatch(revision)
    try:
        if match is None:
            raise KeyError(revision)
        found = parse_commit(repo, "HEAD" if match[1] == "@" else match[1])
        for step, number in _STEP.findall(match[2]):
            for _ in range(int(number or "1") if step == "~" else 1):
                parent = 0 if step == "~" else int(number or "1") - 1
                found = parse_commit(repo, found.parents[parent]) if parent >= 0 else found
    except (KeyError, ValueError, IndexError, UnicodeError, AssertionError, OSError) as error:
        names = _names(repo)
        near = close_match(revision, names)
        known = ", ".join(f"`{name}`" for name in sorted(names)[:8])
        hint = f" Did you mean `{near[0]}`?" if near else f" Known: {known}." if known else ""
        raise NotFound(
            f"The repository has no revision `{revision[:80]}`.{hint}", code="unknown-revision", repository=repo.path
        ) from error
    return found


def _names(repo: Repo) -> list[str]:
    """List what a person may have meant: branches, tags, branches of remotes."""
    names = {"HEAD"}
    for name in repo.refs.allkeys():
        text = name.decode("utf-8", "replace")
        names |= {text.removeprefix(part) for part in ("refs/heads/", "refs/tags/", "refs/remotes/") if part in text}
    return sorted(names)


class _Reading:
    """One pass over the trees of a commit."""

    def __init__(self, repo: Repo, inside: str, revision: str) -> None:
        self.repo = repo
        self.inside = inside
        self.revision = revision

    def files(self, commit: Commit) -> dict[str, bytes]:
        """Give the workspace's files."""
        root = self._entry(commit.tree, self.inside)
        flows = None if root is None else self._entry(root[1], "flows")
        if root is None or flows is None or not stat.S_ISDIR(flows[0]):
            raise NotFound(
                f"At `{self.revision}` this folder is no workspace: it has no `flows` folder.",
                code="no-workspace",
                folder=self.inside or ".",
            )
        taken = Intake(f"the revision {self.revision}")
        for name, endings in FOLDERS.items():
            folder = self._entry(root[1], name)
            if folder is not None and stat.S_ISDIR(folder[0]):
                self._folder(root[1], folder[1], name, endings, taken)
        return taken.files

    def _folder(self, root: ObjectID, tree: ObjectID, path: str, endings: tuple[str, ...], taken: Intake) -> None:
        for entry in self._tree(tree).iteritems():
            assert entry.path is not None
            assert entry.mode is not None
            assert entry.sha is not None
            name = f"{path}/{entry.path.decode('utf-8', 'replace')}"
            if stat.S_ISDIR(entry.mode):
                self._folder(root, entry.sha, name, endings, taken)
            elif stat.S_IFMT(entry.mode) == 0o160000:
                raise WorkspaceInvalid(
                    "A folder of the workspace is a submodule; its files are in another repository.",
                    code="submodule",
                    path=name,
                    revision=self.revision,
                )
            elif posixpath.splitext(name)[1] in endings:
                content = self._content(root, name, entry.mode, entry.sha)
                if content is not None:
                    taken.take(name, len(content), partial(bytes, content))

    def _content(self, root: ObjectID, name: str, mode: int, sha: ObjectID) -> bytes | None:
        """Give a file's bytes; a link counts as what it leads to, and None when there is nothing."""
        place = name
        for _ in range(_MOST_LINKS):
            found = self.repo[sha]
            assert isinstance(found, Blob)
            if not stat.S_ISLNK(mode):
                return found.data
            place = posixpath.normpath(posixpath.join(posixpath.dirname(place), found.data.decode("utf-8", "replace")))
            if place.startswith(("../", "/")) or place == "..":
                raise WorkspaceInvalid("A link leads out of the workspace.", path=name, revision=self.revision)
            entry = self._entry(root, place)
            if entry is None or (not stat.S_ISREG(entry[0]) and not stat.S_ISLNK(entry[0])):
                return None
            mode, sha = entry
        return None

    def _entry(self, tree: ObjectID, path: str) -> tuple[int, ObjectID] | None:
        if not path:
            return stat.S_IFDIR, tree
        try:
            return self._tree(tree).lookup_path(self.repo.object_store.__getitem__, path.encode())
        except (KeyError, NotADirectoryError):
            return None

    def _tree(self, sha: ObjectID) -> Tree:
        found = self.repo[sha]
        assert isinstance(found, Tree)
        return found
