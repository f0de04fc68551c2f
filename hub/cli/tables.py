"""Tables of the terminal: runs, exceptions, and what the hub has in hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from hub.cli.output import console, minute, print_table

_COLOURS = {
    "succeeded": "green",
    "parked": "red",
    "waiting": "yellow",
    "running": "blue",
    "queued": "blue",
    "compensating": "blue",
}

#: So many paths are named in a line.
_NAMED = 20

#: As wide are lines of prose at most.
_PROSE = 100


def show_status(summary: Mapping[str, Any]) -> None:
    """Show what the hub has in hand."""
    table = Table("Flow", "State", "Runs", title=f"Runs in {summary['environment']}")
    table.columns[2].justify = "right"
    if not summary["runs"]:
        console.print(f"No run in {summary['environment']} yet.")
    for flow, states in sorted(summary["runs"].items()):
        for state, number in sorted(states.items()):
            table.add_row(flow, _coloured(state), str(number))
    if summary["runs"]:
        print_table(table)
    waiting = summary["exceptions_open"]
    console.print(f"{waiting} {'exception needs' if waiting == 1 else 'exceptions need'} a person.")


def show_runs(runs: Sequence[Mapping[str, Any]]) -> None:
    """Show a list of runs."""
    if not runs:
        console.print("No run fits.")
        return
    table = Table("Run", "Flow", "State", "About", "Money", "Reason", "Accepted")
    table.columns[4].justify = "right"
    for run in runs:
        table.add_row(
            run["id"],
            run["flow"],
            _coloured(run["state"]) + (", replayed" if run["replaced_by"] else ""),
            escape(run["business_key"]),
            _money(run["money"]),
            escape(run["reason"] or ""),
            minute(run["created_at"]),
        )
    print_table(table)


def show_run(detail: Mapping[str, Any]) -> None:
    """Show one run with its steps and their attempts."""
    run = detail["run"]
    console.print(f"[bold]{run['id']}[/] {run['flow']} {_coloured(run['state'])} {escape(run['business_key'])}")
    for line in _standing(detail):
        console.print(line, markup=False, highlight=False)
    table = Table("Step", "State", "Attempts", "Decided by", "Error")
    for step in detail["steps"]:
        attempts = ", ".join(f"{attempt['kind']} {attempt['outcome']}" for attempt in step["attempts"])
        error = escape(step["error"]["detail"]) if step["error"] else ""
        table.add_row(step["path"], _coloured(step["state"]), attempts, escape(_decided(step)), error)
    print_table(table)


def behind(waits: Mapping[str, Any]) -> str:
    """Tell how many runs wait behind another one, and with how much money."""
    waiting = waits["waiting"]
    money = ", ".join(f"{value['value']} {value['currency']}" for value in waiting["money"])
    unknown = f", {waiting['without_amount']} without a known amount" if waiting["without_amount"] else ""
    number = waiting["runs"]
    return f"{number} {'run waits' if number == 1 else 'runs wait'} behind it: {money or 'no amount'}{unknown}."


def _standing(detail: Mapping[str, Any]) -> Iterator[str]:
    """Tell what is held and ordered of a run, and what waits behind it."""
    run, standing = detail["run"], detail["standing"]
    if run["replaced_by"]:
        yield f"It was replayed; {detail['chain'][-1]['id']} stands in its place."
    for hold in standing["holds"]:
        yield f"Its {hold['kind']} is held by {hold['by_name']}: {hold['reason']}"
    if run["wait_kind"] == "hold" and not standing["holds"]:
        yield f"Held. {run['reason']}"
    stop = standing["stop"]
    if stop is not None:
        what = "to be cancelled" if stop["how"] == "cancel" else "to be taken back"
        yield f"Ordered {what} by {stop['by_name']}: {stop['reason']}"
    stays = standing["stays"]
    if stays:
        more = f" and {len(stays) - _NAMED} more" if len(stays) > _NAMED else ""
        yield f"Not taken back: {', '.join(stays[:_NAMED])}{more}"
    if standing["behind"]["waiting"]["runs"]:
        yield behind(standing["behind"])
        for each in standing["behind"]["runs"]:
            yield f"  {each['id']} {each['business_key']} {_money(each['money'])}"


def show_cases(cases: Sequence[Mapping[str, Any]]) -> None:
    """Show a list of exceptions."""
    if not cases:
        console.print("No exception fits.")
        return
    table = Table("Exception", "Reason", "About", "At risk", "Step", "Owner", "Since")
    table.columns[3].justify = "right"
    for case in cases:
        owner = case["owner_name"] or ""
        table.add_row(
            case["id"],
            escape(case["reason"]),
            escape(case["business_key"]),
            _money(case["money"]),
            case["path"],
            escape(owner),
            minute(case["opened_at"]),
        )
    print_table(table)


def show_case(detail: Mapping[str, Any]) -> None:
    """Show one exception with what a person needs to settle it."""
    case = detail["case"]
    console.print(f"[bold]{escape(case['reason'])}[/] {escape(case['business_key'])} {_money(case['money'])}")
    console.print(case["detail"], highlight=False, markup=False)
    for name, fact in detail["facts"].items():
        console.print(f"  {name}: {fact}", highlight=False, markup=False)
    console.print(f"Run {case['run_id']}, step {case['path']}; {detail['alike']} alike are open.")
    if detail["behind"]["waiting"]["runs"]:
        console.print(behind(detail["behind"]), highlight=False)
    for key in detail["in_doubt"]:
        console.print(f"Nobody knows whether the write {key} was made: see `concord effects show {key}`.")
    if detail["runbook"]:
        console.print(Markdown(detail["runbook"]), width=min(console.width, _PROSE))


def _decided(step: Mapping[str, Any]) -> str:
    made = [f"{one['policy']} v{one['version']}: {', '.join(one['rules']) or 'no rule'}" for one in step["decisions"]]
    return "\n".join(made) or step["rule"] or ""


def amounts(values: Sequence[Mapping[str, Any]]) -> str:
    """Give amounts of several currencies, one a line."""
    return "\n".join(_money(value) for value in values)


def _money(money: Mapping[str, Any] | None) -> str:
    return "" if money is None else f"{money['value']} {money['currency']}"


def _coloured(state: str) -> str:
    colour = _COLOURS.get(state)
    return f"[{colour}]{state}[/]" if colour else state
