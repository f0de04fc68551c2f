"""Rules that can never decide, and rules that decide against each other, each with an example.

Nothing is claimed that is not sure: a rule is called unreachable only when that holds in every case its conditions can
tell apart, and of two rules it is said that they overlap only with a scope in which both were seen to match. What would
take too long to look through is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import Any

from hub.errors import HubError
from hub.expressions.compiler import Expression
from hub.expressions.context import Context
from hub.policy.cells import Cell, cells
from hub.policy.decision import holds
from hub.policy.form import Match, Merge
from hub.policy.formula import Formula, Subject, Test, Way, formula_of
from hub.policy.rules import Rule, RulePolicy
from hub.policy.witness import Witness, scope_with, worded
from hub.schemas.shape import Shape

#: So many cases are looked through for one question, and for a whole policy.
_CASES, _ALL_CASES = 20_000, 300_000
#: So many scopes are tried out for one pair of rules.
_TRIES = 400


class Fault(StrEnum):
    """What is wrong between rules."""

    UNREACHABLE = "unreachable-rule"
    OVERLAPPING = "overlapping-rules"
    CONFLICTING = "conflicting-rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding about the rule at this index; `others` are the rules it is about besides."""

    fault: Fault
    rule: int
    others: tuple[int, ...]
    detail: str
    witness: Witness | None = None


def review(policy: RulePolicy) -> list[Finding]:
    """Review the rules of a policy, in their order."""
    try:
        return list(_Review(policy).findings())
    except ArithmeticError:
        # Literals too far apart to reckon with; nothing is known, so nothing is claimed.
        return []


