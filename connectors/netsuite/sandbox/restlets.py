"""RESTlets: scripts of the account's owner. `collections_notice` writes to its own book on every call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.netsuite.sandbox.problems import ScriptError


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One execution of a script, with what it was given."""

    script: str
    at: datetime
    body: Any


@dataclass(slots=True)
class Restlets:
    """The deployed scripts and the book of what they did."""

    calls: list[Call] = field(default_factory=list)
    #: (script, deployment) → behaviour; scripts answer to their script id and to their internal id.
    deployed: dict[tuple[str, str], str] = field(
        default_factory=lambda: {
            ("customscript_collections_notice", "customdeploy_collections_notice"): "collections_notice",
            ("101", "1"): "collections_notice",
        }
    )

    def deploy(self, script: str, deployment: str, behaviour: str) -> None:
        """Deploy a known behaviour under another address; raises `ValueError`."""
        if behaviour not in _BEHAVIOURS:
            raise ValueError(f"restlets: behaviour is one of {', '.join(_BEHAVIOURS)}")
        self.deployed[(script, deployment)] = behaviour

    def call(self, query: Mapping[str, str], body: Any, now: datetime) -> Any:
        """Run the script that the address names."""
        script, deployment = query.get("script", ""), query.get("deploy", "")
        behaviour = self.deployed.get((script, deployment))
        if behaviour is None:
            raise ScriptError("SSS_INVALID_SCRIPTLET_ID", "That Suitelet is invalid, disabled, or no longer exists.")
        return _BEHAVIOURS[behaviour](self, script, body, now)


def _collections_notice(restlets: Restlets, script: str, body: Any, now: datetime) -> Any:
    # The author of this script never thought of a second call: every call is one more notice.
    if not isinstance(body, Mapping) or not body.get("customer"):
        raise ScriptError("SSS_MISSING_REQD_ARGUMENT", "collections_notice: Missing a required argument: customer")
    restlets.calls.append(Call(script=script, at=now, body=dict(body)))
    return {"notice": len(restlets.calls), "customer": body["customer"]}


_BEHAVIOURS: dict[str, Callable[[Restlets, str, Any, datetime], Any]] = {"collections_notice": _collections_notice}
