"""`concord test`: runs the examples of a workspace, shows differences field by field, and how much they cover."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.cli.check import as_json as lint_as_json
from hub.cli.opened import Opened, open_workspace, show_lints
from hub.cli.output import errors, print_json
from hub.workspace.compiled_files import Example
from hub.workspace.examples.differences import NOTHING, Difference, worded
from hub.workspace.examples.loading import run_example
from hub.workspace.examples.of_mappings import Coverage, coverage
from hub.workspace.examples.of_policies import RuleCoverage, rule_coverage
from hub.workspace.examples.runs import Result
from hub.workspace.kinds import FileKind
from hub.workspace.source.lint import Severity

#: As many of a mapping's unfilled fields are named in the table.
_MOST_NAMED = 4


def run_all(path: Path | None, *, only: str, coverage_below: int | None, json_output: bool) -> int:
    """Run the examples whose file, subject or title contains `only`; gives the exit code: 0 only if all is well.

    Below `coverage_below` percent of target fields filled, a mapping counts as failed.
    """
    opened = open_workspace(path)
    if opened.bundle is None:
        return _refused(opened, json_output)
    chosen = [example for example in opened.bundle.examples if _fits(example, only)]
    results = [run_example(example, opened.bundle) for example in chosen]
    left_out = {example.name for example in opened.bundle.examples if example not in chosen}
    wanted = {name for name in opened.bundle.mappings if not only or only in name or name in _names(chosen)}
    covered = [each for each in coverage(opened.bundle, results) if each.mapping in wanted - left_out]
    low = [each for each in covered if coverage_below is not None and each.percent < coverage_below]
    decided = {*opened.bundle.policies, *opened.bundle.matches}
    wanted_rules = {name for name in decided if not only or only in name or name in _names(chosen)}
    ruled = [each for each in rule_coverage(opened.bundle, results) if each.policy in wanted_rules - left_out]
    if only and not (chosen or covered or ruled):
        return _nothing_fits(only, json_output)
    failed = bool(low) or not all(result.passed for result in results)
    if json_output:
        print_json(_as_json(not failed, results, covered, ruled))
    else:
        _show(Console(highlight=False), results, covered, ruled, low)
    return int(failed)


def _fits(example: Example, only: str) -> bool:
    return not only or any(only in text for text in (example.name, example.title, example.path))


def _names(examples: Sequence[Example]) -> set[str]:
    return {example.name for example in examples}


def _nothing_fits(only: str, json_output: bool) -> int:
    """Say that a filter leaves nothing; a mistyped one must not look like success."""
    if json_output:
        print_json(_as_json(False, [], [], []))
    else:
        errors.print(f"No example's file, subject or title has `{only}`.", markup=False, highlight=False)
    return 1


def _refused(opened: Opened, json_output: bool) -> int:
    """Say that nothing can be run while the workspace has errors."""
    if json_output:
        lints = [*map(lint_as_json, opened.lints)]
        print_json({"ok": False, "lints": lints, "examples": [], "coverage": [], "rules": []})
        return 1
    console = Console(highlight=False)
    show_lints(console, [lint for lint in opened.lints if lint.severity is Severity.ERROR], opened.folder)
    console.print("No example was run: the workspace has errors.")
    return 1


def _as_json(
    ok: bool, results: Sequence[Result], covered: Sequence[Coverage], ruled: Sequence[RuleCoverage]
) -> dict[str, Any]:
    return {
        "ok": ok,
        "lints": [],
        "examples": [
            {
                "kind": result.example.kind,
                "name": result.example.name,
                "example": result.example.title,
                "path": result.example.path,
                "line": result.example.line,
                "passed": result.passed,
                "differences": [*map(_difference_as_json, result.differences)],
            }
            for result in results
        ],
        "coverage": [
            {
                "mapping": each.mapping,
                "percent": each.percent,
                "fields": len(each.fields),
                "unfilled": each.unfilled,
                "reverse": each.reverse,
            }
            for each in covered
        ],
        "rules": [
            {"policy": each.policy, "percent": each.percent, "rules": len(each.rules), "unreached": each.unreached}
            for each in ruled
        ],
    }


def _difference_as_json(difference: Difference) -> dict[str, Any]:
    values = {"expected": difference.expected, "came": difference.came}
    known = {key: value for key, value in values.items() if value is not NOTHING}
    return {"field": difference.field, "message": str(difference), **known}


def _show(
    console: Console,
    results: Sequence[Result],
    covered: Sequence[Coverage],
    ruled: Sequence[RuleCoverage],
    low: Sequence[Coverage],
) -> None:
    for result in results:
        if not result.passed:
            _show_failed(console, result)
    if results or covered or ruled:
        console.print(_table(results, covered, ruled))
    for each in covered:
        if remarks := _remarks(each):
            console.print(f"{each.mapping}: {remarks}.", soft_wrap=True)
    for policy in ruled:
        if policy.unreached:
            missed = ", ".join(f"`{rule}`" for rule in policy.unreached)
            console.print(f"{policy.policy}: no example reaches {missed}.", soft_wrap=True)
    failed = sum(not result.passed for result in results)
    run = f"{len(results)} {'example' if len(results) == 1 else 'examples'}"
    console.print(f"{run}: {len(results) - failed} passed, {failed} failed.")
    for each in low:
        console.print(f"The examples of {each.mapping} fill {each.percent} % of its target fields, which is too few.")


def _show_failed(console: Console, result: Result) -> None:
    example = result.example
    title = Text.assemble(("failed ", "bold red"), (f"{example.path}:{example.line} ", "bold"), example.title)
    console.print(title, soft_wrap=True)
    width = max(len(difference.field) for difference in result.differences)
    for difference in result.differences:
        line = Text(f"  {difference.field.ljust(width)}  ")
        if difference.detail:
            line.append(difference.detail, "red")
        else:
            line.append("expected ").append(worded(difference.expected), "green")
            line.append("  came ").append(worded(difference.came), "red")
        console.print(line, soft_wrap=True)


def _table(results: Sequence[Result], covered: Sequence[Coverage], ruled: Sequence[RuleCoverage]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("examples of", no_wrap=True)
    for title in ("run", "passed", "parts", "covered"):
        table.add_column(title, justify="right", no_wrap=True, min_width=len(title))
    shares = {(FileKind.MAPPING, each.mapping): (len(each.fields), each.percent) for each in covered}
    shares |= {(FileKind.POLICY, each.policy): (len(each.rules), each.percent) for each in ruled}
    names = {(result.example.kind, result.example.name) for result in results} | shares.keys()
    for kind, name in sorted(names):
        mine = [result for result in results if (result.example.kind, result.example.name) == (kind, name)]
        passed = sum(result.passed for result in mine)
        share = shares.get((kind, name))
        table.add_row(
            f"{kind} {name}",
            str(len(mine)),
            Text(str(passed), "green" if passed == len(mine) else "bold red"),
            "" if share is None else str(share[0]),
            "" if share is None else Text(f"{share[1]} %", "green" if share[1] == 100 else "yellow"),
        )
    return table


def _remarks(share: Coverage) -> str:
    """Name what no example fills, and by which mapping the examples went back."""
    unfilled = [] if not share.unfilled else [f"no example fills {_named(share.unfilled)}"]
    return "; ".join([*unfilled, *([] if share.reverse is None else [f"examples go back by {share.reverse}"])])


def _named(fields: Sequence[str]) -> str:
    more = len(fields) - _MOST_NAMED
    return ", ".join(fields[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
