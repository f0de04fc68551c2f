"""The workspace at any revision of the repository that holds its folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.index import commit_tree
from dulwich.objects import Blob, ObjectID
from dulwich.repo import Repo

from hub.errors import HubError, NotFound, WorkspaceInvalid
from hub.workspace import loader
from hub.workspace.git import origin_of, read_revision

WHO = b"Tests <tests@example.com>"


class Repository:
    """A repository whose workspace is a folder in it."""

    def __init__(self, root: Path, inside: str = "concord") -> None:
        """Make it, with one commit."""
        self.repo = Repo.init(str(root), mkdir=True, default_branch=b"main")
        self.folder = root / inside
        self.first = self.commit({"flows/a.yaml": "flow: a\n", "notes/n.txt": "x"})

    def commit(self, files: dict[str, str]) -> str:
        """Write files and commit everything."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        porcelain.add(self.repo, [str(path) for path in self.folder.rglob("*") if path.is_file()])
        return porcelain.commit(self.repo, message=b"change", author=WHO, committer=WHO).decode()

    def tree(self, *entries: tuple[str, int, bytes]) -> str:
        """Commit a tree of entries that no work tree need hold: path, mode, and content or id; gives the commit."""
        made = []
        for path, mode, content in entries:
            sha = ObjectID(content)
            if mode != 0o160000:
                blob = Blob.from_string(content)
                self.repo.object_store.add_object(blob)
                sha = blob.id
            made.append((path.encode(), sha, mode))
        tree = commit_tree(self.repo.object_store, made)
        return self.repo.get_worktree().commit(message=b"made", tree=tree, author=WHO, committer=WHO).decode()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def test_any_way_to_name_a_revision_gives_its_files(repository: Repository) -> None:
    second = repository.commit({"flows/a.yaml": "flow: b\n", "mappings/tables/t.csv": "key,value\n"})
    porcelain.tag_create(repository.repo, b"v1", message=b"one", author=WHO, annotated=True, objectish=second.encode())
    porcelain.tag_create(repository.repo, b"plain", objectish=repository.first.encode())
    newest = {"flows/a.yaml": b"flow: b\n", "mappings/tables/t.csv": b"key,value\n"}
    oldest = {"flows/a.yaml": b"flow: a\n"}
    for name in ("main", "HEAD", "@", "v1", second, second[:7], "refs/heads/main", "HEAD^0", "main~0"):
        files, origin = read_revision(repository.folder, name)
        assert (files, origin.commit, origin.dirty) == (newest, second, False), name
    for name in ("HEAD~1", "HEAD^", "v1~1", "plain", repository.first[:8], "HEAD^1"):
        assert read_revision(repository.folder, name)[0] == oldest, name


def test_the_repositorys_own_folder_may_be_the_workspace(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo", inside="")
    assert list(read_revision(repository.folder, "main")[0]) == ["flows/a.yaml"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mian", "Did you mean `main`?"), ("nothing-like-it", "Known: `HEAD`, `main`")],
)
def test_an_unknown_revision_is_told_with_the_nearest_names(repository: Repository, name: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_revision(repository.folder, name)
    assert f"no revision `{name}`" in str(caught.value)
    assert hint in str(caught.value)


@pytest.mark.parametrize("name", ["", "HEAD~9", "HEAD^2", "HEAD:flows", "@{u}", "a..b", "\0", "é", "HEAD^{tree}", "~1"])
def test_whatever_is_asked_for_is_answered_in_words(repository: Repository, name: str) -> None:
    with pytest.raises(NotFound, match="no revision"):
        read_revision(repository.folder, name)


def test_a_folder_in_no_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    with pytest.raises(NotFound, match="in no git repository"):
        read_revision(tmp_path, "HEAD")
    assert origin_of(tmp_path) is None


def test_a_revision_from_before_the_workspace_is_told(repository: Repository) -> None:
    repository.tree(("README.md", 0o100644, b"nothing yet"))
    with pytest.raises(NotFound, match="no `flows` folder"):
        read_revision(repository.folder, "HEAD")


def test_links_may_lead_about_in_the_workspace_but_not_out_of_it(repository: Repository) -> None:
    flow = ("concord/flows/a.yaml", 0o100644, b"flow: a\n")
    repository.tree(flow, ("concord/flows/b.yaml", 0o120000, b"a.yaml"), ("concord/flows/c.yaml", 0o120000, b"gone"))
    files, _ = read_revision(repository.folder, "HEAD")
    assert files == {"flows/a.yaml": b"flow: a\n", "flows/b.yaml": b"flow: a\n"}
    repository.tree(flow, ("secret.yaml", 0o100644, b"x"), ("concord/flows/b.yaml", 0o120000, b"../../secret.yaml"))
    with pytest.raises(WorkspaceInvalid, match=r"A link leads out of the workspace\..*flows/b\.yaml"):
        read_revision(repository.folder, "HEAD")
    repository.tree(flow, ("concord/flows/b.yaml", 0o120000, b"b.yaml"))
    assert list(read_revision(repository.folder, "HEAD")[0]) == ["flows/a.yaml"]


def test_a_submodule_in_the_workspace_is_told(repository: Repository) -> None:
    flow = ("concord/flows/a.yaml", 0o100644, b"flow: a\n")
    repository.tree(flow, ("concord/mappings/shared", 0o160000, b"1" * 40))
    with pytest.raises(WorkspaceInvalid, match=r"submodule.*mappings/shared"):
        read_revision(repository.folder, "HEAD")


def test_the_limits_of_a_folder_hold_for_a_revision(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "MAX_FILE", 3)
    with pytest.raises(WorkspaceInvalid, match=r"too large.*flows/a\.yaml"):
        read_revision(repository.folder, "HEAD")


def test_a_folder_says_on_which_commit_it_stands_and_whether_it_was_changed(repository: Repository) -> None:
    origin = origin_of(repository.folder)
    assert origin is not None
    assert (origin.commit, origin.dirty) == (repository.first, False)
    (repository.folder / "README.md").write_text("no part of the workspace")
    clean = origin_of(repository.folder)
    assert clean is not None
    assert not clean.dirty
    (repository.folder / "flows" / "new.yaml").write_text("flow: new\n")
    changed = origin_of(repository.folder)
    assert changed is not None
    assert changed.dirty
    assert str(changed) == f"{repository.first[:10]} with changes"


def test_a_repository_without_commits_has_no_origin(tmp_path: Path) -> None:
    Repo.init(str(tmp_path / "empty"), mkdir=True).close()
    (tmp_path / "empty" / "flows").mkdir()
    assert origin_of(tmp_path / "empty") is None
    with pytest.raises(HubError):
        read_revision(tmp_path / "empty", "HEAD")
