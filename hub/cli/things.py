"""`concord crossrefs` and `concord duplicates`: what names a thing, what became of it, and what people say of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from hub.cli.at_hub import AtHub, at_hub
from hub.cli.output import EXIT_WRONG, console, fail, minute, print_json, print_table
from hub.cli.times import moment
from hub.model.thing import PairState

app = typer.Typer(no_args_is_help=True)

Given = Annotated[str, typer.Argument(metavar="ID", help="An id in any system, as it is now or ever was.")]
Entity = Annotated[str, typer.Argument(metavar="ENTITY", help="What kind of thing, such as `customer`.")]
Thing = Annotated[str, typer.Argument(metavar="THING", help="The thing's own name, as `crossrefs show` tells it.")]
Pair = Annotated[str, typer.Argument(metavar="PAIR", help="The pair's name, as `duplicates list` tells it.")]
Only = Annotated[str | None, typer.Option("--entity", help="Only things of this kind.")]
At = Annotated[str | None, typer.Option("--at", help="As it was at this day or time, such as 2026-01-05T06:00+01:00.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; it is kept. Asked for when missing.")]
Primary = Annotated[
    list[str] | None,
    typer.Option("--primary", help="SYSTEM=ID: the id that others are given in a system in which both have one."),
]


@at_hub
def show(
    hub: AtHub,
    id: Given,
    entity: Only = None,
    at: At = None,
) -> None:
    """Show what an id names: its ids in every system, its place in the tree, and what is to be done about it."""
    found = _found(hub, id, entity, at)
    if hub.json:
        print_json(found)
        return
    for thing in found:
        _show(thing)


@at_hub
def history(
    hub: AtHub,
    id: Given,
    entity: Only = None,
    at: At = None,
) -> None:
    """Tell everything that became of what an id names or named: tied, untied, merged, split and moved, by whom and why.

    With `--at`, only what had happened by then.
    """
    found = _found(hub, id, entity, at)
    if hub.json:
        print_json([{name: thing[name] for name in ("entity", "thing", "history")} for thing in found])
        return
    for thing in found:
        console.print(f"{thing['entity']} {thing['thing']}", markup=False, highlight=False)
        table = Table("When", "What", "By", "Run", "Why")
        for row in reversed(thing["history"]):
            run = " ".join(str(row[name]) for name in ("run_id", "path") if row[name])
            said = escape(row["reason"] or "")
            table.add_row(
                minute(row["at"]), escape(_words(row, thing["thing"])), escape(row["actor"]), escape(run), said
            )
        print_table(table)


@at_hub
def merge(
    hub: AtHub,
    entity: Entity,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The thing that stays.")],
    gone: Annotated[str, typer.Argument(metavar="GONE", help="The thing that becomes the other one.")],
    primary: Primary = None,
    reason: Reason = None,
) -> None:
    """Make two things one; nothing is changed in any system, and `split` takes it back."""
    body = {"into": into, "gone": gone, "primary": _pairs(primary)}
    done = _post(hub, f"/api/things/{quote(entity)}/merge", body, reason)
    undone = f"concord crossrefs split {entity} {done['merge']}"
    hub.tell(done, f"{gone} is {into} from now on; `{undone}` undoes it.")


@at_hub
def split(
    hub: AtHub,
    entity: Entity,
    merge: Annotated[str, typer.Argument(metavar="MERGE", help="The merge's name, as `crossrefs show` tells it.")],
    reason: Reason = None,
) -> None:
    """Take a merge back: what came with it names its own thing again."""
    done = _post(hub, f"/api/things/{quote(entity)}/split", {"merge": merge}, reason)
    hub.tell(done, f"{merge} is taken back; the two are different things from now on.")


@at_hub
def move(
    hub: AtHub,
    entity: Entity,
    thing: Thing,
    parent: Annotated[
        str | None, typer.Option("--under", help="The thing that stands above; none when left out.")
    ] = None,
    reason: Reason = None,
) -> None:
    """Put a thing, with all that is below it, under another one, or under none."""
    path = f"/api/things/{quote(entity)}/{quote(thing)}/parent"
    done = _post(hub, path, {"parent": parent}, reason)
    hub.tell(done, f"{thing} stands under {parent or 'nothing'}.")


@at_hub
def prefer(
    hub: AtHub,
    entity: Entity,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="The system whose id it is.")],
    id: Annotated[str, typer.Argument(metavar="ID", help="The id that others are given from now on.")],
    reason: Reason = None,
) -> None:
    """Let an alias be the id that others are given for its thing."""
    body = {"system": system, "id": id}
    done = _post(hub, f"/api/things/{quote(entity)}/prefer", body, reason)
    hub.tell(done, f"{system} {id} is given to others from now on.")


@at_hub
def untie(
    hub: AtHub,
    entity: Entity,
    system: Annotated[str, typer.Argument(metavar="SYSTEM", help="The system whose id it is.")],
    id: Annotated[str, typer.Argument(metavar="ID", help="The id that names nothing any more.")],
    reason: Reason = None,
) -> None:
    """Untie one id from its thing; the history keeps what it named."""
    body = {"system": system, "id": id}
    done = _post(hub, f"/api/things/{quote(entity)}/untie", body, reason)
    hub.tell(done, f"{system} {id} names nothing any more.")


@app.command("list")
@at_hub
def list_pairs(
    hub: AtHub,
    entity: Only = None,
    state: Annotated[PairState, typer.Option(help="Those that wait, or what was said of others.")] = PairState.OPEN,
) -> None:
    """List records that may be about one thing."""
    with hub.reach() as reached:
        listed = reached.get("/api/duplicates", entity=entity, state=state.value)
    pairs = listed["pairs"]
    if hub.json:
        print_json(pairs)
        return
    for key in listed["shared_keys"]:
        console.print(
            f"Passed over: {key['records']} records of the kind {escape(key['entity'])} have one value of the key "
            f"{escape(key['key'])} ({escape(key['policy'])}), among them {escape(key['system'])} {escape(key['id'])}."
        )
    if not pairs:
        console.print("Nobody waits for a word." if state is PairState.OPEN else "Nothing was said yet.")
        return
    table = Table("Pair", "Since", "Kind", "Waits", "May be", "Agree in")
    for pair in pairs:
        words = [escape(f"{pair[side]['system']} {pair[side]['id']}") for side in ("one", "other")]
        table.add_row(pair["pair"], minute(pair["found_at"]), pair["entity"], *words, escape(", ".join(pair["keys"])))
    print_table(table)
    if listed["total"] > len(pairs):
        console.print(f"These are {len(pairs)} of {listed['total']}.")


@app.command("show")
@at_hub
def show_pair(
    hub: AtHub,
    pair: Pair,
) -> None:
    """Show two records side by side; a star marks what differs."""
    with hub.reach() as reached:
        found = reached.get(f"/api/duplicates/{quote(pair)}")
    if hub.json:
        print_json(found)
        return
    one, other = found["one"], found["other"]
    console.print(f"{found['entity']}, {found['state']}; agree in: {', '.join(found['keys'])}", markup=False)
    table = Table("", "Field", escape(f"{one['system']} {one['id']}"), escape(f"{other['system']} {other['id']}"))
    table.add_row("*", "thing", one["thing"] or "-", other["thing"] or "-")
    for field in found["fields"] or ():
        star = "*" if field["one"] != field["other"] else ""
        table.add_row(star, escape(field["path"]), escape(field["one"] or "-"), escape(field["other"] or "-"))
    print_table(table)
    if found["fields"] is None:
        console.print("The records are withheld, or retention has taken one; the systems themselves have them.")


@app.command("same")
@at_hub
def say_same(
    hub: AtHub,
    pair: Pair,
    keep: Annotated[
        str | None, typer.Option("--keep", help="The thing that stays; the one that was there first.")
    ] = None,
    primary: Primary = None,
    reason: Reason = None,
) -> None:
    """Say that both are about one thing; a replay of the stopped run then goes on with what is there."""
    body = {"verdict": "same", "keep": keep, "primary": _pairs(primary)}
    done = _post(hub, f"/api/duplicates/{quote(pair)}", body, reason)
    hub.tell(done, f"Both are {done['thing']}. Replay the run that waits: `concord cases list`.")


@app.command("different")
@at_hub
def say_different(
    hub: AtHub,
    pair: Pair,
    reason: Reason = None,
) -> None:
    """Say that they are about different things; nobody is asked again."""
    done = _post(hub, f"/api/duplicates/{quote(pair)}", {"verdict": "different"}, reason)
    hub.tell(done, "They are different things. Replay the run that waits: `concord cases list`.")


def _found(hub: AtHub, id: str, entity: str | None, at: str | None) -> list[dict[str, Any]]:
    when = None if at is None else moment(at, "--at")
    with hub.reach() as reached:
        found: list[dict[str, Any]] = reached.get("/api/things", id=id, entity=entity, at=when)["things"]
    if not found:
        fail(f"No thing has or had the id {id}." if at is None else f"No thing had the id {id} then.", EXIT_WRONG)
    return found


def _show(thing: Mapping[str, Any]) -> None:
    console.print(f"{thing['entity']} {thing['thing']}{_named(thing)}", markup=False, highlight=False)
    if thing["became"]:
        console.print(f"It became {thing['became']}.", markup=False, highlight=False)
    table = Table("System", "Id", "")
    for each in thing["ids"]:
        table.add_row(escape(each["system"]), escape(each["id"]), "alias" if each["alias"] else "")
    print_table(table)
    for system in thing["doubles"]:
        console.print(
            f"In {system} several records stand for it: merge them there into the first one, then untie the others.",
            markup=False,
        )
    for placed in thing["tree"] if len(thing["tree"]) > 1 else ():
        mark = "> " if placed["level"] == 0 else "  "
        depth = "  " * (placed["level"] - thing["tree"][0]["level"])
        console.print(
            f"{mark}{depth}{_ids(placed['ids'])} ({placed['thing']}){_named(placed)}", markup=False, highlight=False
        )
    for merged in thing["merges"]:
        text = f"{merged['merge']}: {merged['gone']} became it on {minute(merged['at'])}, by {merged['actor']}."
        console.print(text, markup=False, highlight=False)
    for pair in thing["pairs"]:
        console.print(f"It may be the same as another: {pair}.", markup=False, highlight=False)


def _named(thing: Mapping[str, Any]) -> str:
    return f": {thing['name']}" if thing["name"] else ""


def _ids(ids: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{each['system']} {each['id']}" for each in ids) or "no id"


def _words(row: Mapping[str, Any], thing: str) -> str:
    """Say what became of an id, or of a place, as it is seen from a thing."""
    id = f"{row['system']} {row['id']}"
    match row["what"]:
        case "tied":
            return f"{id} was tied to it"
        case "untied":
            return f"{id} was untied"
        case "merged" | "split" as what:
            way = f"came from {row['other']}" if row["thing"] == thing else f"went to {row['thing']}"
            return f"{id} {way} ({row['merge']}, {what})"
        case "ranked":
            return f"{id} became {'an alias' if row['alias'] else 'the id that others are given'}"
        case _:
            if row["thing"] != thing:
                return f"{row['thing']} was put under it"
            return f"it was put under {row['other'] or 'nothing'}"


def _pairs(given: Sequence[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        system, equals, id = text.partition("=")
        if not (system and equals and id):
            fail(f"--primary is SYSTEM=ID, such as netsuite=1042, not `{text}`.", EXIT_WRONG)
        found[system] = id
    return found


def _post(hub: AtHub, path: str, body: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    why = typer.prompt("Reason") if reason is None else reason
    with hub.reach() as reached:
        done: dict[str, Any] = reached.post(path, {**body, "reason": why})
    return done
