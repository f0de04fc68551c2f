"""The keys by which a connection names the policies that guard it: one for each kind that connections ask."""

from __future__ import annotations

from hub.policy.form import Asked
from hub.policy.kinds import KINDS
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.lint import Lints
from hub.workspace.source.shapes import NAME, Key, Text
from hub.workspace.source.yaml_source import Keyed, text_of

#: In an environment, in the place of a policy's name: no policy of this kind.
NO_POLICY = "none"
_POLICY = Text(pattern=NAME, example="a policy's name, or `none`")

GUARD_KEYS = {
    kind.name: Key(shape=_POLICY, doc=f"the policy that guards it: {kind.doc[0].lower()}{kind.doc[1:]}")
    for kind in KINDS.values()
    if kind.asked is Asked.CONNECTION
}


def lint_guards(node: Keyed, lints: Lints, known: Known) -> None:
    """Add a lint for each guard that does not exist or is of another kind."""
    for key in GUARD_KEYS:
        at = node.get(key)
        if at is None or text_of(at) == NO_POLICY:
            continue
        policy = known.policies.get(text_of(at))
        if known.lint_name(FileKind.POLICY, at, lints) and policy is not None and policy.kind != key:
            message = f"The policy `{policy.name}` is of kind `{policy.kind}`; `{key}` needs one of kind `{key}`."
            lints.error(at, "wrong-policy-kind", message, "Name another policy.")


def read_guards(node: Keyed) -> dict[str, str]:
    """Give the names of the policies that guard a checked connection, by their kind."""
    return {key: text_of(at) for key in GUARD_KEYS if (at := node.get(key)) is not None}
