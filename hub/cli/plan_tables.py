"""A plan and the list of revisions on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hub.cli.output import console, minute, print_table

#: As many lines of a table are shown; `--json` has them all.
_MOST = 20
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}

Values = Mapping[str, Any]


def show_plan(plan: Values) -> None:
    """Show what a revision would change."""
    console.print(f"[bold]{_named(plan['before'])}[/] → [bold]{_named(plan['after'])}[/] in {plan['environment']}")
    if plan["errors"]:
        for lint in plan["errors"]:
            _say(f"{lint['path']}:{lint['line']}:{lint['column']}: error: {lint['message']} {lint['hint']}", "red")
        _say("The revision has errors and cannot be published.", "bold red")
        return
    _show_changes(plan["changes"])
    _show_touched(plan["touched"])
    _show_shadow(plan)
    _show_concerns(plan)


def show_revisions(found: Values) -> None:
    """List revisions."""
    table = Table("No.", "Published", "How", "Who", "Commit", "Bundle", "Money", "Reason")
    table.title = f"Revisions of {found['environment']}"
    for line in found["revisions"]:
        commit = "" if line["commit"] is None else line["commit"][:10] + (" + changes" if line["dirty"] else "")
        money = ", ".join(_amount(one["value"], one["currency"]) for one in line["money"])
        table.add_row(
            str(line["number"]),
            minute(line["published_at"]),
            line["how"],
            escape(line["actor_name"]),
            commit,
            line["bundle"][:12],
            money,
            escape(line["reason"] or ""),
        )
    print_table(table)
    show_folder(found["folder"])


def show_folder(folder: Values) -> None:
    """Say that the workspace folder is not what serves."""
    if folder["problem"]:
        _say(f"The workspace folder cannot be read: {folder['problem']}", "yellow")
    elif folder["differs"]:
        _say("The workspace folder differs from what is published; `concord plan` shows how.", "yellow")


def _show_changes(changes: Sequence[Values]) -> None:
    if not changes:
        console.print("Nothing changes.")
        return
    table = Table("What", "Where", "Before", "After", title="Changes")
    for change in changes:
        name = Text.assemble((change["what"], _COLOURS[change["what"]]), f" {change['kind']} {change['name']}")
        details = change["details"][:_MOST]
        table.add_row(name, change["path"] if not details else "", "", "")
        for detail in details:
            before, after = (escape(detail[key] or "") for key in ("before", "after"))
            table.add_row("", escape(detail["where"]), before, after)
        more = change["more"] + len(change["details"]) - len(details)
        if more:
            table.add_row("", f"and {more} more places", "", "")
        for warning in change["warnings"]:
            table.add_row("", Text(f"warning: {warning}", style="yellow"), "", "")
    print_table(table)


def _show_touched(touched: Sequence[Values]) -> None:
    if not touched:
        return
    table = Table("Touched", "Name", "Through")
    for one in touched:
        table.add_row(one["kind"], one["name"], " → ".join(one["through"]) or "changed itself")
    print_table(table)


def _show_shadow(plan: Values) -> None:
    shadow = plan["shadow"]
    if shadow is None:
        if plan["changes"]:
            why = "No flow is touched, so no" if plan["wanted"] else "No"
            console.print(f"{why} event was replayed.")
        return
    if not shadow["events"]:
        _say("No event is recorded that the touched flows handle: nothing is known of records and money.", "yellow")
        return
    console.print(
        f"Shadow replay of {shadow['events']} events: {shadow['runs']} runs in {shadow['seconds']} s, "
        f"{shadow['differing']} of them differ in {shadow['records']} records."
    )
    if shadow["stopped"]:
        _say(f"It ended {shadow['stopped']}.", "yellow")
    _show_money(shadow)
    _show_moved(shadow)
    _show_found("Fields that change", shadow["fields"])
    _show_found("Rules that decide otherwise", shadow["rules"], values=False)
    _show_found("Steps that are done or left out otherwise", shadow["steps"], values=False)
    _show_found("Runs that stop otherwise", shadow["failures"])
    _show_found("Events that start otherwise", shadow["routing"])
    _show_found("Cannot be told", shadow["untold"], values=False)
    _show_found("Checks on answers that would be others", shadow["unsure"], values=False)


def _show_money(shadow: Values) -> None:
    if not shadow["money"]:
        console.print("No money moves.")
        return
    table = Table("Currency", "Entity", "Account", "Before", "After", "Difference", "Runs", title="Money, net")
    for name in ("Before", "After", "Difference", "Runs"):
        next(column for column in table.columns if column.header == name).justify = "right"
    for line in shadow["net"]:
        numbers = (_number(line[key]) for key in ("before", "after"))
        account = line["currency"], line["entity"], escape(line["account"])
        table.add_row(*account, *numbers, _signed(line["difference"]), str(line["runs"]))
    print_table(table)
    for one in shadow["money"]:
        runs = "1 run" if one["runs"] == 1 else f"{one['runs']} runs"
        console.print(f"Difference: [bold]{_amount(one['amount'], one['currency'])}[/] in {runs}.", highlight=False)


def _show_moved(shadow: Values) -> None:
    if not shadow["moved"]:
        return
    table = Table("Moves", "Currency", "Number", "About", "Accounts", title="What moves, the largest first")
    table.columns[0].justify = "right"
    for one in shadow["moved"][:_MOST]:
        lines = ", ".join(f"{line['account']} {_signed(line['difference'])}" for line in one["lines"][:6])
        table.add_row(_number(one["amount"]), one["currency"], one["name"] or "", escape(one["about"]), escape(lines))
    print_table(table)
    more = shadow["more_moved"] + max(0, len(shadow["moved"]) - _MOST)
    if more:
        console.print(f"and {more} more; --json has them.")


def _show_found(title: str, found: Sequence[Values], *, values: bool = True) -> None:
    if not found:
        return
    table = Table("Flow", "Step", "What", "Runs", "For instance", title=title)
    table.columns[3].justify = "right"
    for one in found[:_MOST]:
        example = one["example"]
        about = example["about"]
        if values:
            about = f"{about}: {_value(example['before'])} → {_value(example['after'])}"
        table.add_row(one["flow"], one["step"], escape(one["what"]), str(one["count"]), escape(about))
    print_table(table)
    if len(found) > _MOST:
        console.print(f"and {len(found) - _MOST} more; --json has them.")


def _show_concerns(plan: Values) -> None:
    for lint in plan["warnings"]:
        _say(f"{lint['path']}:{lint['line']}:{lint['column']}: warning: {lint['message']} {lint['hint']}", "yellow")
    if not plan["concerns"]:
        console.print("[green]Nothing to worry about.[/]")
    for concern in plan["concerns"]:
        _say(concern["sentence"], "bold red")
    if plan["approvals"] and all(concern["worry"] != "approvals" for concern in plan["concerns"]):
        people = "1 person" if plan["approvals"] == 1 else f"{plan['approvals']} people"
        console.print(f"To publish it, {plan['environment']} asks for {people} to agree.")


def _named(revision: Values) -> str:
    text = "the folder" if revision["word"] == "." else revision["word"]
    if revision["number"] is not None:
        text += f" (revision {revision['number']})" if revision["word"] != str(revision["number"]) else ""
    commit = revision["commit"]
    return escape(text) + (f" {commit[:10]}{' + changes' if revision['dirty'] else ''}" if commit else "")


def _say(text: str, style: str) -> None:
    console.print(Text(text, style=style), soft_wrap=True)


def _amount(value: Decimal | int, currency: str) -> str:
    return f"{_number(value)} {currency}"


def _number(value: Decimal | int) -> str:
    return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"


def _signed(value: Decimal | int) -> str:
    return f"{value:+,f}" if isinstance(value, Decimal) else f"{value:+,}"


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else str(value)
