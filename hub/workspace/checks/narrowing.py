"""What a condition says of decided values: behind `route.system == 's4hana'` only rules count that may give it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hub.expressions.compiler import compile
from hub.expressions.tree import Node as Tree
from hub.expressions.tree import Part
from hub.model.flow import Term
from hub.policy.form import Match
from hub.policy.rules import Rule, RulePolicy
from hub.workspace.source.terms import Evaluated
from hub.workspace.source.yaml_source import Node, text_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """That a value, named by its path, is a text; or that it is anything but that, where `holds` is false."""

    path: str
    value: str
    holds: bool = True

    @property
    def step(self) -> str:
        """Name the step that gave the value."""
        return self.path.rpartition(".")[0]

    @property
    def output(self) -> str:
        """Name the value within what the step gave."""
        return self.path.rpartition(".")[2]


def assumed(when: Tree | None) -> tuple[Assumed, ...]:
    """Give what holds of single values where a condition does; None is no condition."""
    if when is not None and when.part is Part.AND:
        return tuple(one for part in when.children for one in assumed(part))
    compared = compared_in(when)
    return () if compared is None else (compared,)


def refused(when: Tree | None) -> tuple[Assumed, ...]:
    """Give what holds of single values where a condition does not."""
    compared = compared_in(when)
    return () if compared is None else (replace(compared, holds=not compared.holds),)


def expected(left: Tree | None, right: Tree | None) -> tuple[Assumed, ...]:
    """Give what holds of single values behind two that must be equal, since the run stops where they are not."""
    both = None if left is None or right is None else _of_sides(left, right, holds=True)
    return () if both is None else (both,)


def tree(when: Term | None) -> Tree | None:
    """Give the tree of a compiled condition; None when there is none."""
    return when.expression.tree if isinstance(when, Evaluated) else None


def tree_of(when: Node | None) -> Tree | None:
    """Give the tree of a condition of a file; None when there is none."""
    return None if when is None else compile(text_of(when)).tree


def rules_left(policy: RulePolicy | None, known: Iterable[Assumed]) -> Sequence[Rule]:
    """Give the rules of a policy that may have decided, by what is known of its outputs.

    Where all rules count together, what one of them gave may stand beside what another one did.
    """
    if policy is None or policy.match is not Match.FIRST:
        return () if policy is None else policy.rules
    facts = tuple(known)
    return [rule for rule in policy.rules if all(_may_hold(rule, fact) for fact in facts)]


def literals(rules: Iterable[Rule], output: str) -> tuple[str, ...]:
    """Give the texts that rules write into an output, each once; what they work out is not among them."""
    found = (rule.then.get(output) for rule in rules)
    return tuple(dict.fromkeys(value for value in found if isinstance(value, str)))


def compared_in(tree: Tree | None) -> Assumed | None:
    """Give what a condition says, where it compares a value with a text and does nothing else."""
    if tree is None or tree.part is not Part.COMPARATOR or tree.value not in ("eq", "ne"):
        return None
    return _of_sides(*tree.children, holds=tree.value == "eq")


def _of_sides(left: Tree, right: Tree, *, holds: bool) -> Assumed | None:
    named, literal = (right, left) if left.part is Part.LITERAL else (left, right)
    path = _path(named)
    if not path or literal.part is not Part.LITERAL or not isinstance(literal.value, str):
        return None
    return Assumed(path=path, value=literal.value, holds=holds)


def _path(tree: Tree) -> str:
    """Give the path of a value that is named by fields alone, through at least one step."""
    fields = tree.children if tree.part is Part.SUBEXPRESSION else ()
    return ".".join(str(field.value) for field in fields) if all(each.part is Part.FIELD for each in fields) else ""


def _may_hold(rule: Rule, fact: Assumed) -> bool:
    value = rule.then.get(fact.output)
    # What is worked out may be any text; a rule that gives nothing gives no text.
    if value is not None and not isinstance(value, str):
        return True
    return (value == fact.value) is fact.holds