class _Review:
    """One look at one policy."""

    def __init__(self, policy: RulePolicy) -> None:
        self.policy = policy
        self.rules = policy.rules
        self.left = _ALL_CASES
        self.formulas = [formula_of(rule.when) for rule in policy.rules]
        self.tests = [tuple(formula.tests()) for formula in self.formulas]
        self.demands = [self._demands(formula) for formula in self.formulas]
        self.named = [_named(demands) for demands in self.demands]

    def findings(self) -> Iterator[Finding]:
        first = self.policy.match is Match.FIRST
        reached: list[int] = []
        for index in range(len(self.rules)):
            near = [other for other in reached if not self._apart(other, index)]
            covered = self._never(index) or (self._covered(index, near) if first else None)
            if covered is not None:
                yield covered
                continue
            for other in near:
                found = self._overlap(other, index) if first else self._conflict(other, index)
                if found is not None:
                    yield found
            reached.append(index)

    def _never(self, index: int) -> Finding | None:
        cases = self._cases([index], [index])
        if cases is None or any(case(self.formulas[index]) for case in cases):
            return None
        detail = f"The rule `{self.rules[index].name}` can never decide: its condition is never true."
        return Finding(fault=Fault.UNREACHABLE, rule=index, others=(), detail=detail)

    def _covered(self, index: int, near: Sequence[int]) -> Finding | None:
        for other in near:
            if self._implied(index, [other]):
                return self._unreachable(index, [other])
        if len(near) < 2 or not self._implied(index, near):
            return None
        # Only those that are needed for it are named.
        for other in list(near):
            rest = [each for each in near if each != other]
            if rest and self._implied(index, rest):
                near = rest
        return self._unreachable(index, near)

    def _implied(self, index: int, others: Sequence[int]) -> bool:
        """Tell whether one of the others matches whenever this rule does; False also when that is not known."""
        cases = self._cases([index, *others], [index])
        if cases is None:
            return False
        for case in cases:
            if case(self.formulas[index]) and not any(case(self.formulas[other]) for other in others):
                return False
        return True

    def _unreachable(self, index: int, others: Sequence[int]) -> Finding:
        names = [f"`{self.rules[other].name}`" for other in others]
        if len(names) == 1:
            by = f"{names[0]} before it matches whenever it does"
        else:
            by = f"one of {', '.join(names[:-1])} and {names[-1]} before it matches whenever it does"
        detail = f"The rule `{self.rules[index].name}` can never decide: {by}."
        return Finding(fault=Fault.UNREACHABLE, rule=index, others=tuple(others), detail=detail)

    def _overlap(self, one: int, other: int) -> Finding | None:
        """Find two rules of which neither is a special case of the other, and that both match something."""
        both = self._seen(one, other, (True, True))
        if both is None or self._seen(one, other, (True, False)) is None:
            return None
        if self._seen(one, other, (False, True)) is None:
            return None
        names = f"`{self.rules[one].name}` and `{self.rules[other].name}`"
        detail = f"{names} both match{worded(both)}; `{self.rules[one].name}` decides, because it stands first."
        return Finding(fault=Fault.OVERLAPPING, rule=other, others=(one,), detail=detail, witness=both)

    def _conflict(self, one: int, other: int) -> Finding | None:
        """Find two rules that may match together and say different things where only one can be heard."""
        outputs = self.policy.kind.outputs or {}
        for name, declared in outputs.items():
            said = [self.rules[index].then.get(name) for index in (one, other)]
            fixed = all(value is not None and not isinstance(value, Expression) for value in said)
            if declared.merge is not Merge.LEADING or not fixed or said[0] == said[1]:
                continue
            both = self._seen(one, other, (True, True))
            if both is not None:
                names = f"`{self.rules[one].name}` and `{self.rules[other].name}`"
                detail = (
                    f"{names} both match{worded(both)}, and say `{said[0]}` and `{said[1]}` as `{name}`; "
                    f"that of the rule which asks for most applies."
                )
                return Finding(fault=Fault.CONFLICTING, rule=other, others=(one,), detail=detail, witness=both)
        return None

    # --- cases ---

    def _demands(self, formula: Formula) -> dict[Subject, list[Formula]]:
        """Give, by subject, what must hold of it alone for the whole to hold."""
        found: dict[Subject, list[Formula]] = {}
        for part in formula.conjuncts():
            subjects = {test.subject for test in part.tests()}
            if len(subjects) == 1:
                found.setdefault(subjects.pop(), []).append(part)
        return found

    def _apart(self, one: int, other: int) -> bool:
        """Tell whether two rules demand of one subject what cannot be together; the rest is looked at in cases."""
        shared = self.demands[one].keys() & self.demands[other].keys()
        for subject in shared:
            mine, theirs = self.named[one].get(subject), self.named[other].get(subject)
            if mine is not None and theirs is not None and mine.isdisjoint(theirs):
                return True
        for subject in shared:
            if self.left <= 0:
                break
            parts = [*self.demands[one][subject], *self.demands[other][subject]]
            tests = list(dict.fromkeys(test for part in parts for test in part.tests()))
            cuts = cells(tests, self._shape(subject))
            self.left -= len(cuts)
            if not any(all(_true(part, dict(zip(tests, cut.passes, strict=True))) for part in parts) for cut in cuts):
                return True
        return False

    def _cases(self, involved: Sequence[int], true: Sequence[int]) -> Iterator[_Case] | None:
        """Go through all cases that the rules involved can tell apart, without those in which one of `true` is not.

        None when there are too many.
        """
        tests: dict[Subject, dict[Test, None]] = {}
        for index in involved:
            for test in self.tests[index]:
                tests.setdefault(test.subject, {})[test] = None
        subjects = list(tests)
        choices: list[list[Cell]] = []
        size = 1
        for subject in subjects:
            mine = list(tests[subject])
            demanded = [part for index in true for part in self.demands[index].get(subject, ())]
            cuts = [
                cut
                for cut in cells(mine, self._shape(subject))
                if all(_true(part, dict(zip(mine, cut.passes, strict=True))) for part in demanded)
            ]
            choices.append(cuts)
            size *= len(cuts)
            if size > min(_CASES, self.left):
                return None
        self.left -= size
        return self._all(subjects, [list(tests[subject]) for subject in subjects], choices)

    def _all(self, subjects: list[Subject], tests: list[list[Test]], choices: list[list[Cell]]) -> Iterator[_Case]:
        for chosen in product(*choices):
            passes: dict[Test, bool] = {}
            for mine, cut in zip(tests, chosen, strict=True):
                passes.update(zip(mine, cut.passes, strict=True))
            yield _Case(passes, {subject: cut.value for subject, cut in zip(subjects, chosen, strict=True)})

    def _seen(self, one: int, other: int, wanted: tuple[bool, bool]) -> Witness | None:
        """Find a scope in which the two rules were seen to match, or not to, as wanted."""
        pair = (one, other)
        cases = self._cases(pair, [index for index, want in zip(pair, wanted, strict=True) if want])
        tries = 0
        for case in cases or ():
            if tuple(case(self.formulas[index]) for index in pair) != wanted:
                continue
            tries += 1
            if tries > _TRIES:
                return None
            known = {subject.path: value for subject, value in case.values.items() if subject.path is not None}
            if self._match(pair, known) == wanted:
                return self._least(pair, known, wanted)
        return None

    def _least(self, pair: tuple[int, int], known: Mapping[tuple[str, ...], Any], wanted: tuple[bool, bool]) -> Witness:
        """Leave out what does not matter."""
        kept = dict(known)
        for path in known:
            rest = {each: value for each, value in kept.items() if each != path}
            if self._match(pair, rest) == wanted:
                kept = rest
        missing = dict.fromkeys(known)
        return Witness(values=missing if not kept and self._match(pair, missing) == wanted else kept)

    def _match(self, pair: tuple[int, int], known: Mapping[tuple[str, ...], Any]) -> tuple[bool | None, ...]:
        scope = scope_with(known)
        return tuple(_matches(self.rules[index], scope, self.policy.tables) for index in pair)

    def _shape(self, subject: Subject) -> Shape | None:
        """Give what is known of a subject from the kind's scope."""
        scope, path = self.policy.kind.scope, subject.path
        if scope is None or path is None or path[0] not in scope:
            return None
        shape: Shape | None = scope[path[0]].shape
        for name in path[1:]:
            if shape is None:
                return None
            # What stands in something that may be missing may be missing too, such as the currency of no money.
            sure, shape = name in shape.required and not shape.may_be_null, shape.at(name)
            shape = shape if sure or shape is None else shape.nullable()
        return shape


