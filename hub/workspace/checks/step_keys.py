"""Keys of a step that go together, and those that have no meaning there."""

from __future__ import annotations

from datetime import timedelta

from hub.model.durations import duration
from hub.workspace.checks.step_nodes import inside
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Node, text_of

#: A key of a step → the actions of which one must stand beside it.
_BELONGS = {"of": ("map", "approve"), "given": ("map",), "undo": ("call",), "undoes": ("call",), "retry": ("call",)}
#: Keys of a step that hold `of` and `given` themselves.
_HOLDERS = ("call", "emit", "flow")


def lint_keys(step: Keyed, lints: Lints) -> None:
    """Add a lint for each key that has no meaning beside the others of its step, and for each that is missing."""
    for key, actions in _BELONGS.items():
        if key in step.entries and not any(action in step.entries for action in actions):
            holder = next((name for name in _HOLDERS if name in step.entries), None)
            hint = f"Move it into `{holder}`." if key in ("of", "given") and holder is not None else "Remove it."
            message = f"`{key}` belongs to a step with {_either(actions)}."
            lints.error(step.entries[key].key, "misplaced-key", message, hint)
    call, undo = inside(step, "call"), inside(step, "undo")
    if call is not None:
        _lint_call(call, lints)
        _apart(call, "given", "with", "a call", lints)
    for name in ("emit", "flow"):
        told = inside(step, name)
        if told is not None:
            _apart(told, "given", "with", f"`{name}`", lints)
    if undo is not None:
        for key in ("of", "given"):
            _apart(undo, key, "with", "undo", lints)
    _lint_times(step, lints)
    wait = inside(step, "wait")
    if wait is not None:
        _lint_wait(step, wait, lints)


def _lint_call(call: Keyed, lints: Lints) -> None:
    _apart(call, "of", "with", "a call", lints)
    _apart(call, "item", "each", "a call", lints)
    _apart(call, "failures", "each", "a call", lints)
    if "each" not in call.entries:
        return
    for key in ("of", "by"):
        if key in call.entries:
            message = f"With `each`, the mapping under `with` is applied to each item; `{key}` has no meaning."
            lints.error(call.entries[key].key, "misplaced-key", message, "Remove it, or use `foreach`.")
    if "with" not in call.entries and "by" not in call.entries:
        message = "`each` needs `with`, the mapping that is applied to each item."
        lints.error(call.entries["each"].key, "missing-key", message, "Add `with`, or use `foreach`.")
    if "item" not in call.entries:
        message = "`each` needs `item`, so that each result is known by the name of its item."
        lints.error(call.entries["each"].key, "missing-key", message, "Add `item: id`, an expression on the item.")


def _lint_wait(step: Keyed, wait: Keyed, lints: Lints) -> None:
    for key in ("subject", "timeout", "case"):
        _apart(wait, key, "event", "a wait", lints)
    if "event" not in wait.entries:
        return
    if "subject" not in wait.entries:
        message = "A wait for an event needs `subject`: what the event is about."
        lints.error(wait.entries["event"].key, "missing-key", message, "Add `subject: data.object.id`, or what it is.")
    if "timeout" not in wait.entries and "timeout" not in step.entries:
        message = "A wait for an event needs `timeout`, so that one that never comes becomes an exception."
        lints.error(wait.entries["event"].key, "missing-key", message, "Add `timeout: P7D`, or how long it may take.")


def _lint_times(step: Keyed, lints: Lints) -> None:
    """Add a lint for each span that is none, and where another ends the wait before it can be over."""
    timeout, wait, missing = step.get("timeout"), inside(step, "wait"), inside(step, "missing")
    waits = {"for": wait and wait.get("for"), "timeout": wait and wait.get("timeout")}
    waits["wait"] = missing and missing.get("wait")
    for key, at in (("timeout", timeout), *waits.items()):
        if at is not None and not _span(at):
            lints.error(at, "no-time", f"`{key}` is no time at all.", "Write a span such as `PT30S`, or remove it.")
    if timeout is None or not _span(timeout):
        return
    if "approve" in step.entries:
        message = "`timeout` does not end an approval: how long it may take, its policy says as `deadline`."
        lints.error(step.entries["timeout"].key, "misplaced-key", message, "Remove it.")
    for key, at in waits.items():
        if at is not None and _span(timeout) <= _span(at):
            message = f"The step's `timeout` ends it before `{key}`, which is {text_of(at)}, can be over."
            lints.error(timeout, "timeout-too-short", message, "Give it more time, or remove one of the two.")


def _span(at: Node) -> timedelta:
    return duration(text_of(at)) or timedelta(0)


def _apart(holder: Keyed, key: str, other: str, title: str, lints: Lints) -> None:
    """Add a lint when a key stands without the one that gives it a meaning."""
    if key in holder.entries and other not in holder.entries:
        message = f"`{key}` belongs to {title} with `{other}`."
        lints.error(holder.entries[key].key, "misplaced-key", message, "Remove it.")


def _either(words: tuple[str, ...]) -> str:
    return " or ".join(f"`{word}`" for word in words)
