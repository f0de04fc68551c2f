"""Findings about what a hub stands on: versions, disk, syncs, clock, file modes, the vault key."""

from __future__ import annotations

import platform
import re
import resource
import sqlite3
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from types import MappingProxyType

from hub.access.local_token import FILE_NAME as TOKEN
from hub.connections.keys import KEY_VARIABLE, key_path, present_key
from hub.connections.registry import load_connectors
from hub.errors import HubError
from hub.queries.checkup import Finding, fail, look, note, ok, span, warn
from hub.runtime.settings import HubSettings
from hub.store import heads, machine
from hub.store.sqlite import FILE_NAME

PACKAGE = "concord-hub"
#: Below this the hub may stop soon; below the other it is near to.
LITTLE_ROOM = 1_000_000_000
NO_ROOM = 200_000_000
#: A sync that takes longer, in seconds, makes every commit slow.
SLOW_SYNC = 0.05
#: No disk is as quick as that; what answers so has a cache that keeps it, or does nothing.
QUICK_SYNC = 0.000_01
#: Vendors refuse signatures and tokens beyond a few minutes.
SKEW = timedelta(seconds=30)
#: A log that is larger is kept from being taken into the database by somebody who reads.
LARGE_WAL = 256 * 1024 * 1024
FEW_FILES = 1024
#: Packages whose versions are asked for when something is strange.
TOLD = frozenset({"aiohttp", "cryptography", "fastapi", "pydantic", "sqlalchemy", "uvicorn", "uvloop"})


def examine(
    settings: HubSettings,
    *,
    now: datetime,
    skews: Mapping[str, timedelta] = MappingProxyType({}),
    jump: timedelta = timedelta(),
) -> list[Finding]:
    """Give all findings; `skews` is how far vendors' clocks are ahead, `jump` how far ours was set since the start.

    Both are known to a hub that runs alone.
    """
    data = settings.data
    return [
        *look("versions", _versions),
        *look("sqlite", _sqlite),
        *look("disk", lambda: _disk(data)),
        *look("file-system", lambda: _file_system(data)),
        *look("sync", lambda: _syncs(data)),
        *look("clock", lambda: _clock(data, now, skews, jump)),
        *look("open-files", _open_files),
        *look("file-modes", lambda: _modes(settings)),
    ]


def vault_key(settings: HubSettings, used: Collection[str]) -> Finding:
    """Tell whether the key is there that the secrets were sealed with (`used`: its ids)."""
    try:
        key = present_key(settings.environ, settings.data.resolve().name, settings.key_file)
    except HubError as error:
        return fail("vault-key", str(error), "Without the key no secret opens.")
    own = settings.environ.get(KEY_VARIABLE)
    where = KEY_VARIABLE if own else _key(settings)
    known = set() if key is None else {key.id, *(old.id for old in key.previous)}
    others = sorted(set(used) - known)
    if key is None and not used:
        return note("vault-key", "there is none yet", f"The first start makes one at {where}; keep a copy of it.")
    if key is None:
        return fail("vault-key", f"it is not at {where}", f"Put the key {', '.join(others)} there (mode 0600).")
    if others:
        advice = "Start with that key, or store these secrets again with `concord vault set`."
        return warn("vault-key", f"some secrets were sealed with another key ({', '.join(others)})", advice)
    if set(used) - {key.id}:
        advice = "Bring the change of the key to its end with `concord vault rotate-key`."
        return warn("vault-key", "some secrets are still sealed with an earlier key, which is here", advice)
    return ok("vault-key", f"{key.id}, from {where}")


def _versions() -> Iterator[Finding]:
    yield ok("versions", f"Concord {version(PACKAGE)}, Python {platform.python_version()}")
    yield _packages()
    broken = load_connectors().broken
    if broken:
        told = ", ".join(f"{plugin.name} of {plugin.package} ({plugin.reason})" for plugin in broken)
        yield fail("connectors", f"cannot be loaded: {told}", "Install a version that fits, or take it out.")


def _packages() -> Finding:
    wanted = [one for one in requires(PACKAGE) or () if "extra ==" not in one]
    found, missing = [], []
    for one in wanted:
        name = re.split(r"[\[<>=;~! ]", one, maxsplit=1)[0]
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(one)
    missing = [one for one in missing if "sys_platform" not in one]
    if missing:
        return fail("packages", f"missing: {', '.join(missing)}", "Install Concord again.")
    told = [one for one in found if one.split()[0] in TOLD]
    return ok("packages", f"{len(found)} are installed, among them {', '.join(told)}")


