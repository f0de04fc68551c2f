"""What a process wrote, synced, renamed and removed below a folder, in order, as `strace` saw it."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.proof.outside import Cannot

#: Everything by which the files can change or become durable.
_CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,msync,sync,syncfs,"
    "rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,truncate,fallocate,copy_file_range,sendfile"
)
#: A longer write is not cut in the record; the largest of SQLite is a page.
_LONGEST = 1_000_000
#: Calls that this reading does not know how to do again; none of them may be made on the files.
_UNKNOWN = frozenset(
    {"writev", "pwritev", "pwritev2", "sync_file_range", "msync", "link", "linkat", "truncate", "fallocate"}
    | {"copy_file_range", "sendfile", "creat", "renameat2"}
)
_LINE = re.compile(r"(?P<at>\d+\.\d+) (?P<call>\w+)\((?P<given>.*)\) += (?P<result>-?\d+|\?)(?P<rest>.*)$")
_TOOK = re.compile(r"<(\d+\.\d+)>$")
_FD = re.compile(r"(?P<fd>\d+)<(?P<path>[^>]*)>(?:\(deleted\))?")
_TEXT = re.compile(r'"([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing done to a file: when it was begun and done (seconds since 1970), what, to which name, with what."""

    began: float
    done: float
    kind: str
    name: str
    offset: int = 0
    data: bytes = b""
    target: str = ""


def command(prefix: Path, words: tuple[str, ...]) -> tuple[str, ...]:
    """Give the command that runs a program and records it into files that begin with `prefix`; `Cannot` without strace.

    The recorder stands aside (-D), so that the process that is started is the program itself.
    """
    found = shutil.which("strace")
    if found is None:
        raise Cannot("This proof records the process with strace, which is not on this machine. Install it.")
    options = ("-D", "-ff", "--seccomp-bpf", "-y", "-xx", "-s", str(_LONGEST), "-ttt", "-T", "-e", f"trace={_CALLS}")
    return (found, *options, "-o", str(prefix), *words)


def wait_for_end(prefix: Path, seconds: float = 20.0) -> None:
    """Wait until the recorder has written down the end of every thread."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        files = list(prefix.parent.glob(f"{prefix.name}.*"))
        if files and all(_ended(path) for path in files):
            return
        time.sleep(0.05)
    raise Cannot("The recorder did not come to its end.")


def _ended(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - 200))
        return b"+++" in file.read()


def read(prefix: Path, folder: Path) -> list[Operation]:
    """Give what was done to the files directly in a folder, in the order in which it was begun.

    Raises `Cannot` for a call on them that would have to be understood first.
    """
    found: list[Operation] = []
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        with path.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                found.extend(_operation(line, folder))
    return sorted(found, key=lambda operation: operation.began)


def _operation(line: str, folder: Path) -> Iterator[Operation]:
    match = _LINE.match(line)
    if match is None or match["result"].startswith("-"):
        return
    call, given = match["call"], match["given"]
    began = float(match["at"])
    took = _TOOK.search(match["rest"].rstrip())
    # What was under way at the process's end may have been done or not; it was surely not waited for.
    times = (began, began + float(took[1]) if took else math.inf)
    if call in {"sync", "syncfs"}:
        raise Cannot(f"The process called {call}, which this proof does not know.")
    if call in {"openat", "open"}:
        name = _below(_text(given), folder)
        if name is not None and "O_CREAT" in given:
            yield Operation(kind="create", name=name, began=times[0], done=times[1])
        if name is not None and "O_TRUNC" in given:
            yield Operation(kind="truncate", name=name, began=times[0], done=times[1])
        return
    if call in {"rename", "renameat", "unlink", "unlinkat"}:
        yield from _named(call, given, folder, times)
        return
    place = _FD.match(given)
    name = None if place is None else _below(_decoded(place["path"]), folder)
    if place is None or name is None:
        return
    if call in _UNKNOWN:
        raise Cannot(f"The process called {call} on {name}, which this proof does not know.")
    yield _on_file(call, given[place.end() :], name, times)


def _named(call: str, given: str, folder: Path, times: tuple[float, float]) -> Iterator[Operation]:
    texts = [_decoded(text) for text in _TEXT.findall(given)]
    names = [_below(text, folder) for text in texts]
    if call.startswith("rename") and (names[0] is not None or names[1] is not None):
        yield Operation(kind="rename", name=names[0] or "", target=names[1] or "", began=times[0], done=times[1])
    elif call.startswith("unlink") and names and names[0] is not None:
        yield Operation(kind="unlink", name=names[0], began=times[0], done=times[1])


def _on_file(call: str, rest: str, name: str, times: tuple[float, float]) -> Operation:
    if call in {"fsync", "fdatasync"}:
        return Operation(kind="sync", name=name, began=times[0], done=times[1])
    if call == "ftruncate":
        return Operation(kind="truncate", name=name, offset=int(rest.strip(", ")), began=times[0], done=times[1])
    text = _TEXT.search(rest)
    assert text is not None
    numbers = [int(number) for number in rest[text.end() :].strip(", ").split(", ")]
    data = bytes.fromhex(text[1].replace("\\x", ""))
    if len(data) < numbers[0]:
        raise Cannot(f"A write of {numbers[0]} bytes was not recorded whole.")
    if call == "pwrite64":
        return Operation(kind="write", name=name, data=data, offset=numbers[1], began=times[0], done=times[1])
    return Operation(kind="append", name=name, data=data, began=times[0], done=times[1])


def _text(given: str) -> str:
    match = _TEXT.search(given)
    return "" if match is None else _decoded(match[1])


def _decoded(text: str) -> str:
    return bytes.fromhex(text.replace("\\x", "")).decode("utf-8", "replace") if text.startswith("\\x") else text


def _below(path: str, folder: Path) -> str | None:
    """Give a file's name in the folder, empty for the folder itself; None for everything else."""
    if path == str(folder):
        return ""
    rest = path.removeprefix(f"{folder}/")
    return rest if rest != path and "/" not in rest else None
