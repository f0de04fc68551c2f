"""How the outputs of several matching rules become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hub.model.durations import duration
from hub.policy.form import Given, Merge, PolicyKind
from hub.policy.outputs import moment

_NEVER = datetime.max.replace(tzinfo=UTC)


def merged(kind: PolicyKind, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the outputs of the matching rules, in their order, each key by its declared way.

    The leading rule is the one that asks for most; of equals the first.
    """
    if not outputs or kind.outputs is None:
        return {}
    result: dict[str, Any] = {}
    leader = _leader(kind, outputs)
    for name, declared in kind.outputs.items():
        given = [output[name] for output in outputs if name in output]
        if not given:
            continue
        match declared.merge:
            case Merge.LEADING:
                # Where the leading rule says nothing, the next that does is heard rather than nobody.
                result[name] = leader.get(name, given[0])
            case Merge.JOINED:
                result[name] = "; ".join(dict.fromkeys(text.rstrip(" .") for text in given))
            case Merge.LATEST if len(given) < len(outputs):
                # A rule that names no end lasts until it no longer matches.
                continue
            case Merge.LOWEST | Merge.EARLIEST | Merge.SHORTEST:
                result[name] = min(given, key=lambda value, declared=declared: _weight(declared, value))  # type: ignore[misc]
            case Merge.MOST | Merge.LATEST | Merge.SEVEREST:
                result[name] = max(given, key=lambda value, declared=declared: _weight(declared, value))  # type: ignore[misc]
    return result


def _leader(kind: PolicyKind, outputs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    if kind.leads is None or kind.outputs is None:
        return outputs[0]
    name, declared = kind.leads, kind.outputs[kind.leads]

    def asks(output: Mapping[str, Any]) -> Any:
        if name in output:
            return _weight(declared, output[name])
        return _NEVER if declared.merge is Merge.LATEST else _weight(declared, 0)

    return max(outputs, key=asks)


def _weight(declared: Given, value: Any) -> Any:
    if declared.order:
        return declared.order.index(value)
    if declared.shape.format == "date-time":
        read = moment(value)
        return _NEVER if read is None else read
    if declared.shape.format == "duration":
        return duration(value)
    return value
