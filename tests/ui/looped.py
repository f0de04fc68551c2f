"""A run with steps within steps: a branch, a loop of thousands of items with steps inside, and what was taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from hub.model.run import RunState
from hub.queries import runs
from hub.queries.runs import RunFilter
from hub.sdk import exact_json
from hub.store.committer import Transaction, Work
from hub.store.tables import steps

if TYPE_CHECKING:
    from tests.ui.stage import Stage

#: Items that failed and that wait, by their numbers.
FAILED, WAITING = frozenset({7, 4001, 4002}), frozenset({12})


def name_of(number: int) -> str:
    """Give what an item is called; dots and signs may stand in it."""
    return f"il_{number:04}.a%b"


async def looped_run(stage: Stage, *, items: int = 5000) -> str:
    """Add a loop, a branch and undos to a run that has succeeded; gives its id."""
    run = runs.listing(stage.console.view, RunFilter(state=RunState.SUCCEEDED)).runs[0]
    rows = [_row(run.id, number, **row) for number, row in enumerate(_steps(items))]

    def work(transaction: Transaction) -> None:
        for start in range(0, len(rows), 500):
            transaction.connection.execute(insert(steps), rows[start : start + 500])

    await stage.committer.commit(Work(work))
    return run.id


def _steps(items: int) -> Iterator[dict[str, Any]]:
    yield {"path": "way", "kind": "branch", "rule": "domestic"}
    yield {"path": "way.sent", "kind": "call"}
    yield {"path": "lines", "kind": "foreach", "state": "failed", "error": "items-failed"}
    for number in range(items):
        at = f"lines[{name_of(number)}]"
        state = "failed" if number in FAILED else "waiting" if number in WAITING else "succeeded"
        error = None if state == "succeeded" else "vendor-says-no"
        yield {"path": at, "kind": "item", "state": state, "error": error}
        yield {"path": f"{at}.looked", "kind": "lookup"}
        yield {"path": f"{at}.kept", "kind": "call", "state": state, "error": error}
        if number == 7:
            yield {"path": f"{at}.parts", "kind": "foreach"}
            for part in range(30):
                yield {"path": f"{at}.parts[{part}]", "kind": "item"}
                yield {"path": f"{at}.parts[{part}].deep", "kind": "map"}
    yield {"path": "few", "kind": "foreach"}
    for number in range(11):
        yield {"path": f"few[{number}]", "kind": "item"}
        yield {"path": f"few[{number}].one", "kind": "map"}
    yield {"path": "undo:way.sent", "kind": "undo"}
    yield {"path": f"undo:lines[{name_of(3)}].kept", "kind": "undo", "state": "waiting", "error": "retry-later"}


def _row(run_id: str, number: int, **said: Any) -> dict[str, Any]:
    error = said.pop("error", None)
    told = {"code": error, "detail": "The vendor said no.", "facts": {}}
    return {
        "run_id": run_id,
        "ordinal": 100,
        "state": "succeeded",
        "input": None,
        "output": '{"id":"1"}',
        "answer": None,
        "answer_schema": None,
        "rule": None,
        "started_at": 1_790_000_000_000_000 + number,
        "finished_at": 1_790_000_000_500_000 + number,
        **said,
        "error": None if error is None else exact_json.dumps(told).decode(),
    }
