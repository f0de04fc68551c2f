"""What the check of a mapping lets pass makes records that fit the target's schema, whatever record comes in."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.errors import FixData
from hub.mapping.check import check
from hub.mapping.compiled import apply
from hub.mapping.compiler import compile_mapping
from hub.schemas.shape import shape_of
from hub.workspace.files.schemas import compile_schema
from tests.workspace import shop

ORDER, SALE = json.loads(shop.ORDER), json.loads(shop.SALE)
SOURCE, TARGET = shape_of(ORDER), shape_of(SALE)
ORDERS, SALES = compile_schema("shop.order@1", ORDER), compile_schema("canonical.sale@1", SALE)

_EXPRESSIONS = [
    "id", "note", "currency", "total", "created", "shipped_at", "address.town", "address.country", "items", "`null`",
    "'x'", "`1`", "[id]", "note || 'x'", "coalesce(note, id)", "coalesce(address.country, note)", "note && id",
    "money(total, currency)", "major(money(total, currency))", "date(created, 'UTC')", "datetime(created, 'UTC')",
    "date(shipped_at, 'UTC')", "items[0].price", "items[].sku | [0]", "length(items)", "to_string(total)",
    "{minor: total, currency: currency}", "{minor: total}", "address", "{city: address.town}", "total > `5`",
    "items[?sku == 'a'].{sku: sku, price: money_major(price, root().currency)}", "items[].{sku: sku}",
    "sum(items[].price)", "max_by(items, &price).sku", "not_null(note, id)", "join('', [id, note || ''])",
]  # fmt: skip
_TARGETS = ["id", "currency", "total", "major", "sold_on", "remark", "to", "to.city", "to.country", "rows"]
_FIELD = st.one_of(
    st.sampled_from(_EXPRESSIONS),
    st.fixed_dictionaries(
        {"value": st.sampled_from(_EXPRESSIONS)},
        optional={
            "required": st.booleans(),
            "default": st.sampled_from(["x", 1, "=id", "=note", "=total"]),
            "when": st.sampled_from(["note", "total > `5`", "address.town"]),
        },
    ),
    st.fixed_dictionaries({
        "of": st.sampled_from(["address", "@", "items[0]"]),
        "fields": st.dictionaries(st.sampled_from(["city", "country"]), st.sampled_from(["town", "country", "id"])),
    }),
    st.fixed_dictionaries({
        "each": st.sampled_from(["items", "address", "[@]"]),
        "fields": st.dictionaries(st.sampled_from(["sku", "price"]), st.sampled_from(["sku", "price", "id", "@"])),
    }),
)  # fmt: skip
_UNCHECKED = re.compile(r'is not a "date"|null is not of type')
_TEXT = st.text(max_size=3)
_ITEM = st.fixed_dictionaries({"sku": st.sampled_from(["a", "b"]), "price": st.integers(0, 99)})
_RECORDS = st.fixed_dictionaries(
    {
        "id": _TEXT,
        "note": _TEXT | st.none(),
        "currency": st.sampled_from(["EUR", "JPY"]),
        "total": st.integers(-9, 9),
        "created": st.integers(0, 2**31),
        "shipped_at": st.just("2025-12-01T10:00:00Z"),
        "items": st.lists(_ITEM, max_size=2),
    },
    optional={"address": st.none() | st.fixed_dictionaries({"town": _TEXT, "country": _TEXT | st.none()})},
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    fields=st.dictionaries(st.sampled_from(_TARGETS), _FIELD, min_size=1, max_size=4),
    records=st.lists(_RECORDS, min_size=4, max_size=8),
)
def test_what_passes_fits(fields: dict[str, Any], records: list[dict[str, Any]]) -> None:
    whole = {"id": "id", "total": "money(total, currency)", "sold_on": "date(created, 'UTC')", **fields}
    head = {"mapping": "shop/any", "version": 1, "from": "shop.order@1", "to": "canonical.sale@1"}
    try:
        mapping = compile_mapping({**head, "fields": whole}, {})
    except FixData:
        assume(False)
    assume(check(mapping, SOURCE, TARGET) == [])
    for record in records:
        assert ORDERS.problems(record) == []
        try:
            made = apply(mapping, record)
        except FixData:
            continue
        # A text that does not say what it holds may be a date; nulls within an object that one expression makes are
        # not looked at, since they are values there and not fields that are left out.
        told = [problem for problem in SALES.problems(made) if not _UNCHECKED.search(problem)]
        assert told == [], (fields, made)
