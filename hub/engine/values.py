"""What a step computes from the values that a run has: pure, so that whoever computes it again gets the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.engine.readings import source_of
from hub.errors import FixData, HubError
from hub.mapping.compiled import apply
from hub.model.flow import Call, Flow, Link, Lookup, Map, Match, Term
from hub.policy.matching import KeyValue, MatchPolicy, key_values
from hub.workspace.bundle import Bundle

Scope = dict[str, Any]


def mapped(bundle: Bundle, action: Map, scope: Mapping[str, Any]) -> Any:
    """Give the output of a `map` step."""
    source = source_of(bundle, action.of, action.mapping, scope)
    return shaped(bundle, action.mapping, source, action.given, scope)


def call_input(bundle: Bundle, action: Call, scope: Mapping[str, Any]) -> Any:
    """Give what a call hands to its operation: the mapping `with` applied, the id, or nothing."""
    if action.shape is not None:
        source = source_of(bundle, action.of, action.shape, scope)
        return shaped(bundle, action.shape, source, action.given, scope)
    return {"id": action.by(scope)} if action.by is not None else {}


def item_input(bundle: Bundle, action: Call, item: Any, scope: Mapping[str, Any]) -> Any:
    """Give what a call hands to its operation for one item of `each`: the mapping `with` applied to it, or itself."""
    return item if action.shape is None else shaped(bundle, action.shape, item, action.given, scope)


def call_output(bundle: Bundle, action: Call, answer: Any, scope: Mapping[str, Any]) -> Any:
    """Give the output of a call from what its operation answered: as it is, or through the mapping `into`."""
    return answer if action.into is None else shaped(bundle, action.into, answer, {}, scope)


def lookup_question(action: Lookup, scope: Mapping[str, Any]) -> dict[str, str]:
    """Give what a look-up asks: which id (`want`) the thing has that is called `id` in `system`, or one `above` it."""
    asked = {
        "entity": action.crossref,
        "system": str(action.system(scope)),
        "id": str(action.id(scope)),
        "want": str(action.want(scope)),
    }
    return asked if action.above is None else {**asked, "above": action.above}


def compared_keys(policy: MatchPolicy, action: Match, scope: Mapping[str, Any]) -> tuple[Any, tuple[KeyValue, ...]]:
    """Give the record that a `match` step compares, and the values of its keys."""
    record = action.of(scope) if action.of is not None else scope["record"]
    return record, key_values(policy, record)


def match_question(action: Match, scope: Mapping[str, Any]) -> dict[str, str]:
    """Give which record a `match` step compares: what `system` calls `id`."""
    id = action.id(scope)
    if id is None or id == "":
        raise FixData("What is compared has no id.", code="no-id", expression=action.id.text)
    return {"system": str(action.system(scope)), "id": str(id)}


def linked_parent(action: Link, scope: Mapping[str, Any]) -> tuple[str, str] | None:
    """Give the system and id of what a `crossref` step puts above its thing; None where it stands below nothing."""
    if action.parent is None:
        return None
    system, id = action.parent
    above = id(scope)
    return None if above is None or above == "" else (str(system(scope)), str(above))


def linked_ids(action: Link, scope: Mapping[str, Any]) -> dict[str, str]:
    """Give the ids that a `crossref` step ties together, by system."""
    return {str(system(scope)): str(id(scope)) for system, id in action.ids}


def lenient(term: Term | None, scope: Mapping[str, Any]) -> Any:
    """Give what describes a run for people and policies, or None: before its step has run there is nothing to say."""
    try:
        return None if term is None else term(scope)
    except HubError:
        return None


def money_at_stake(flow: Flow, scope: Mapping[str, Any]) -> dict[str, Any]:
    """Give the money that a run is about, as the columns of its row, as far as it is known by now."""
    money = lenient(flow.money, scope)
    if isinstance(money, Mapping):
        minor, currency = money.get("minor"), money.get("currency")
        # Beyond what a column holds it is no amount; the run is recorded without it rather than not at all.
        if type(minor) is int and abs(minor) < 2**63 and isinstance(currency, str):
            return {"money_minor": minor, "money_currency": currency}
    return {"money_minor": None, "money_currency": None}


def shaped(
    bundle: Bundle, name: str, source: Any, given: Mapping[str, Term], scope: Mapping[str, Any]
) -> dict[str, Any]:
    """Apply a mapping and check what it gave; `FixData` under `schema-mismatch` lists what does not fit its target."""
    mapping = bundle.mappings[name]
    value = apply(mapping, source, {key: term(scope) for key, term in given.items()})
    faults = bundle.validate(mapping.target, value)
    if faults:
        raise FixData(
            f"What the mapping {name} gave does not fit {mapping.target}.",
            code="schema-mismatch",
            faults="; ".join(faults[:5]),
        )
    return value


class once:  # noqa: N801 - it stands for a function
    """Makes something when it is first asked for, and only then."""

    def __init__(self, form: Callable[[], Any]) -> None:
        """Take what makes it."""
        self._form = form
        self._formed: list[Any] = []

    def __call__(self) -> Any:
        """Give it, made now if need be."""
        if not self._formed:
            self._formed.append(self._form())
        return self._formed[0]

    def given(self) -> Any:
        """Give what was made, or None when nobody asked for it."""
        return self._formed[0] if self._formed else None
