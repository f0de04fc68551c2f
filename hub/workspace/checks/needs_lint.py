"""The order of steps that are gone through at the same time: `needs` names some of them, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of

#: A step's id → the ids of those it needs, whether straight or through others.
Needs = Mapping[str, frozenset[str]]


def lint_needs(steps: Sequence[Keyed], lints: Lints) -> Needs:
    """Add a lint for every need that cannot be met; gives all that each step needs."""
    ids = [text_of(step.get("id")) for step in steps]
    wanted: dict[str, dict[str, Node]] = {}
    for step in steps:
        own = text_of(step.get("id"))
        wanted[own] = {}
        for node in _needs(step):
            name = text_of(node)
            if name in wanted[own]:
                lints.error(node, "duplicate-name", f"`{name}` stands here a second time.", "Remove it.")
            elif name not in ids:
                hint = nearest(name, [id for id in ids if id != own])
                message = f"`needs` names steps of the same `parallel`; there is no `{name}`."
                lints.error(node, "unknown-step", message, hint)
            elif name == own:
                lints.error(node, "needs-itself", f"The step `{name}` cannot need itself.", "Remove it.")
            else:
                wanted[own][name] = node
    return _closed(wanted, lints)


def needed_first(steps: Sequence[Keyed], needs: Needs) -> Iterator[tuple[Keyed, dict[str, Keyed]]]:
    """Give each step with the steps it needs, by id, so that those came before."""
    by_id = {text_of(step.get("id")): step for step in steps}
    for step in sorted(steps, key=lambda step: len(needs[text_of(step.get("id"))])):
        yield step, {id: by_id[id] for id in sorted(needs[text_of(step.get("id"))])}


def _needs(step: Keyed) -> tuple[Node, ...]:
    node = step.get("needs")
    return node.items if isinstance(node, Listed) else ()


def _closed(wanted: Mapping[str, dict[str, Node]], lints: Lints) -> Needs:
    """Follow needs to their end; one that leads back to its own step is told once, and left out."""
    closed: dict[str, frozenset[str]] = {}
    open_: list[str] = []

    def follow(id: str) -> frozenset[str]:
        if id not in closed:
            open_.append(id)
            found: set[str] = set()
            for name, node in wanted[id].items():
                if name in open_:
                    circle = " → ".join((*open_[open_.index(name) :], name))
                    lints.error(node, "needs-circle", f"These steps need each other: {circle}.", "Remove one `needs`.")
                else:
                    found |= {name} | follow(name)
            open_.pop()
            closed[id] = frozenset(found - {id})
        return closed[id]

    for id in wanted:
        follow(id)
    return closed
