"""Examples of policies: a scope goes in, and the rule that decides and what it gives must be as expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.errors import HubError
from hub.policy.decision import decide
from hub.policy.kinds import RETRY
from hub.policy.matching import in_words, key_values
from hub.policy.retry import RetryPolicy, delay
from hub.workspace.bundle import Bundle
from hub.workspace.compiled_files import Example
from hub.workspace.examples.differences import Difference, differences
from hub.workspace.examples.runs import Outcome, Result
from hub.workspace.kinds import FileKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleCoverage:
    """Which rules of a policy no example reaches."""

    policy: str
    rules: tuple[str, ...]
    unreached: tuple[str, ...]

    @property
    def percent(self) -> int:
        """Give the share of rules that are reached, rounded down."""
        return 100 * (len(self.rules) - len(self.unreached)) // len(self.rules)


def run_policy_example(example: Example, bundle: Bundle) -> Outcome:
    """Ask a policy with an example's scope; all it gives must be expected, and nothing else."""
    try:
        rules, output = _asked(example, bundle) if example.name not in bundle.matches else _compared(example, bundle)
    except HubError as error:
        if error.code == example.fails:
            return Outcome()
        return Outcome(differences=(Difference(field="", detail=f"it failed with {error.code}: {error}"),))
    made = {"rules": list(rules), "output": output}
    if example.fails is not None:
        return Outcome(made=made, differences=(Difference(field="", detail=f"it should fail with {example.fails}"),))
    return Outcome(made=made, differences=tuple(_differences(example, bundle, rules, output)))


def _asked(example: Example, bundle: Bundle) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    scope = example.source if isinstance(example.source, dict) else {}
    retry = bundle.retries.get(example.name)
    if retry is not None:
        return (), _delayed(retry, scope)
    decision = decide(bundle.policies[example.name], scope)
    return decision.rules, decision.output


def _compared(example: Example, bundle: Bundle) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Give the keys of a record with their values."""
    values = in_words(key_values(bundle.matches[example.name], example.source))
    return tuple(values), values


def _delayed(policy: RetryPolicy, scope: Mapping[str, Any]) -> dict[str, Any]:
    asked = scope.get("asked")
    seconds = delay(
        policy, scope.get("attempt", 1), _binary(scope.get("draw", 0)), None if asked is None else _binary(asked)
    )
    return {} if seconds is None else {"after": Decimal(str(seconds))}


def _binary(number: Decimal | int) -> float:
    """Give seconds or a share as the machine's own number; these are waits, not money."""
    top, bottom = number.as_integer_ratio()
    return top / bottom


def _differences(
    example: Example, bundle: Bundle, rules: tuple[str, ...], output: Mapping[str, Any]
) -> Iterator[Difference]:
    policy, match = bundle.policies.get(example.name), bundle.matches.get(example.name)
    kind = RETRY if policy is None else policy.kind
    if match is not None:
        for problem in bundle.validate(match.record, example.source):
            field, _, detail = problem.partition(": ")
            yield Difference(field=f"in.{field}", detail=detail)
    elif not isinstance(example.source, dict):
        yield Difference(field="in", detail="it holds the names that the policy reads, with their values")
    elif kind.scope is not None:
        for name in example.source:
            if name not in kind.scope:
                known = ", ".join(kind.scope)
                yield Difference(field=f"in.{name}", detail=f"a {kind.name} policy does not see it; it sees {known}")
    decided = ", ".join(rules) or "none"
    if example.rule is not None and example.rule != decided:
        yield Difference(field="rule", expected=example.rule, came=decided)
    yield from differences(example.expected, dict(output), whole=True)


def rule_coverage(bundle: Bundle, results: Iterable[Result]) -> list[RuleCoverage]:
    """Tell for each policy which rules no example reaches, or for which keys none has a value."""
    reached: dict[str, set[str]] = {}
    for result in results:
        if result.example.kind is FileKind.POLICY and result.made is not None:
            reached.setdefault(result.example.name, set()).update(result.made["rules"])
    found = []
    named = {name: tuple(rule.name for rule in policy.rules) for name, policy in bundle.policies.items()}
    named |= {name: tuple(key.name for key in policy.keys) for name, policy in bundle.matches.items()}
    for name, rules in sorted(named.items()):
        unreached = tuple(rule for rule in rules if rule not in reached.get(name, ()))
        found.append(RuleCoverage(policy=name, rules=rules, unreached=unreached))
    return found
