"""`concord prove --upgrade OLD`: two versions work on one database while one takes the other's place, in a storm.

The old version is another folder of the program, an environment that it is installed in, or a revision of this
checkout; the new one is this program with some further steps of the migrations behind its own. Both are real processes.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

import hub
from hub.proof import judging, stage, upgrade_steps
from hub.proof.company import HUB_ROLES, LEASE, WORKER_ROLES, Company, Wanted
from hub.proof.conductor import Conductor, Say
from hub.proof.faults import Profile
from hub.proof.hub_process import POLL_SECONDS
from hub.proof.oracle import judge
from hub.proof.outside import Cannot, Proved
from hub.proof.performing import Performed, figures
from hub.proof.processes import Child, Processes
from hub.proof.progress import Shown
from hub.proof.scenario import draw
from hub.proof.servers import postgres
from hub.proof.stage import Stage
from hub.proof.upgrade_steps import Rehearsed
from hub.sdk import exact_json
from hub.workspace.loader import FOLDERS

#: Workers of each version, and how many seconds the invoices come.
WORKERS = 2
LASTS = 75.0
INVOICES = 200
#: What a program is made of, beside the folders of its workspace.
_PARTS = ("hub", "connectors", "ui")
#: Since this step a process works on newer tables, and may start on them.
_PATIENT_SINCE = "0010"
_RUN = "from hub.cli.main import run; run()"
#: What serves ends with whoever started it.
_HELD = f"from hub.proof.lifeline import hold; hold(); {_RUN}"
#: A killed worker is taken for gone within its lease and a look; so often it is asked meanwhile.
_GONE_WITHIN = 4.0 * LEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the program: how it serves and is run, and the newest step of the migrations that it knows."""

    name: str
    concord: tuple[str, ...]
    once: tuple[str, ...]
    newest: str

    @classmethod
    def of(cls, name: str, tree: Path, python: str = sys.executable) -> Version:
        """Take a folder that has the program in it, as a checkout or an installation has."""
        steps = [path.name[:4] for path in (tree / "hub/store/migrations/versions").glob("[0-9][0-9][0-9][0-9]_*.py")]
        if not steps:
            raise Cannot(f"There is no Concord in {tree}: no hub/store/migrations/versions.")
        # Where it is started from has no say in which program it is.
        within = ("/usr/bin/env", f"PYTHONPATH={tree}", python, "-P", "-c")
        return cls(name=name, concord=(*within, _HELD), once=(*within, _RUN), newest=max(steps))


def old_version(given: str, folder: Path) -> Version:
    """Find the old version: a folder of the program, an environment with it, or a revision of this checkout."""
    path = Path(given).resolve()
    if (path / "hub").is_dir():
        return Version.of("old", path)
    if (path / "bin" / "python").exists():
        packages = [each.parent for each in path.glob("lib*/python3*/site-packages/hub")]
        if not packages:
            raise Cannot(f"Concord is not installed in {path}.")
        return Version.of("old", packages[0], str(path / "bin" / "python"))
    root = Path(hub.__file__).parent.parent
    archive = subprocess.run(  # noqa: S603 - a revision that the caller names
        ["git", "-C", str(root), "archive", "--format=tar", given],  # noqa: S607 - the caller's own git
        capture_output=True,
        check=False,
    )
    if archive.returncode:
        reason = archive.stderr.decode("utf-8", "replace").strip().splitlines()[:1]
        raise Cannot(f"`{given}` is no folder with Concord, no environment, and no revision of {root}: {reason}")
    tree = folder / "old"
    tree.mkdir()
    subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)  # noqa: S603, S607 - as above
    return Version.of("old", tree)


