"""Series files: what the versions of one schema promise each other, and when each of them goes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from hub.schemas.series import Mode, SeriesTerms, VersionTerms
from hub.schemas.versions import join, split
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.shape_lint import lint_shape
from hub.workspace.source.shapes import SERIES_NAME, VERSION, Choice, Form, Key, Names, Text
from hub.workspace.source.yaml_source import Keyed, Node, text_of

_DATE = Text(pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}", example="a day such as `2027-03-31`")
_VERSION = Form(
    title="a version",
    keys={
        "deprecated": Key(shape=_DATE, doc="the day from which on nobody should begin to use it"),
        "sunset": Key(shape=_DATE, doc="the day from which on nobody may use it"),
        "note": Key(shape=Text(), doc="what came with it, or why it goes"),
    },
)
SERIES = Form(
    title="a series",
    keys={
        "series": Key(
            shape=Text(pattern=SERIES_NAME, example="a schema's name without its version, such as `canonical.invoice`"),
            doc="its name: the name of its schemas without `@` and version",
            required=True,
        ),
        "title": Key(shape=Text(), doc="what people call it"),
        "owner": Key(shape=Text(example="`team:finance-systems`"), doc="who looks after it"),
        "compatibility": Key(
            shape=Choice(of=tuple(Mode)), doc="what a new version promises; `none` when it is left out"
        ),
        "versions": Key(shape=Names(value=_VERSION, key=VERSION, example="2025-09-30"), doc="what is said of versions"),
    },
)


def load_series(node: Node, lints: Lints, schemas: Collection[str]) -> SeriesTerms | None:
    """Lint one series file and give what it says; `schemas` are the names of all there are. None after an error."""
    lint_shape(node, SERIES, lints, "series")
    if lints.failed or not isinstance(node, Keyed):
        return None
    name = text_of(node.get("series"))
    known = {version for series, version in map(split, schemas) if series == name}
    if not known:
        at = node.entries["series"].value
        hint = nearest(name, {split(schema)[0] for schema in schemas})
        lints.error(at, "unknown-series", f"There is no schema `{name}` in any version.", hint)
        return None
    listed = node.get("versions")
    versions = {}
    for version, entry in listed.entries.items() if isinstance(listed, Keyed) else ():
        if version not in known:
            message = f"There is no schema `{join(name, version)}`."
            lints.error(entry.key, "unknown-schema", message, nearest(version, known))
        elif isinstance(entry.value, Keyed):
            versions[version] = _terms(entry.value, lints)
    if lints.failed:
        return None
    mode = text_of(node.get("compatibility"))
    return SeriesTerms(
        title=text_of(node.get("title")),
        owner=text_of(node.get("owner")),
        mode=Mode(mode) if mode else Mode.NONE,
        versions=versions,
    )


def _terms(node: Keyed, lints: Lints) -> VersionTerms:
    deprecated, sunset = _day(node, "deprecated", lints), _day(node, "sunset", lints)
    if deprecated is not None and sunset is not None and sunset < deprecated:
        message = "The version would be gone before it is deprecated."
        lints.error(node.entries["sunset"].value, "bad-order", message, "Write a later `sunset`.")
    return VersionTerms(deprecated=deprecated, sunset=sunset, note=text_of(node.get("note")))


def _day(node: Keyed, key: str, lints: Lints) -> date | None:
    value = node.get(key)
    if value is None:
        return None
    try:
        return date.fromisoformat(text_of(value))
    except ValueError:
        lints.error(value, "bad-value", f"`{text_of(value)}` is no day of the calendar.", "Write it as `2027-03-31`.")
        return None
