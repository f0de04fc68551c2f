"""Fields that records have: those that the settings expect, and those that Salesforce shows in every whole record.

The first are an org's own, of which no schema knows that mappings read them. The others (`x-shown` in the schemas) are
standard fields that nothing which ships reads. A whole record has each field that the user may see, null where it is
empty; so one that is not there was taken away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence

from connectors.salesforce.amounts import SCHEMAS
from connectors.salesforce.describing import described
from connectors.salesforce.kinds import KINDS, ORDER_LINES, VERSION, kind_of
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.connector import JsonSchema
from hub.sdk.errors import FixConnection, FixData
from hub.sdk.session import Session

GONE = "expected-field-gone"
#: What the lists in records are of.
_LISTS = {of.relation: of.object for kind in KINDS for of in kind.lines} | {"Orders": "Order"}
_TOLD = "A field that the setting `expects` names is gone, or the user may not see it any more."


def by_object(settings: SalesforceSettings) -> Mapping[str, Sequence[str]]:
    """Give the fields that are expected of each object."""
    found: dict[str, list[str]] = defaultdict(list)
    for name in settings.expects:
        object, _, field = name.partition(".")
        found[object].append(field)
    return found


def in_records(settings: SalesforceSettings) -> Mapping[str, Sequence[str]]:
    """Give what the records of each schema have: the paths of the fields, those of lines among them.

    What is merely shown ends in `?`. It is left out where `select` asks for some fields alone, and in versions of the
    API that the schemas do not describe.
    """
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
    if settings.api_version == VERSION:
        for kind in KINDS:
            known = frozenset(found[kind.schema])
            shown = [path for path in _shown(settings, SCHEMAS[kind.schema], kind.object) if path not in known]
            found[kind.schema] += [f"{path}?" for path in shown]
    return found


def _shown(settings: SalesforceSettings, document: JsonSchema, object: str, at: str = "") -> Iterator[str]:
    """Give the paths of what records of an object show, and what lists in them do."""
    if object not in settings.select:
        yield from (f"{at}{name}" for name in document.get("x-shown", ()))
    for relation, below in _LISTS.items():
        if relation in document["properties"]:
            yield from _shown(settings, document["properties"][relation]["items"], below, f"{at}{relation}[].")


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
