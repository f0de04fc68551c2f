"""Writes what a certification showed into the connector's manifest: the quality list, and what held."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hub.errors import FixData, Refused
from hub.proof.certification.certify import State, Trial
from hub.proof.certification.sums import sums
from hub.queries.connectors import folder_of
from hub.sdk.connector import Connector
from hub.sdk.testing.manifests import CERTIFICATION, QUALITY, read_manifest, sources_of


def write_record(connector: Connector, trials: Sequence[Trial], *, on: date, concord: str) -> Path:
    """Write the quality list and the certification of a connector all of whose trials held; gives the manifest's path.

    `on` is the day of the trials, and `concord` the version of the hub that made them.

    Raises `Refused` where one did not hold, and `FixData` where the manifest does not say why a rule is not kept.
    """
    broken = sum(trial.state is State.BROKEN for trial in trials)
    if broken:
        raise Refused(f"{broken} trials do not hold, so that there is nothing to write.", code="not-certified")
    folder = folder_of(connector)
    path = folder / "manifest.yaml"
    reasons = read_manifest(path).quality
    files = YAML()
    files.width = 120
    files.indent(mapping=2, sequence=4, offset=2)
    files.preserve_quotes = True
    before = path.read_text("utf-8")
    value: Any = files.load(before)
    quality = value.setdefault("quality", {})
    as_it_is = list(value)[-1] == CERTIFICATION or CERTIFICATION not in value
    for rule, check in QUALITY.items():
        if check(connector):
            as_it_is = as_it_is and quality.get(rule) == "done"
            quality[rule] = "done"
        elif reasons.get(rule) is None:
            raise FixData(
                f"`{rule}` is not kept; write {{ exempt: why }} for it into {path.name}.", code="no-reason", rule=rule
            )
    value[CERTIFICATION] = {
        "on": on.isoformat(),
        "concord": concord,
        **_certification(trials),
        "sources": sources_of(folder),
    }
    text = io.StringIO()
    if as_it_is:
        # What people wrote stays as they wrote it.
        text.write(before.partition(f"\n{CERTIFICATION}:")[0].rstrip("\n") + "\n")
        value = {CERTIFICATION: value[CERTIFICATION]}
    files.dump(value, text)
    path.write_text(text.getvalue(), "utf-8")
    return path


def _certification(trials: Sequence[Trial]) -> dict[str, Any]:
    (found,) = sums(trials)
    exempt: dict[str, dict[str, str]] = {}
    for one in found.exemptions:
        exempt.setdefault(one.name, {})[one.fault] = one.reason
    return {
        "tried": found.tried,
        "faults": found.faults,
        "trials": found.trials - found.not_struck,
        **({"exempt": exempt} if exempt else {}),
    }