def _sqlite() -> Finding:
    found = f"SQLite {sqlite3.sqlite_version}"
    if machine.resets_are_safe():
        return ok("sqlite", found)
    return note(
        "sqlite",
        f"{found}: of 3.7.0 to 3.51.2, which can corrupt a log that several connections write",
        "The hub writes with one connection alone. Let no other program open the file while it runs.",
    )


def _disk(data: Path) -> Iterator[Finding]:
    free, whole = machine.room(data)
    path = data / FILE_NAME
    size = path.stat().st_size if path.exists() else 0
    found = f"{free / 1e9:,.1f} GB of {whole / 1e9:,.1f} GB are free; the database has {size / 1e6:,.1f} MB"
    if free < NO_ROOM:
        yield fail("disk", found, "Make room now: without it intake answers 503 and runs wait.")
    elif free < max(LITTLE_ROOM, size):
        yield warn("disk", found, "Make room: a backup is made of a copy. See `retention:` in docs/operations.md.")
    else:
        yield ok("disk", found)
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size > LARGE_WAL:
        found = f"{wal.stat().st_size / 1e6:,.0f} MB"
        yield warn("log-size", found, "Something reads the database for long, such as a backup; look for it.")


def _file_system(data: Path) -> Finding:
    kind = machine.file_system(data)
    if machine.is_network(kind):
        return fail("file-system", kind, "Put the data on a local disk: locks and syncs do not hold over a network.")
    if kind in machine.MEMORY:
        advice = "Put the data on a disk: here it is gone with the machine."
        return fail("file-system", f"{kind}, which is memory", advice)
    if kind == "overlay":
        advice = "Put the data on a volume: here it goes with the container."
        return warn("file-system", "the container's own layer", advice)
    return ok("file-system", kind or "unknown")


def _syncs(data: Path) -> Finding:
    syncs = machine.time_syncs(data)
    found = f"{syncs.median * 1000:,.2f} ms, at most {syncs.longest * 1000:,.1f} ms"
    if syncs.median > SLOW_SYNC:
        return warn("sync", found, "Every commit takes at least as long; use a faster disk.")
    if syncs.median < QUICK_SYNC:
        return warn("sync", found, "No disk is that quick: look whether it keeps what it says it has written.")
    return ok("sync", found)


def _clock(data: Path, now: datetime, skews: Mapping[str, timedelta], jump: timedelta) -> Finding:
    last = heads.last(data)
    if last is not None and last.head.at > now + SKEW:
        behind = span(last.head.at - now)
        return fail("clock", f"{behind} before the last signed head", "Set the clock; the past is signed already.")
    wrong = {host: skew for host, skew in skews.items() if abs(skew) > SKEW}
    if wrong:
        told = ", ".join(f"{host} {skew.total_seconds():+,.0f} s" for host, skew in sorted(wrong.items()))
        return warn("clock", f"vendors' clocks differ: {told}", "Set the clock, with NTP: webhooks and tokens expire.")
    if abs(jump) > SKEW:
        return warn("clock", f"set by {jump.total_seconds():+,.0f} s since the start", "Look at the machine's NTP.")
    compared = f", agrees with {', '.join(sorted(skews))}" if skews else ""
    return ok("clock", f"{now:%Y-%m-%d %H:%M:%S}Z{compared}")


def _open_files() -> Finding:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FEW_FILES:
        return warn("open-files", str(soft), f"Allow {FEW_FILES} or more (`ulimit -n`): each connection needs one.")
    return ok("open-files", str(soft))


def _key(settings: HubSettings) -> Path:
    return key_path(settings.environ, settings.data.resolve().name, settings.key_file)


def _modes(settings: HubSettings) -> Finding:
    data = settings.data
    names = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", heads.FILE_NAME, TOKEN)
    paths = [] if settings.environ.get(KEY_VARIABLE) else [_key(settings)]
    if machine.open_to_others(data) is not None:
        # In a folder that nobody else may enter, the files' own modes do not matter.
        paths.extend(data / name for name in names)
    wrong = [found for path in paths if (found := machine.open_to_others(path)) is not None]
    if wrong:
        return warn("file-modes", "; ".join(wrong), "Give them to the hub's user alone: `chmod go= FILE`.")
    return ok("file-modes", "the files belong to this user alone")
