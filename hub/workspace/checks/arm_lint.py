"""The arms of a branch that goes by what a policy decides: one for each connection that it may choose."""

from __future__ import annotations

from collections.abc import Sequence

from hub.policy.rules import Rule
from hub.workspace.checks.around import Around
from hub.workspace.checks.narrowing import compared_in, literals, tree_of
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Keyed, text_of


def lint_arms(arms: Sequence[Keyed], around: Around, lints: Lints) -> None:
    """Add a lint where a policy may choose a connection that no arm is for, and where an arm is for what it never says.

    It is told of branches whose arms all compare one decided value with a text. A last arm without a condition is for
    whatever else comes, and a rule that chooses no connection may have none.
    """
    compared = [compared_in(tree_of(arm.get("when"))) for arm in arms]
    asked = [one for one in compared if one is not None and one.holds]
    whatever = "when" not in arms[-1].entries
    if len({one.path for one in asked}) != 1 or len(asked) < len(arms) - whatever:
        return
    step, output = asked[0].step, asked[0].output
    policy, rules = around.policy(step), around.rules(step)
    if policy is None or policy.kind.outputs is not None:
        return
    values = literals(rules, output)
    if all(isinstance(rule.then.get(output), str) for rule in rules):
        for arm, one in zip(arms, compared, strict=True):
            if one is not None and one.value not in values:
                message = (
                    f"The arm `{text_of(arm.get('name'))}` is never taken: `{policy.name}` decides no `{one.value}`."
                )
                hint = nearest(one.value, values) or "Remove it, or add the rule."
                lints.warn(arm.entries["when"].value, "arm-never-taken", message, hint)
    handled = {one.value for one in asked}
    for rule in rules if not whatever else ():
        value, connection = rule.then.get(output), _chosen(rule, around)
        if isinstance(value, str) and value not in handled and connection:
            handled.add(value)
            message = (
                f"The policy `{policy.name}` may decide `{output}: {value}` and choose `{connection}` (rule "
                f"`{rule.name}`); no arm is for that, and nothing would be done."
            )
            hint = f"Add an arm with `when: {asked[0].path} == '{value}'`, or a last one without `when`."
            lints.error(arms[0].entries["name"].value, "arm-missing", message, hint)


def _chosen(rule: Rule, around: Around) -> str:
    """Name the connection that a rule chooses; empty when it chooses none."""
    connections = around.shapes.known.connections
    return next((value for value in rule.then.values() if isinstance(value, str) and value in connections), "")
