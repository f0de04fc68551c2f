"""Queries of other people's: in an org with several currencies they are asked for the currency of each amount too.

Which of the fields that a query names are amounts is asked of the org, each time: whether it has several currencies,
and which amounts of its own, may have changed since. What can only be a name or an id is not asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.salesforce import amounts
from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.client import settings_of
from connectors.salesforce.describing import described
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.errors import FixData
from hub.sdk.session import Session

_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
_WORD = re.compile(r"[A-Za-z_][\w.]*|[(),]")
#: A field, perhaps renamed; a function of one, perhaps renamed.
_FIELD = re.compile(r"([A-Za-z_][\w.]*)(?:\s+\w+)?")
_FUNCTION = re.compile(r"(\w+)\s*\((.*)\)(?:\s+\w+)?", re.DOTALL)
_INNERMOST = re.compile(r"([A-Za-z_][\w.]*)\s*\)*\s*\Z")
#: Functions whose value is no amount: a count, a text that says its currency itself, or all fields.
_NO_AMOUNT = frozenset({"count", "count_distinct", "format", "tolabel", "grouping"})
#: What follows an object's name and is not another name for it.
_CLAUSES = frozenset({"where", "using", "with", "group", "order", "limit", "offset", "for", "update", "all", "having"})
#: What Salesforce itself calls an id (`OwnerId`), and not what only ends alike (`TotalAmountPaid`).
_ID = re.compile(r"[A-Za-z]*[a-z]Id")
_NO_SUM = frozenset({"id", "name", "isdeleted", "createddate", "lastmodifieddate", "systemmodstamp"})
#: Types of which Salesforce keeps money.
_SUM = "currency"


@dataclass(slots=True, kw_only=True)
class Sums:
    """The amounts that a query names: of its rows, of what these lead to, and of the lists in them."""

    amounts: set[str] = field(default_factory=set)
    parents: dict[str, Sums] = field(default_factory=dict)
    children: dict[str, Sums] = field(default_factory=dict)

    def assert_named(self, settings: SalesforceSettings, row: Mapping[str, Any]) -> None:
        """Assert that each amount of a row has its currency beside it; raises what `amounts.assert_named` does."""
        if any(row.get(name) is not None for name in self.amounts):
            amounts.assert_named(settings, row)
        for name, sums in self.parents.items():
            if isinstance(row.get(name), Mapping):
                sums.assert_named(settings, row[name])
        for name, sums in self.children.items():
            for child in row.get(name) or ():
                sums.assert_named(settings, child)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A list of fields: its items, where the last one ends, and of what, by which other name."""

    items: Sequence[str]
    inner: Sequence[_Part]
    end: int
    object: str
    alias: str

    def names(self) -> Iterator[str]:
        yield from self.items
        for one in self.inner:
            yield from one.names()


@dataclass(slots=True, kw_only=True)
class _Added:
    """What is put into a query, by the place."""

    at: dict[int, list[str]] = field(default_factory=dict)


