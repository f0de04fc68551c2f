"""Fields that the settings expect: an org's own, of which no schema knows that mappings read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence

from connectors.salesforce.describing import described
from connectors.salesforce.kinds import KINDS, ORDER_LINES, kind_of
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.errors import FixConnection, FixData
from hub.sdk.session import Session

GONE = "expected-field-gone"
_TOLD = "A field that the setting `expects` names is gone, or the user may not see it any more."


def by_object(settings: SalesforceSettings) -> Mapping[str, Sequence[str]]:
    """Give the fields that are expected of each object."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in settings.expects:
        object, _, field = name.partition(".")
        found[object].append(field)
    return found


def in_records(settings: SalesforceSettings) -> Mapping[str, Sequence[str]]:
    """Give what is expected of the records of each schema: the paths of the fields, those of lines among them."""
    found: dict[str, list[str]] = defaultdict(list)
    contract = kind_of("contract").schema
    for object, fields in by_object(settings).items():
        for kind in KINDS:
            if kind.object == object:
                found[kind.schema] += fields
            for of in kind.lines:
                if of.object == object:
                    found[kind.schema] += [f"{of.relation}[].{field}" for field in fields]
        if object == "Order":
            found[contract] += [f"Orders[].{field}" for field in fields]
        if object == ORDER_LINES.object:
            found[contract] += [f"Orders[].{ORDER_LINES.relation}[].{field}" for field in fields]
    return found


def assert_expected(settings: SalesforceSettings, object: str, names: Container[str]) -> None:
    """Assert that an object, or a whole record of it, has what is expected; `FixData` as `expected-field-gone`."""
    missing = [field for field in by_object(settings).get(object, ()) if field not in names]
    if missing:
        raise FixData(_TOLD, code=GONE, object=object, fields=", ".join(missing))


async def assert_all_there(session: Session, settings: SalesforceSettings) -> None:
    """Ask the org whether it has all that is expected; `FixConnection` as `expected-field-gone` names what is gone."""
    missing = []
    for object, fields in by_object(settings).items():
        try:
            told = (await described(session, object))["fields"]
        except FixData as error:
            if error.code != "unknown-object":
                raise
            told = []
        names = {field.get("name") for field in told if isinstance(field, dict)}
        missing += [f"{object}.{field}" for field in fields if field not in names]
    if missing:
        raise FixConnection(
            _TOLD,
            code=GONE,
            advice="Give the user the right to see them, or take them out of `expects` once nothing reads them.",
            fields=", ".join(missing),
        )
