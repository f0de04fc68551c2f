"""A connector's manifest: what the code cannot say (vendor, versions), and how far its quality goes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hub.sdk.connector import Connector, Limits, ReadOperation, WriteOperation
from hub.sdk.values import Idempotency

_KEYS = ("name", "vendor", "api_versions", "quality")
#: Written by the certification, so that nobody has to.
CERTIFICATION = "certification"
_SOURCES = frozenset({".py", ".json", ".yaml", ".xml"})
_CERTIFICATION_KEYS = frozenset({"on", "concord", "tried", "faults", "trials", "exempt", "sources"})


def _writes(connector: Connector) -> Sequence[WriteOperation]:
    return [operation for operation in connector.operations if isinstance(operation, WriteOperation)]


def _has_undo(connector: Connector) -> bool:
    undoing = {operation.undo for operation in _writes(connector)}
    return all(operation.undo is not None or operation.name in undoing for operation in _writes(connector))


def _is_guarded(connector: Connector) -> bool:
    return all(
        operation.guard is not None for operation in _writes(connector) if operation.idempotency is Idempotency.UPSERT
    )


def _is_resolvable(connector: Connector) -> bool:
    return all(operation.idempotency is not Idempotency.UNSAFE for operation in _writes(connector))


#: Rule → the check that it is kept. A manifest says `done` or `{ exempt: why }` to each.
QUALITY: Mapping[str, Callable[[Connector], bool]] = {
    # Something can be read back and compared.
    "reads": lambda connector: any(isinstance(operation, ReadOperation) for operation in connector.operations),
    # Changes at the vendor are told at once, and what was missed is found again.
    "webhook": lambda connector: connector.webhook is not None,
    "stream": lambda connector: bool(connector.streams),
    # No write ends as unknown for a person to look up.
    "resolvable-writes": _is_resolvable,
    # No upsert overwrites something newer.
    "guarded-upserts": _is_guarded,
    # Every write can be taken back.
    "undo": _has_undo,
    # The vendor's limits are declared, not guessed.
    "limits": lambda connector: connector.limits != Limits(),
    # Records have a shape that mappings can be checked against.
    "schemas": lambda connector: bool(connector.schemas),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Certification:
    """What the last certification of a connector came to, all of which held.

    `on` is the day (`2026-11-22`) and `concord` the version of the hub that tried it. `tried` operations, webhooks,
    streams and listings were tried under `faults` kinds of faults, in `trials` trials; `exempt` maps what was tried to
    faults under which it cannot hold, and why; `sources` names the state of the package by its content.
    """

    on: str
    concord: str
    tried: int
    faults: int
    trials: int
    sources: str
    exempt: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest as it was read; `quality` maps a rule to None when it is done, or to why it is not.

    `certification` is None for a connector that was never certified.
    """

    name: str
    quality: Mapping[str, str | None]
    mistakes: Sequence[str]
    vendor: str = ""
    api_versions: Sequence[str] = ()
    certification: Certification | None = None


def sources_of(folder: Path) -> str:
    """Name the state of a connector's package by its content, without its manifest: 64 hexadecimal digits."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _SOURCES and path.name != "manifest.yaml":
            whole.update(hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest())
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def read_manifest(path: Path) -> Manifest:
    """Read `manifest.yaml`; what is wrong with it comes as sentences, all at once."""
    found: Any = YAML(typ="safe").load(path.read_text("utf-8"))
    value: dict[str, Any] = found if isinstance(found, dict) else {}
    mistakes = [f"`{key}` is missing" for key in _KEYS if not value.get(key)]
    mistakes += [f"`{key}` is not a key of a manifest" for key in value if key not in (*_KEYS, CERTIFICATION)]
    rules = value.get("quality")
    rules = rules if isinstance(rules, dict) else {}
    mistakes += [f"quality: `{rule}` is not a rule" for rule in rules if rule not in QUALITY]
    quality: dict[str, str | None] = {}
    for rule in QUALITY:
        answer = rules.get(rule)
        exempt = isinstance(answer, dict) and set(answer) == {"exempt"} and str(answer["exempt"] or "").strip()
        if answer != "done" and not exempt:
            mistakes.append(f'quality: `{rule}` must be `done` or `{{ exempt: "why" }}` (with a comma, in quotes)')
        quality[rule] = str(answer["exempt"]) if exempt and isinstance(answer, dict) else None
    certification = value.get(CERTIFICATION)
    if certification is not None and (
        not isinstance(certification, dict) or not set(certification) <= _CERTIFICATION_KEYS
    ):
        mistakes.append("`certification` is written by `concord connectors certify --write`")
        certification = None
    return Manifest(
        name=str(value.get("name", "")),
        quality=quality,
        mistakes=mistakes,
        vendor=str(value.get("vendor", "")),
        api_versions=tuple(map(str, value.get("api_versions") or ())),
        certification=None if certification is None else _certification(certification),
    )


def _certification(value: Mapping[str, Any]) -> Certification:
    exempt = value.get("exempt") or {}
    return Certification(
        on=str(value.get("on", "")),
        concord=str(value.get("concord", "")),
        tried=int(value.get("tried", 0)),
        faults=int(value.get("faults", 0)),
        trials=int(value.get("trials", 0)),
        sources=str(value.get("sources", "")),
        exempt={str(name): dict(reasons) for name, reasons in exempt.items()},
    )
