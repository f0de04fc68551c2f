"""`concord crossrefs` and `concord duplicates` from the command line: what is asked, told, ordered and refused."""

from __future__ import annotations

import asyncio
import json
import random
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from typer.testing import CliRunner, Result

from hub.cli import at_hub, crossrefs, place
from hub.cli.main import app
from hub.cli.reach import Reached, reach
from hub.errors import HubError
from hub.model.ambient import Ambient
from hub.runtime.clock import SystemClock
from hub.store import pairs
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database
from hub.store.things import By
from hub.workspace.starting import start_workspace, starter_files

ENVIRONMENT = "local"
WHY = ("--reason", "one company")
#: The pairs that wait when a test begins: each test says something of its own.
WAITING = (("c1", "c2"), ("c3", "c4"), ("c5", "c6"))


async def _open_pairs(data: Path) -> None:
    ambient = Ambient(clock=SystemClock(), random=random.Random(1))
    database = Database(data)
    committer = Committer(database, ambient)
    committer.start()

    def work(transaction: Transaction) -> None:
        by = By(environment=ENVIRONMENT, entity="customer", actor="flow:tested")
        for one, other in WAITING:
            pairs.open_pair(
                transaction, by, policy="twins", record=("crm", other), other=("crm", one), keys=["tax number"]
            )

    await committer.commit(Work(work))
    await committer.stop()
    database.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep one hub open for all commands of this module, with customers of two systems and pairs of them."""
    data, patched = tmp_path_factory.mktemp("things"), pytest.MonkeyPatch()
    workspace = start_workspace(tmp_path_factory.mktemp("workspace"), starter_files()).folder
    patched.setenv("CONCORD_KEY", b64encode(bytes(range(32))).decode())
    settings = place.settings(data, workspace, ENVIRONMENT, None)
    with reach(settings, begins=True) as reached:
        rows = [{"crm": f"c{number}", "erp": f"e{number}"} for number in range(1, 13)]
        reached.put("/api/crossrefs/customer", {"rows": rows, "replace": False})
    asyncio.run(_open_pairs(data))
    with reach(settings) as reached:

        @contextmanager
        def there(*_settings: Any, **_begins: Any) -> Iterator[Reached]:
            yield reached

        # Made for each command it would take as long as that.
        command = typer.main.get_command(app)
        patched.setattr(typer.testing, "_get_command", lambda _app: command)
        for module in (at_hub, crossrefs):
            patched.setattr(module, "reach", there)
        yield
    patched.undo()


def run(*words: str, input: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=input, env={"COLUMNS": "200"})


def told(*words: str) -> Any:
    """Give what a command prints for machines."""
    done = run(*words, "--json")
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def said(*words: str, input: str | None = None) -> str:
    """Give what a command prints for people."""
    done = run(*words, input=input)
    assert done.exit_code == 0, (done.output, done.exception)
    return " ".join(done.stdout.split())


def refused(*words: str) -> tuple[int, str, str]:
    """Give the exit status, the code and the sentence of a command that the hub refuses."""
    done = run(*words)
    assert isinstance(done.exception, HubError), (done.output, done.exception)
    return done.exit_code, done.exception.code, str(done.exception)


def named(id: str) -> Any:
    """Give the thing that an id names now; things that it named once are shown too."""
    (thing,) = (one for one in told("crossrefs", "show", id) if id in {each["id"] for each in one["ids"]})
    return thing


def thing_of(id: str) -> str:
    return str(named(id)["thing"])


def ids_of(id: str) -> list[tuple[str, str, bool]]:
    return [(each["system"], each["id"], each["alias"]) for each in named(id)["ids"]]


@pytest.mark.usefixtures("hub")
def test_what_an_id_names_is_shown_by_any_of_its_ids() -> None:
    assert ids_of("e11") == ids_of("c11") == [("crm", "c11", False), ("erp", "e11", False)]
    shown = said("crossrefs", "show", "e11", "--entity", "customer")
    assert thing_of("c11") in shown
    assert "crm" in shown and "c11" in shown
    (thing,) = told("crossrefs", "history", "c11")
    assert {("tied", "crm"), ("tied", "erp")} <= {(row["what"], row["system"]) for row in thing["history"]}
    assert "erp e11 was tied to it" in said("crossrefs", "history", "c11")


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("command", ["show", "history"])
def test_an_id_that_nothing_has_is_told_so(command: str) -> None:
    for more, sentence in (
        ((), "No thing has or had the id nobody's."),
        (("--at", "2026-01-05T06:00+01:00"), "No thing had the id nobody's then."),
    ):
        done = run("crossrefs", command, "nobody's", *more)
        assert (done.exit_code, sentence in " ".join(done.output.split())) == (2, True), done.output
    assert run("crossrefs", command, "c11", "--at", "yesterday").exit_code != 0


@pytest.mark.usefixtures("hub")
def test_two_things_become_one_and_are_taken_apart_again() -> None:
    into, gone = thing_of("c7"), thing_of("c8")
    done = told("crossrefs", "merge", "customer", into, gone, "--primary", "erp=e8", *WHY)
    assert done["thing"] == into
    assert ids_of("c8") == [("crm", "c7", False), ("crm", "c8", True), ("erp", "e8", False), ("erp", "e7", True)]
    assert thing_of("c8") == into
    assert "one company" in said("crossrefs", "history", "c8")
    told_apart = said("crossrefs", "split", "customer", done["merge"], *WHY)
    assert told_apart == f"{done['merge']} is taken back; the two are different things from now on."
    assert (thing_of("c7"), thing_of("c8")) == (into, gone)
    again = refused("crossrefs", "split", "customer", done["merge"], *WHY)
    assert again[:2] == (1, "split-already")


@pytest.mark.usefixtures("hub")
def test_an_alias_becomes_what_others_are_given_and_an_id_is_untied() -> None:
    into, gone = thing_of("c9"), thing_of("c10")
    merged = said("crossrefs", "merge", "customer", into, gone, input="one company\n")
    assert f"{gone} is {into} from now on; `concord crossrefs split customer merge_" in merged
    assert said("crossrefs", "prefer", "customer", "crm", "c10", *WHY) == "crm c10 is given to others from now on."
    assert ("crm", "c10", False) in ids_of("c9")
    assert told("crossrefs", "untie", "customer", "crm", "c9", *WHY) == {"system": "crm", "id": "c9"}
    assert ("crm", "c9", True) not in ids_of("e9")
    assert "crm c9 was untied" in said("crossrefs", "history", "e9")


@pytest.mark.usefixtures("hub")
def test_a_thing_is_put_under_another_and_shown_there() -> None:
    child, parent = thing_of("c11"), thing_of("c12")
    assert said("crossrefs", "move", "customer", child, "--under", parent, *WHY) == f"{child} stands under {parent}."
    assert "> crm c11, erp e11" in said("crossrefs", "show", "c11")
    circle = refused("crossrefs", "move", "customer", parent, "--under", child, *WHY)
    assert circle[:2] == (1, "hierarchy-circle")
    assert told("crossrefs", "move", "customer", child, *WHY) == {"thing": child, "parent": None}


#: An order about something that there is not, and what is said of it.
UNKNOWN: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("crossrefs", "merge", "customer", "thing_x", "thing_y"), "not-found", "Nothing names this thing"),
    (("crossrefs", "split", "customer", "merge_x"), "not-found", "There is no such merge."),
    (("crossrefs", "move", "customer", "thing_x"), "not-found", "Nothing names this thing"),
    (("crossrefs", "prefer", "customer", "crm", "nobody's"), "not-found", "Nothing is tied to this id."),
    (("crossrefs", "untie", "customer", "crm", "nobody's"), "not-tied", "Nothing is tied to this id."),
    (("duplicates", "same", "pair_x"), "not-found", "There is no such pair."),
    (("duplicates", "different", "pair_x"), "not-found", "There is no such pair."),
)


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize(("words", "code", "sentence"), UNKNOWN, ids=[" ".join(words[:2]) for words, _, _ in UNKNOWN])
def test_what_is_not_there_is_told_so(words: tuple[str, ...], code: str, sentence: str) -> None:
    status, found, text = refused(*words, *WHY)
    assert (status, found) == (1, code)
    assert sentence in text
    assert refused(*words, "--reason", " ")[1] in ("no-reason", code)


@pytest.mark.usefixtures("hub")
def test_an_id_that_is_no_id_of_a_system_is_refused_before_anything_is_asked() -> None:
    for words in (("crossrefs", "merge", "customer", "thing_x", "thing_y"), ("duplicates", "same", "pair_x")):
        done = run(*words, "--primary", "e8", *WHY)
        assert done.exit_code == 2
        assert "--primary is SYSTEM=ID, such as netsuite=1042, not `e8`." in " ".join(done.output.split())


def waiting() -> list[Any]:
    return list(told("duplicates", "list"))


def pair_of(id: str) -> str:
    (pair,) = (one["pair"] for one in waiting() if id in (one["one"]["id"], one["other"]["id"]))
    return str(pair)


@pytest.mark.usefixtures("hub")
def test_a_pair_is_listed_shown_and_said_to_be_one() -> None:
    pair = pair_of("c1")
    assert pair in said("duplicates", "list", "--entity", "customer")
    shown = said("duplicates", "show", pair)
    assert "customer, open; agree in: tax number" in shown
    assert "The records are withheld, or retention has taken one" in shown
    assert told("duplicates", "show", pair)["pair"] == pair
    kept = thing_of("c2")
    done = told("duplicates", "same", pair, "--keep", kept, "--primary", "crm=c1", *WHY)
    assert done["thing"] == kept
    assert ids_of("c2")[:2] == [("crm", "c1", False), ("crm", "c2", True)]
    assert pair not in {one["pair"] for one in waiting()}
    assert pair in {one["pair"] for one in told("duplicates", "list", "--state", "same")}


@pytest.mark.usefixtures("hub")
def test_a_pair_is_said_to_be_two() -> None:
    pair = pair_of("c3")
    done = said("duplicates", "different", pair, *WHY)
    assert done == "They are different things. Replay the run that waits: `concord cases list`."
    assert thing_of("c3") != thing_of("c4")
    assert pair in said("duplicates", "list", "--state", "different")
    assert "Nobody waits for a word." in said("duplicates", "list", "--entity", "product")


@pytest.mark.usefixtures("hub")
def test_who_says_no_reason_is_asked_for_one() -> None:
    said_so = said("duplicates", "same", pair_of("c5"), input="the same register\n")
    assert f"Both are {thing_of('c5')}." in said_so
    assert "the same register" in said("crossrefs", "history", "c6")


@pytest.mark.usefixtures("hub")
def test_a_pair_that_is_not_there_is_told_so() -> None:
    status, code, sentence = refused("duplicates", "show", "pair_x")
    assert (status, code) == (1, "not-found")
    assert "There is no such pair." in sentence