def new_version(folder: Path) -> tuple[Version, Rehearsed]:
    """Copy this program, and put the rehearsal's steps behind its own."""
    root, tree = Path(hub.__file__).parent.parent, folder / "new"
    for part in {*_PARTS, *FOLDERS}:
        if (root / part).is_dir():
            shutil.copytree(root / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    rehearsed = upgrade_steps.write(tree / "hub/store/migrations/versions")
    return Version.of("new", tree), rehearsed


class Versions(Company):
    """Processes of two versions on one PostgreSQL; the first of the company are of the old one."""

    def __init__(self, processes: Processes, folder: Path, room: Path, seed: int, old: Version, new: Version) -> None:
        """Start the server."""
        super().__init__(processes, folder, room, Wanted(workers=WORKERS), seed)
        self.old, self.new = old, new
        self._numbers = itertools.count(1)

    @property
    def serve(self) -> tuple[str, ...]:
        """Give the command of the hub at first."""
        return self.serves(self.old)

    def serves(self, version: Version) -> tuple[str, ...]:
        """Give the command of the hub in a version."""
        return (*version.concord, "serve", "--roles", HUB_ROLES, "--lease", str(LEASE))

    def begin(self, environment: str, poll: int) -> None:
        """Start the workers of the old version."""
        self._environment, self._poll = environment, poll
        self.add(self.old)

    def add(self, version: Version) -> None:
        """Start workers of a version."""
        names = [f"{version.name}-{next(self._numbers)}" for _ in range(WORKERS)]
        launched = [(name, self._processes.launch(name, self._works(version, name))) for name in names]
        self._workers |= {name: self._processes.wait(name, process) for name, process in launched}

    def of(self, version: Version) -> Sequence[tuple[str, Child]]:
        """Give the workers of a version that run."""
        return [
            (name, child) for name, child in self._workers.items() if name.startswith(version.name) and child.running
        ]

    def kill(self, version: Version, *, again: bool) -> str:
        """Kill a worker of a version, and start it `again`; gives its name."""
        name, child = self.of(version)[0]
        child.kill()
        if again:
            self._workers[name] = self._processes.start(name, self._works(version, name))
        return name

    def run(self, version: Version, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command of a version to its end."""
        command = [*version.once, *words]
        return subprocess.run(command, capture_output=True, env=self._processes.environ, check=False, timeout=120)  # noqa: S603 - this program

    def starts(self, version: Version) -> subprocess.CompletedProcess[bytes]:
        """Start a worker of a version that is to be refused."""
        return subprocess.run(  # noqa: S603 - this program
            ["/usr/bin/timeout", "60", *self._works(version, "late", version.once)],
            capture_output=True,
            env=self._processes.environ,
            check=False,
        )

    def _works(self, version: Version, name: str, concord: Sequence[str] = ()) -> tuple[str, ...]:
        return (
            *(
                *(concord or version.concord),
                "worker",
                "--roles",
                WORKER_ROLES,
                "--lease",
                str(LEASE),
                "--port",
                "0",
                "--json",
            ),
            *("--data", str(self._folder / name), "--environment", self._environment, "--poll", str(self._poll)),
        )


class Upgrading(Conductor):
    """Lets the new version take the old one's place while invoices come and vendors fail."""

    def __init__(
        self, set_up: Stage, company: Versions, rehearsed: Rehearsed, say: Say, show: Any, pace: float
    ) -> None:
        """Take the stage with both versions."""
        super().__init__(set_up, say, show, per_second=pace)
        self._company, self._rehearsed = company, rehearsed
        self.findings: list[str] = []
        #: How many seconds each part of the migration took, beside the work.
        self.took: dict[str, float] = {}

    def _moments(self, kills: int) -> Sequence[tuple[float, Callable[[], None]]]:
        acts = (self._pre, self._add, self._replace_hub, self._too_early, self._kill, self._end_old, self._post)
        own = [(0.08 + 0.11 * place, act) for place, act in enumerate(acts)]
        return sorted([*super()._moments(kills), *own], key=lambda moment: moment[0])

    def _pre(self) -> None:
        self._migrate("--pre")
        self._expect({self._rehearsed.takes_away})

    def _add(self) -> None:
        self._say(f"{WORKERS} workers of the new version come to {WORKERS} of the old one.")
        self._company.add(self._company.new)

    def _replace_hub(self) -> None:
        self._say("The hub of the old version ends, and one of the new version takes its place.")
        self._stage.hub.serve_with(self._company.serves(self._company.new))
        self._stage.hub.end()
        self._stage.hub.start(poll=POLL_SECONDS)

    def _too_early(self) -> None:
        done = self._company.run(self._company.new, "migrate", "--post", "--data", str(self._stage.hub.data / "early"))
        if not done.returncode or b"have not ended" not in done.stderr + done.stdout:
            self.findings.append(f"what workers of the old version need was taken from them: {_said(done)}")
        self._say("What is to be done in the end is refused while workers of the old version live.")

    def _kill(self) -> None:
        old, new = self._company.old, self._company.new
        again = old.newest >= _PATIENT_SINCE
        killed = [self._company.kill(old, again=again), self._company.kill(new, again=True)]
        self._say(f"{' and '.join(killed)} are killed (-9); {'both start' if again else 'the new one starts'} again.")

    def _end_old(self) -> None:
        self._say("The workers of the old version end in order.")
        for _name, child in self._company.of(self._company.old):
            child.stop(20.0)

    def _post(self) -> None:
        until = time.monotonic() + _GONE_WITHIN
        while not self._migrate("--post", insists=time.monotonic() >= until):
            time.sleep(0.5)
        self._expect(set())
        late = self._company.starts(self._company.old)
        if not late.returncode or b"newer version of Concord" not in late.stderr:
            self.findings.append(f"a worker of the old version was not refused in the end: {_said(late)}")
        self._say("What only the old version needed is taken away; a worker of it is refused from here on.")

    def _migrate(self, part: str, *, insists: bool = True) -> bool:
        began = time.monotonic()
        done = self._company.run(self._company.new, "migrate", part, "--data", str(self._stage.hub.data / "migrating"))
        if done.returncode and insists:
            self.findings.append(f"`concord migrate {part}` failed: {_said(done)}")
        elif not done.returncode:
            self.took[part] = round(time.monotonic() - began, 1)
            self._say(f"`concord migrate {part}` took {self.took[part]:.1f} s beside the work.")
        return insists or not done.returncode

    def _expect(self, left: set[str]) -> None:
        done = self._company.run(self._company.new, "migrate", "--status", "--json")
        if done.returncode:
            self.findings.append(f"`concord migrate --status` failed: {_said(done)}")
            return
        steps = exact_json.loads(done.stdout)["steps"]
        found = {line["step"] for line in steps if line["state"] == "outstanding"}
        if found != left:
            self.findings.append(f"outstanding are the steps {sorted(found)}, not {sorted(left)}")


def prove(console: Console, *, given: str, invoices: int, seed: int) -> Proved:
    """Let the present version take the place of another one, judge, and tell how much each of them has done."""
    began = time.monotonic()
    scenario = draw(seed, invoices, flawed=True)
    with (
        tempfile.TemporaryDirectory(prefix="concord-proof-", ignore_cleanup_errors=True) as name,
        postgres.room() as room,
        Processes(Path(name) / "logs", stage.environ(Path(name))) as processes,
        Shown(console, scenario.steps) as shown,
    ):
        folder = Path(name)
        old, (new, rehearsed) = old_version(given, folder), new_version(folder)
        if old.newest >= rehearsed.takes_away:
            raise Cannot(f"{given} is newer than this version: its tables have come to step {old.newest}.")
        company = Versions(processes, folder, room, seed, old, new)
        set_up = stage.build(processes, folder, scenario=scenario, profile=Profile.STORM, port=0, company=company)
        conductor = Upgrading(set_up, company, rehearsed, shown.say, shown.numbers, invoices / LASTS)
        course = conductor.perform(0)
        shown.say("Comparing the books.")
        injected = {vendor: sandbox.injected() for vendor, sandbox in set_up.sandboxes.items()}
        _books, evidence = judging.gather(set_up, course)
        judgement = judge(evidence, judging.about_the_whole(set_up, course, evidence, injected))
        performed = Performed(stage=set_up, judgement=judgement, injected=injected, seconds=time.monotonic() - began)
        done = ended_by(company.database, old.newest)
    findings = [*conductor.findings, *performed.findings()]
    findings += [f"the {name} version has brought no run to its end" for name, number in done.items() if not number]
    return Proved(
        title=f"From {given} to this version, both at work",
        figures={
            "tables": f"{old.newest} to {new.newest}",
            "runs_ended_by": done,
            "migrated_in_s": {part.strip("-"): f"{seconds:.1f}" for part, seconds in conductor.took.items()},
            **figures(performed),
        },
        findings=tuple(findings),
    )


class _Leaf(msgspec.Struct):
    actor: str


def ended_by(database: str, newest: str) -> Mapping[str, int]:
    """Count the runs that workers of each version have brought to their end, as the audit log tells.

    Workers that know no more than the step `newest` are of the old one.
    """
    import psycopg  # noqa: PLC0415 - nothing else here needs the driver

    with psycopg.connect(database) as connection:
        known: dict[str, str] = dict(connection.execute("SELECT id, coalesce(tables, '') FROM workers").fetchall())
        kinds = "('run.succeeded', 'run.parked')"
        entries = connection.execute(f"SELECT entry FROM audit WHERE kind IN {kinds}").fetchall()  # noqa: S608 - words
    ended: Counter[str] = Counter()
    for (entry,) in entries:
        worker = msgspec.json.decode(entry, type=_Leaf).actor
        if worker in known:
            ended["old" if known[worker] <= newest else "new"] += 1
    return {"old": ended["old"], "new": ended["new"]}


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    return f"exit {done.returncode}: {(done.stderr + done.stdout).decode('utf-8', 'replace').strip()[-300:]}"