def _named(demands: Mapping[Subject, Sequence[Formula]]) -> dict[Subject, frozenset[Any]]:
    """Give the texts of which a rule demands that a subject is one; by them most rules are told apart at once."""
    found: dict[Subject, frozenset[Any]] = {}
    for subject, parts in demands.items():
        for part in parts:
            test = part.test
            if test is None or test.way not in (Way.EQUAL, Way.AMONG):
                continue
            if all(isinstance(literal, str) for literal in test.literals):
                found[subject] = frozenset(test.literals)
    return found


class _Case:
    """One case: how every test comes out, and a value of each subject for which it does."""

    __slots__ = ("passes", "values")

    def __init__(self, passes: Mapping[Test, bool], values: Mapping[Subject, Any]) -> None:
        self.passes = passes
        self.values = values

    def __call__(self, formula: Formula) -> bool:
        return _true(formula, self.passes)


def _true(formula: Formula, passes: Mapping[Test, bool]) -> bool:
    match formula.join:
        case "and":
            return all(_true(part, passes) for part in formula.parts)
        case "or":
            return any(_true(part, passes) for part in formula.parts)
        case "not":
            return not _true(formula.parts[0], passes)
        case "true":
            return True
        case "false":
            return False
        case _:
            assert formula.test is not None
            return passes[formula.test]


def _matches(rule: Rule, scope: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> bool | None:
    """Tell whether the compiled condition matches; None when it fails."""
    try:
        return rule.when is None or holds(rule.when(scope, Context(root=scope, tables=tables)))
    except HubError:
        return None
