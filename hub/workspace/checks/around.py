"""What is there around a place of a flow: the steps before it, the items of loops, and what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.policy.rules import Rule, RulePolicy
from hub.workspace.checks.flow_shapes import FlowShapes
from hub.workspace.checks.narrowing import Assumed, rules_left
from hub.workspace.checks.scopes import lint_calls, lint_scope
from hub.workspace.checks.step_nodes import inside, steps_within
from hub.workspace.checks.step_shapes import StepOutput, decided
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import Keyed, Node, text_of

#: What every expression of a flow sees beside the steps.
EVENT_SCOPE = frozenset({"event", "data", "record"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """A place of a flow: the names seen there (None: the item of a loop), and the steps that come later.

    `beside` are steps that a `parallel` goes through at the same time, and `nameless` is the loop around it whose items
    have no names. `assumed` is what the conditions around it say of decided values.
    """

    shapes: FlowShapes
    names: Mapping[str, Keyed | None] = field(default_factory=dict)
    later: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    nameless: Keyed | None = None
    assumed: tuple[Assumed, ...] = ()

    def after(self, step: Keyed, output: StepOutput) -> Around:
        """Give the place behind a step."""
        return self.named(text_of(step.get("id")), step, output)

    def item(self, name: str, output: StepOutput, loop: Keyed) -> Around:
        """Give the place within a loop, where an expression calls the item `name`."""
        nameless = self.nameless if "by" in loop.entries else self.nameless or loop
        return replace(self.named(name, None, output), nameless=nameless)

    def within(self, later: frozenset[str], beside: frozenset[str] = frozenset()) -> Around:
        """Give the place before the first of these steps, which stand within one here."""
        return replace(self, later=self.later | later, beside=beside)

    def named(self, name: str, node: Keyed | None, output: StepOutput) -> Around:
        """Give the place where one more name is seen."""
        return replace(self, names={**self.names, name: node}, shapes=self.shapes.knowing(name, output))

    def where(self, *assumed: Assumed, left_out: bool = False) -> Around:
        """Give the place where a condition says more of decided values: those of the rules that are left.

        `left_out` tells that the condition was not looked at where the step was left out.
        """
        here = replace(self, assumed=(*self.assumed, *assumed))
        for fact in assumed:
            policy, rules = here.policy(fact.step), here.rules(fact.step)
            # What a step within another gave is read through that one, whose shape stays as it is.
            output = here.shapes.outputs.get(fact.step)
            if policy is not None and output is not None and rules:
                shape = decided(policy, rules)
                may_be_null = output.shape.may_be_null and (left_out or not fact.holds)
                output = replace(output, shape=shape.nullable() if may_be_null else shape)
                here = replace(here, shapes=here.shapes.knowing(fact.step, output))
        return here

    def policy(self, step: str) -> RulePolicy | None:
        """Give the policy that a step asks; `step` is its path from here."""
        asked = self.find(step)
        policy = self.shapes.known.policies.get(text_of(asked.get("decide"))) if asked is not None else None
        return policy.deciding if policy is not None else None

    def rules(self, step: str) -> Sequence[Rule]:
        """Give the rules by which a step may have decided, as far as the conditions around this place say."""
        return rules_left(self.policy(step), (fact for fact in self.assumed if fact.step == step))

    def elsewhere(self) -> dict[str, str]:
        """Tell of steps that are within earlier ones how they are read from here."""
        found: dict[str, str] = {}
        for name, step in self.names.items():
            for steps in steps_within(step) if step is not None else ():
                for inner in steps:
                    id = text_of(inner.get("id"))
                    loop = inside(step, "foreach") if step is not None else None
                    way = f"as `{name}.{id}`" if loop is None else f"through `collect`, as `{name}.collected`"
                    found[id] = f"`{id}` is a step within `{name}`: read it {way}."
        return found

    def find(self, path: str) -> Keyed | None:
        """Find the step that a path such as `route` or `way.route` names."""
        first, *further = path.split(".")
        step = self.names.get(first)
        for name in further:
            inner = (each for steps in steps_within(step) for each in steps) if step is not None else ()
            step = next((each for each in inner if text_of(each.get("id")) == name), None)
        return step


def lint_term(node: Node, inset: int, around: Around, lints: Lints, known: Known) -> None:
    """Add a lint for every name, table and given value of an expression that does not exist at this place."""
    lint_scope(
        node,
        inset,
        EVENT_SCOPE | around.names.keys(),
        around.later,
        lints,
        beside=around.beside,
        elsewhere=around.elsewhere(),
    )
    lint_calls(node, inset, lints, known)
