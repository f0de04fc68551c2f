"""The order of steps that are gone through at the same time: `needs` names some of them, and never in a circle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of


def needed_first(steps: Sequence[Keyed], lints: Lints) -> list[tuple[Keyed, tuple[Keyed, ...]]]:
    """Give each step with those it needs, in an order in which these come before it.

    Adds a lint for every need that cannot be met; of steps that need each other, one comes first all the same.
    """
    by_id = {text_of(step.get("id")): step for step in steps}
    wanted = {id: _wanted(id, step, by_id, lints) for id, step in by_id.items()}
    order = _in_order(wanted, lints)
    return [(by_id[id], tuple(by_id[name] for name in wanted[id])) for id in order]


def _wanted(own: str, step: Keyed, steps: Mapping[str, Keyed], lints: Lints) -> dict[str, Node]:
    wanted: dict[str, Node] = {}
    listed = step.get("needs")
    for node in listed.items if isinstance(listed, Listed) else ():
        name = text_of(node)
        if name in wanted:
            lints.error(node, "duplicate-name", f"`{name}` stands here a second time.", "Remove it.")
        elif name == own:
            lints.error(node, "needs-circle", f"The step `{name}` cannot need itself.", "Remove it.")
        elif name not in steps:
            message = f"`needs` names steps of the same `parallel`; there is no `{name}`."
            lints.error(node, "unknown-step", message, nearest(name, [id for id in steps if id != own]))
        else:
            wanted[name] = node
    return wanted


def _in_order(wanted: Mapping[str, dict[str, Node]], lints: Lints) -> list[str]:
    """Put those first that others need; a need that leads back to its own step is told once."""
    done: list[str] = []
    under_way: list[str] = []
    told: list[Node] = []

    def follow(id: str) -> None:
        if id in done:
            return
        under_way.append(id)
        for name, node in wanted[id].items():
            if name in under_way and not told:
                told.append(node)
                circle = " → ".join((*under_way[under_way.index(name) :], name))
                lints.error(node, "needs-circle", f"These steps need each other: {circle}.", "Remove one of the needs.")
            elif name not in under_way:
                follow(name)
        under_way.pop()
        done.append(id)

    for id in wanted:
        follow(id)
    return done
