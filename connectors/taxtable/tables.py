"""The engine's files: rates, categories, registrations, exemptions and filings, each a CSV in the workspace's `tax/`.

Every mistake is told with its file and line; what is read of files with mistakes is not used.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation

from hub.sdk.embedded import Flaw

FOLDER = "tax"
#: File → its columns, in this order.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "rates": (
        "country", "region", "postal", "level", "jurisdiction", "code", "tax_type", "tax_name", "category", "percent",
        "from", "to",
    ),
    "categories": ("tax_code", "category"),
    "registrations": ("entity", "country", "region", "business_buyers", "from", "to"),
    "exemptions": ("country", "region", "reason"),
    "filings": ("entity", "country", "through"),
}  # fmt: skip
#: Files without which nothing can be taxed; the others may be left out.
NEEDED = ("rates", "registrations")
LEVELS = ("country", "state", "county", "city", "special")
TAX_TYPES = ("sales", "use", "vat", "gst", "other")
REASONS = (
    "government", "diplomat", "charity", "religion", "education", "resale", "agriculture", "production", "direct-pay",
    "other",
)  # fmt: skip
#: What is sold that no category names.
STANDARD = "standard"
_ANY = "*"
_EXEMPT = "exempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one jurisdiction takes of one category in a time; `rate` is a fraction, None: the category is exempt.

    `region` and `postal` (the beginning of postal codes) are empty where it counts for the whole country or region,
    and `category` is `*` for whatever no other row names.
    """

    country: str
    region: str
    postal: str
    level: str
    jurisdiction: str
    code: str
    tax_type: str
    tax_name: str
    category: str
    rate: Decimal | None
    begins: date
    ends: date

    def applies(self, country: str, region: str, postal: str, day: date) -> bool:
        """Tell whether it counts at a place on a day."""
        return (
            self.country == country
            and self.region in {"", region}
            and postal.startswith(self.postal)
            and self.begins <= day <= self.ends
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """Where an entity collects tax; `reverse` is True where business buyers from another country owe it themselves."""

    entity: str
    country: str
    region: str
    reverse: bool
    begins: date
    ends: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All files, read."""

    rates: Sequence[Rate] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    registrations: Sequence[Registration] = ()
    exemptions: frozenset[tuple[str, str, str]] = frozenset()
    filings: Mapping[tuple[str, str], date] = field(default_factory=dict)

    def category(self, tax_code: str | None) -> str:
        """Give the category of a tax code: by the code itself, or by its longest beginning that is named with `*`."""
        code = tax_code or ""
        for length in range(len(code), -1, -1):
            name = code if length == len(code) and code in self.categories else code[:length] + _ANY
            if name in self.categories:
                return self.categories[name]
        return STANDARD

    def registration(self, entity: str, country: str, region: str, day: date) -> Registration | None:
        """Give the registration that covers a place on a day, if there is one."""
        return next(
            (
                one
                for one in self.registrations
                if one.entity == entity
                and one.country == country
                and one.region in {"", region}
                and one.begins <= day <= one.ends
            ),
            None,
        )

    def rates_at(self, country: str, region: str, postal: str, day: date, category: str) -> list[Rate]:
        """Give each jurisdiction's rate at a place on a day: that of the category, else the one for all others."""
        found: dict[tuple[str, str], Rate] = {}
        for rate in self.rates:
            if rate.category in {category, _ANY} and rate.applies(country, region, postal, day):
                key = (rate.level, rate.code)
                if key not in found or rate.category != _ANY:
                    found[key] = rate
        return sorted(found.values(), key=lambda rate: (LEVELS.index(rate.level), rate.code))

    def knows(self, country: str, region: str) -> bool:
        """Tell whether any rate counts at a place, whenever."""
        return any(rate.country == country and rate.region in {"", region} for rate in self.rates)

    def exempts(self, country: str, region: str, reason: str) -> bool:
        """Tell whether a reason exempts a buyer at a place."""
        return any(key in self.exemptions for key in ((country, region, reason), (country, "", reason)))

    def filed_through(self, entity: str, country: str) -> date | None:
        """Give the last day of the returns that an entity has filed in a country."""
        return self.filings.get((entity, country))


def flaws(files: Mapping[str, bytes]) -> list[Flaw]:
    """Tell every mistake in the files, in the order of path and line."""
    return _Reading(files).flaws


def read(files: Mapping[str, bytes]) -> Tables:
    """Read files that have no flaws."""
    return _Reading(files).tables


class _Reading:
    """One reading of all files: the tables, and what is wrong with them."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.flaws: list[Flaw] = []
        known = {f"{FOLDER}/{name}.csv": name for name in COLUMNS}
        for path in files:
            if path not in known:
                self._flaw(path, 1, "The table engine reads no such file.", f"It reads {', '.join(sorted(known))}.")
        for name in NEEDED:
            if f"{FOLDER}/{name}.csv" not in files:
                self._flaw(f"{FOLDER}/{name}.csv", 1, "The table engine needs this file.", _header(name))
        rows = {name: list(self._rows(name, files.get(path))) for path, name in known.items()}
        self.tables = Tables(
            rates=self._rates(rows["rates"]),
            categories={row["tax_code"]: row["category"] for _, row in rows["categories"]},
            registrations=[
                Registration(
                    entity=row["entity"],
                    country=row["country"],
                    region=row["region"],
                    reverse=row["business_buyers"] == "reverse-charge",
                    begins=self._day("registrations", line, row["from"], date.min),
                    ends=self._day("registrations", line, row["to"], date.max),
                )
                for line, row in rows["registrations"]
                if self._one_of("registrations", line, "business_buyers", row, ("taxed", "reverse-charge"))
            ],
            exemptions=frozenset(
                (row["country"], row["region"], row["reason"])
                for line, row in rows["exemptions"]
                if self._one_of("exemptions", line, "reason", row, REASONS)
            ),
            filings={
                (row["entity"], row["country"]): self._day("filings", line, row["through"], date.min)
                for line, row in rows["filings"]
            },
        )
        self.flaws.sort(key=lambda flaw: (flaw.path, flaw.line))

    def _rows(self, name: str, content: bytes | None) -> Iterator[tuple[int, dict[str, str]]]:
        if content is None:
            return
        path = f"{FOLDER}/{name}.csv"
        try:
            reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
            for row in reader:
                cells = [cell.strip() for cell in row]
                if not any(cells):
                    continue
                if reader.line_num == 1:
                    if tuple(cells) != COLUMNS[name]:
                        self._flaw(path, 1, "The columns are not those of this file.", _header(name))
                        return
                elif len(cells) != len(COLUMNS[name]):
                    said = f"This row has {len(cells)} cells and not {len(COLUMNS[name])}."
                    self._flaw(path, reader.line_num, said, _header(name))
                else:
                    yield reader.line_num, dict(zip(COLUMNS[name], cells, strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            self._flaw(path, 1, f"This is not readable CSV: {error}.", "Save it as UTF-8, with commas and quotes.")

    def _rates(self, rows: Sequence[tuple[int, dict[str, str]]]) -> list[Rate]:
        made: list[tuple[int, Rate]] = []
        for line, row in rows:
            well = self._one_of("rates", line, "level", row, LEVELS)
            well &= self._one_of("rates", line, "tax_type", row, TAX_TYPES)
            rate = self._fraction(line, row["percent"])
            begins = self._day("rates", line, row["from"], date.min)
            ends = self._day("rates", line, row["to"], date.max)
            for column in ("country", "jurisdiction", "code", "category"):
                if not row[column]:
                    self._flaw(_path("rates"), line, f"`{column}` is empty.", "Every rate has one.")
                    well = False
            if begins > ends:
                self._flaw(
                    _path("rates"), line, "It ends before it begins.", "`to` is the last day on which it counts."
                )
                well = False
            if well:
                names = (
                    "country",
                    "region",
                    "postal",
                    "level",
                    "jurisdiction",
                    "code",
                    "tax_type",
                    "tax_name",
                    "category",
                )
                made.append((line, Rate(**{name: row[name] for name in names}, rate=rate, begins=begins, ends=ends)))
        self._lint_overlaps(made)
        return [rate for _, rate in made]

    def _lint_overlaps(self, rates: Sequence[tuple[int, Rate]]) -> None:
        groups: dict[tuple[str, ...], list[tuple[int, Rate]]] = {}
        for line, rate in rates:
            key = (rate.country, rate.region, rate.postal, rate.level, rate.code, rate.category)
            for other, before in groups.setdefault(key, []):
                if rate.begins <= before.ends and before.begins <= rate.ends:
                    said = f"On some days this rate and the one on line {other} count both."
                    self._flaw(_path("rates"), line, said, "End the one on the day before the other begins.")
            groups[key].append((line, rate))

    def _fraction(self, line: int, text: str) -> Decimal | None:
        if text == _EXEMPT:
            return None
        try:
            percent = Decimal(text)
        except InvalidOperation:
            percent = Decimal(-1)
        if not percent.is_finite() or not 0 <= percent <= 100:
            self._flaw(_path("rates"), line, f"`{text}` is no percentage.", "Write such as `19`, `8.25` or `exempt`.")
            return None
        return percent / 100

    def _day(self, name: str, line: int, text: str, usual: date) -> date:
        if not text:
            return usual
        try:
            return date.fromisoformat(text)
        except ValueError:
            self._flaw(_path(name), line, f"`{text}` is no date.", "Write such as `2026-01-31`.")
            return usual

    def _one_of(self, name: str, line: int, column: str, row: Mapping[str, str], words: Sequence[str]) -> bool:
        if row[column] in words:
            return True
        self._flaw(_path(name), line, f"`{column}` cannot be `{row[column]}`.", f"Write one of {', '.join(words)}.")
        return False

    def _flaw(self, path: str, line: int, message: str, hint: str) -> None:
        self.flaws.append(Flaw(path=path, line=line, message=message, hint=hint))


def _path(name: str) -> str:
    return f"{FOLDER}/{name}.csv"


def _header(name: str) -> str:
    return f"It begins with the line `{','.join(COLUMNS[name])}`."
