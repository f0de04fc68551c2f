"""What a policy decides by, as lineage: the fields its rules look at, for each thing they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.expressions.compiler import Expression
from hub.policy.rules import RulePolicy
from hub.workspace.checks.flow_scope import Here, below
from hub.workspace.lineage.edges import Edge, Field, How

#: As many rules are named in one line.
_MOST_NAMED = 3


def policy_edges(policy: RulePolicy, made: Field, here: Here, path: str, lines: Mapping[str, int]) -> list[Edge]:
    """Give an edge from each field a policy looks at to each of its outputs; `lines` are those of its rules by name.

    A rule that gives a field's value is told by its expression, one that only asks for it by its name.
    """
    asked: dict[tuple[Field, Field], list[str]] = {}
    edges = []
    for rule in policy.rules:
        for name, term in _outputs(rule.then):
            target = below(made, name)
            for source in here.named(rule.when.paths) if rule.when is not None else ():
                asked.setdefault((source, target), []).append(rule.name)
            if isinstance(term, Expression):
                edges += [
                    Edge(
                        source=source,
                        target=target,
                        how=How.POLICY,
                        text=term.text,
                        path=path,
                        line=lines.get(rule.name, 1),
                        by=policy.name,
                        tables=tuple(dict.fromkeys(table for table, _ in term.tables)),
                    )
                    for source in here.named(term.paths)
                ]
    for (source, target), rules in asked.items():
        text = f"decided by {_rules(rules)}"
        line = lines.get(rules[0], 1)
        edges.append(
            Edge(
                source=source,
                target=target,
                how=How.POLICY,
                text=text,
                path=path,
                line=line,
                by=policy.name,
                direct=False,
            )
        )
    return _merged(edges)


def _outputs(then: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, term in then.items():
        name = f"{above}.{key}" if above else str(key)
        if isinstance(term, Mapping):
            yield from _outputs(term, name)
        else:
            yield name, term


def _rules(names: list[str]) -> str:
    several = list(dict.fromkeys(names))
    shown = ", ".join(f"`{name}`" for name in several[:_MOST_NAMED])
    more = f" and {len(several) - _MOST_NAMED} more" if len(several) > _MOST_NAMED else ""
    return f"the rule{'s' if len(several) > 1 else ''} {shown}{more}"


def _merged(edges: list[Edge]) -> list[Edge]:
    """Keep one edge of those that say the same in several rules: the first."""
    first: dict[tuple[Field, Field, str], Edge] = {}
    for edge in edges:
        first.setdefault((edge.source, edge.target, edge.text), edge)
    return list(first.values())