async def with_currencies_asked(session: Session, soql: str) -> tuple[str, Sums]:
    """Give a query that names the currency of each amount that it names, and what these amounts are.

    In an org with one currency it stays as it is. Raises `FixData` as `no-currency` for a sum, and for what is
    converted: Salesforce gives these in a currency that no row names.
    """
    sums = Sums()
    part = _part(_QUOTED.sub(lambda found: "'" + "_" * (len(found[0]) - 2) + "'", soql))
    if part is None or all(_is_no_sum(item) for item in part.names()):
        return soql, sums
    added = _Added()
    try:
        await _Asking(session=session, objects={}, added=added).of(part, part.object, sums)
    except FixData as error:
        if error.code != "unknown-object":
            raise
        # That there is no such object, Salesforce itself says best.
        return soql, Sums()
    for at, names in sorted(added.at.items(), reverse=True):
        soql = f"{soql[:at]}, {', '.join(names)}{soql[at:]}"
    return soql, sums


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """Asks the org about the objects of one query, each once."""

    session: Session
    objects: dict[str, dict[str, Any]]
    added: _Added

    async def of(self, part: _Part, object: str, sums: Sums) -> None:
        """Note the amounts of a list of fields and of those within, and what has to be asked beside them."""
        told = await self._told(object)
        if _has_one(told):
            return
        lists = {
            str(one.get("relationshipName")).lower(): one
            for one in told.get("childRelationships", ())
            if isinstance(one, dict) and one.get("relationshipName")
        }
        for inner in part.inner:
            relation = lists.get(inner.object.rpartition(".")[2].lower())
            if relation is not None:
                below = sums.children.setdefault(str(relation["relationshipName"]), Sums())
                await self.of(inner, str(relation["childSObject"]), below)
        asked = {_path(item, part.alias).lower() for item in part.items}
        for item in part.items:
            await self._note(item, part, object, sums, asked)

    async def _note(self, item: str, part: _Part, object: str, sums: Sums, asked: set[str]) -> None:
        function = _FUNCTION.fullmatch(item)
        named = "" if function is None else function[1].lower()
        if function is not None and named == "fields":
            await self._note_all(function[2].strip().lower(), part, object, sums, asked)
            return
        if named in _NO_AMOUNT:
            return
        inmost = None if function is None else _INNERMOST.search(function[2])
        name = _path(item, part.alias) if inmost is None else _plain(inmost[1], part.alias)
        if not name:
            # What a choice between kinds (`TYPEOF`) gives, nobody knows before.
            if await self._has_several(object):
                raise _no_currency(item)
            return
        way, _, last = name.rpartition(".")
        at, led = sums, object
        for step in way.split(".") if way else ():
            before = led
            led, relation = await self._led(before, step)
            if not relation and not _is_no_sum(last) and await self._has_several(before):
                # Another name for what is led to, as the old form `FROM Contact c, c.Account a` gives one.
                raise FixData(
                    "Nobody can tell where this leads, and so not in which currency it is: write the whole path.",
                    code="no-currency",
                    of=item[:80],
                )
            if not led:
                return
            at = at.parents.setdefault(relation, Sums())
        told = await self._told(led)
        known = _fields(told).get(last.lower())
        if known is None or known.get("type") != _SUM or _has_one(told):
            return
        if function is not None:
            raise _no_currency(item)
        at.amounts.add(str(known["name"]))
        self._ask(part, f"{way}." if way else "", asked)

    async def _note_all(self, which: str, part: _Part, object: str, sums: Sums, asked: set[str]) -> None:
        """Note what `FIELDS()` names: only those of the org's own come without the currency."""
        found = [one for one in _fields(await self._told(object)).values() if one.get("type") == _SUM]
        sums.amounts |= {str(one["name"]) for one in found if which != "custom" or one.get("custom")}
        if found and which == "custom":
            self._ask(part, "", asked)

    def _ask(self, part: _Part, way: str, asked: set[str]) -> None:
        name = f"{way}{CURRENCY}"
        if name.lower() not in asked:
            asked.add(name.lower())
            self.added.at.setdefault(part.end, []).append(name)

    async def _led(self, object: str, step: str) -> tuple[str, str]:
        """Give where a relation leads and what it is called; nothing for where, if that is to several kinds.

        Of those Salesforce shows by a path only what all have, and no amount.
        """
        for one in _fields(await self._told(object)).values():
            if str(one.get("relationshipName")).lower() == step.lower():
                kinds = list(one.get("referenceTo") or [])
                return (str(kinds[0]) if len(kinds) == 1 else "", str(one["relationshipName"]))
        return "", ""

    async def _has_several(self, object: str) -> bool:
        """Tell whether the org has several currencies, as far as an object of it, or any other before it, shows."""
        await self._told(object)
        return settings_of(self.session).learned.several

    async def _told(self, object: str) -> dict[str, Any]:
        if object not in self.objects:
            self.objects[object] = await described(self.session, object)
        return self.objects[object]


def _fields(told: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {str(one.get("name")).lower(): one for one in told["fields"] if isinstance(one, dict)}


def _has_one(told: Mapping[str, Any]) -> bool:
    """Tell whether an object shows that its org has one currency: it has amounts, and no field that names theirs."""
    fields = _fields(told)
    return CURRENCY.lower() not in fields and any(one.get("type") == _SUM for one in fields.values())


def _no_currency(item: str) -> FixData:
    return FixData(
        "The org has several currencies, and no row can say in which of them this is: read the amounts themselves.",
        code="no-currency",
        of=item[:80],
    )


def _is_no_sum(item: str) -> bool:
    last = item.rpartition(".")[2].strip()
    function = _FUNCTION.fullmatch(item)
    if function is not None:
        return function[1].lower() in _NO_AMOUNT
    return last.lower() in _NO_SUM or _ID.fullmatch(last) is not None


def _path(item: str, alias: str) -> str:
    found = _FIELD.fullmatch(item)
    return _plain(found[1], alias) if found is not None else ""


def _plain(path: str, alias: str) -> str:
    first, dot, rest = path.partition(".")
    return rest if dot and alias and first.lower() == alias.lower() else path


def _part(masked: str, begin: int = 0) -> _Part | None:
    """Take apart the list of fields that begins at `SELECT`; None for what is no query, which Salesforce refuses."""
    words = list(_WORD.finditer(masked, begin))
    if not words or words[0][0].lower() != "select":
        return None
    items: list[str] = []
    inner: list[_Part] = []
    depth, start, place = 0, words[0].end(), 1
    while place < len(words):
        word, text = words[place], words[place][0].lower()
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
        elif depth == 0 and text in (",", "from"):
            items.append(masked[start : word.start()].strip())
            start = word.end()
            if text == "from":
                break
        elif depth == 1 and text == "select":
            one = _part(masked, word.start())
            if one is not None:
                inner.append(one)
        place += 1
    names = [one[0] for one in words[place + 1 : place + 4]]
    if place >= len(words) or not names or depth:
        return None
    end = len(masked[: words[place].start()].rstrip())
    behind = [name for name in names[1:] if name.lower() != "as"]
    alias = behind[0] if behind and behind[0].lower() not in _CLAUSES and behind[0] not in "()," else names[0]
    own = [item for item in items if not item.startswith("(")]
    return _Part(items=own, inner=inner, end=end, object=names[0], alias=alias)
