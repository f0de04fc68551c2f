"""Files of every kind, each with one fault: the one line that a writer reads, whole, at the right line and column."""

from __future__ import annotations

import pytest

from hub.workspace.compilation import compile_bundle
from hub.workspace.kinds import FileKind
from tests.workspace import shop
from tests.workspace.conftest import CATALOGUE, FILES, encoded

WORKSPACE = {**FILES, **shop.FILES}

FLOW = "flows/post.yaml"
MAPPING = "mappings/shop/order_to_hub.yaml"
FRAGMENT = "mappings/shop/address.yaml"
EXAMPLES = "mappings/shop/order_to_hub_examples.yaml"
TABLE = "mappings/tables/kinds.csv"
ORDER = "schemas/shop.order@1.json"
SERIES = "schemas/canonical.sale.yaml"
ROUTING = "policies/routing.yaml"
RETRY = "policies/erp.yaml"
BOOKS = "connections/books.yaml"
BILLING = "connections/billing.yaml"
ENVIRONMENT = "environments/test.yaml"
KINDS = {
    FLOW: FileKind.FLOW,
    MAPPING: FileKind.MAPPING,
    FRAGMENT: FileKind.FRAGMENT,
    EXAMPLES: FileKind.EXAMPLES,
    TABLE: FileKind.TABLE,
    ORDER: FileKind.SCHEMA,
    SERIES: FileKind.SERIES,
    ROUTING: FileKind.POLICY,
    RETRY: FileKind.POLICY,
    BOOKS: FileKind.CONNECTION,
    BILLING: FileKind.CONNECTION,
    ENVIRONMENT: FileKind.ENVIRONMENT,
}

#: The file, what is replaced in it and by what, the line and column (of another file where the fault shows there), and
#: what is told.
BROKEN = [
    (
        FLOW,
        "owner: team:finance",
        "owner team:finance",
        "4:1",
        ("This is not readable YAML: a `:` is missing after a key, in what begins on line 3. Write `key: value`."),
    ),
    (
        FLOW,
        "title: Post invoices",
        'title: "Post invoices',
        "31:1",
        (
            "This is not readable YAML: the file ends before a quote is closed, in what begins on line 2. Close"
            " the quote."
        ),
    ),
    (
        FLOW,
        "    of: full\n    expect",
        "    of: full\n    expct",
        "14:5",
        "Unknown key `expct` in a step. Did you mean `expect`?",
    ),
    (
        FLOW,
        "map: billing/to_hub",
        "map: billing/to_hup",
        "12:10",
        "There is no mapping `billing/to_hup`. Did you mean `billing/to_hub`?",
    ),
    (
        FLOW,
        "id: invoice.id, want",
        "id: invoice.idd, want",
        "18:64",
        "There is no field `idd` in `invoice`. Did you mean `id`?",
    ),
    (
        FLOW,
        "by: =data.object.id",
        "by: =data.object[id",
        "10:85",
        (
            "This is not readable YAML: a `,` or the closing bracket is missing. Close the bracket, or quote a "
            "value with `,[]{}`."
        ),
    ),
    (
        FLOW,
        "decide: routing",
        "decide: erp",
        "16:13",
        ("The policy `erp` is of kind `retry`; `decide` needs one that decides between rules. Name another policy."),
    ),
    (
        FLOW,
        "wait: P7D",
        "wait: 7d",
        "19:22",
        "`7d` does not fit `wait`. Write a span of time such as `PT30S`, `PT12H` or `P7D`.",
    ),
    (
        FLOW,
        "      given: { customer: customer.id }\n",
        "",
        "24:13",
        ("The mapping `erp/from_hub` needs the given value `customer`. Add `given: { customer: … }` beside it."),
    ),
    (
        MAPPING,
        "  sold_on: date(created, 'UTC')\n",
        "",
        "5:1",
        "canonical.sale@1 needs the field `sold_on`, which nothing fills. Add `sold_on` to its fields.",
    ),
    (
        MAPPING,
        "remark: {",
        "remarks: {",
        "10:3",
        "canonical.sale@1 has no field `remarks`. Did you mean `remark`?",
    ),
    (
        MAPPING,
        "value: note",
        "value: noet",
        "10:20",
        "There is no field `noet` in shop.order@1. Did you mean `note`?",
    ),
    (
        MAPPING,
        "date(created, 'UTC')",
        "shipped_at",
        "9:12",
        (
            "`sold_on` has the format `date`, but this gives a `date-time`. Write `date(…, 'UTC')` with the "
            "time zone whose day counts."
        ),
    ),
    (
        MAPPING,
        "date(created, 'UTC')",
        "created",
        "9:12",
        "`sold_on` must be a text, but this gives a number. Write `date(…, 'UTC')` to make it of seconds.",
    ),
    (
        MAPPING,
        "money(total, currency)",
        "money_major(total, currency)",
        "8:22",
        (
            "money_major() takes major units or a string as its amount, but `total` counts minor units of a "
            "currency; money(minor, currency) makes money of minor units."
        ),
    ),
    (
        MAPPING,
        "  id: id\n",
        "  id: note\n",
        "6:7",
        (
            "`id` is required, but `note` may be null. Write `required: true` to stop at such a record, or give"
            " a `default`."
        ),
    ),
    (
        MAPPING,
        "default: none",
        "defualt: none",
        "10:26",
        "Unknown key `defualt` in a field. Did you mean `default`?",
    ),
    (
        MAPPING,
        "upper(currency)",
        "'EUR' || currency",
        "7:20",
        "This is not readable YAML: a `|` or `>` stands where a value begins or ended. Quote the whole value.",
    ),
    (
        MAPPING,
        "upper(currency)",
        "'EUR' == currency",
        "7:19",
        (
            "This is not readable YAML: more follows after the closing quote, in what begins on line 6. Quote the whole"
            " value."
        ),
    ),
    (
        MAPPING,
        "upper(currency)",
        "upper(currency",
        "7:27",
        "The expression `upper(currency` is wrong: The expression ends too early.",
    ),
    (
        MAPPING,
        "upper(currency)",
        "uper(currency)",
        "7:13",
        "The expression `uper(currency)` is wrong: There is no function uper(). Did you mean upper()?",
    ),
    (
        MAPPING,
        "upper(currency)",
        "upper(total)",
        "7:19",
        "upper() takes a string as its text, but `total` is a number.",
    ),
    (
        MAPPING,
        "upper(currency)",
        "table('kind', currency)",
        "7:19",
        "There is no table `kind`. Did you mean `kinds`?",
    ),
    (
        MAPPING,
        "upper(currency)",
        "given('currency')",
        "7:19",
        "The given value `currency` is not declared. Add `given: [currency]` to the mapping.",
    ),
    (
        MAPPING,
        "  each: items",
        "  each: address",
        "13:9",
        "`each` must give a list, but `address` gives an object. Write `[…]` around it for a list of one.",
    ),
    (
        MAPPING,
        "use: shop/address",
        "use: shop/adress",
        "11:14",
        "There is no fragment `shop/adress`. Did you mean `shop/address`?",
    ),
    (
        MAPPING,
        "to: canonical.sale@1",
        "to: canonical.sale@2",
        "4:5",
        "There is no schema `canonical.sale@2`. Did you mean `canonical.sale@1`?",
    ),
    (
        MAPPING,
        "from: shop.order@1\n",
        "from: shop.order@1\nwithout: [note]\n",
        "4:1",
        "`without` needs `rest: keep`; else nothing is kept to be taken out.",
    ),
    (
        MAPPING,
        "version: 1",
        "version: one",
        "2:10",
        "`one` does not fit `version`. Write a whole number from 1 to 1000000000.",
    ),
    (
        MAPPING,
        "  id: id\n",
        "  id: id\n  id.part: id\n",
        "7:3",
        "`id` is both a field and an object of fields. Rename one of them.",
    ),
    (
        FRAGMENT,
        "city: town",
        "town: town",
        MAPPING + ":11:9",
        "In the fragment `shop/address`: `to` has no field `town`. Known: `city`, `country`.",
    ),
    (
        FRAGMENT,
        "city: town",
        "city: twon",
        MAPPING + ":11:14",
        "In the fragment `shop/address`: There is no field `twon` in `address`. Did you mean `town`?",
    ),
    (
        FRAGMENT,
        "fields:",
        "feilds:",
        "2:1",
        "Unknown key `feilds` in a fragment. Did you mean `fields`?",
    ),
    (
        ROUTING,
        "match: first",
        "match: frist",
        "4:8",
        "`frist` does not fit `match`. Write `first`.",
    ),
    (
        ROUTING,
        "invoice.kind == 'first'",
        "invoice.kind = 'first'",
        "7:24",
        ("The expression `invoice.kind = 'first'` is wrong: `=` means nothing here; equality is written `==`."),
    ),
    (
        ROUTING,
        "name: everything else",
        "name: things of this kind",
        "9:11",
        "Another rule is called `things of this kind` too.",
    ),
    (
        RETRY,
        "attempts: 5",
        "attempts: many",
        "3:11",
        "`many` does not fit `attempts`. Write a whole number from 1 to 1000.",
    ),
    (
        ORDER,
        '"id": { "type": "string" },',
        '"id": { "type": "string" }',
        "5:5",
        ("This is not readable JSON: JSON is malformed: expected ',' or '}' (byte 75). Check commas and quotes."),
    ),
    (
        ORDER,
        '"type": "object",\n  "prop',
        '"type": "objekt",\n  "prop',
        "2:11",
        (
            'This is not a usable JSON Schema: "objekt" is no type; types are array, boolean, integer, null, '
            "number, object, string. Write JSON Schema 2020-12."
        ),
    ),
    (
        SERIES,
        "compatibility: backward",
        "compatibility: backwards",
        "4:16",
        (
            "`backwards` does not fit `compatibility`. Write `none` or `backward` or `forward` or `full` or "
            "`backward-transitive` or `forward-transitive` or `full-transitive`. Did you mean `backward`?"
        ),
    ),
    (
        SERIES,
        "  1: { note",
        "  2: { note",
        "6:3",
        "There is no schema `canonical.sale@2`. Known: `1`.",
    ),
    (
        BOOKS,
        "connector: erp",
        "connector: epr",
        "2:12",
        "There is no connector `epr`. Did you mean `erp`?",
    ),
    (
        BOOKS,
        "concurrency: 5",
        "concurrency: none",
        "3:24",
        "`none` does not fit `concurrency`. Write a whole number from 1 to 1000.",
    ),
    (
        BILLING,
        "secret: vault:billing",
        "secret: sk_live_123",
        "3:9",
        "`sk_live_123` does not fit `secret`. Write `vault:NAME`.",
    ),
    (
        ENVIRONMENT,
        "  books:",
        "  book:",
        "4:3",
        "There is no connection `book`. Did you mean `books`?",
    ),
    (
        ENVIRONMENT,
        "secret: vault:b",
        "api_key: sk_live_1",
        "3:45",
        (
            "`api_key` is a secret of the connector `billing` and must not stand in a file. Put it into the "
            "vault and write `secret: vault:NAME`."
        ),
    ),
    (
        EXAMPLES,
        "in: { id",
        "in: fixtures/order.json\n  on: { id",
        "3:3",
        "Unknown key `on` in an example. Known: `example`, `expect`, `fails`, `given`, `in`, `rule`.",
    ),
    (
        EXAMPLES,
        "  expect: {",
        "  expct: {",
        "3:3",
        "Unknown key `expct` in an example. Did you mean `expect`?",
    ),
    (
        TABLE,
        "b,second",
        "a,second",
        "3:1",
        "The key `a` stands here a second time; the first is on line 2. Keep one of them.",
    ),
    (
        TABLE,
        "b,second",
        "b;second",
        "3:1",
        "This row has 1 cell; a table has a key and a value. Put a comma between the two.",
    ),
]


@pytest.mark.parametrize(
    ("path", "old", "new", "place", "told"), BROKEN, ids=[f"{row[0]}: {row[2][:40]!r}" for row in BROKEN]
)
def test_one_fault_is_told_in_one_line(path: str, old: str, new: str, place: str, told: str) -> None:
    assert old in WORKSPACE[path]
    _, lints = compile_bundle(encoded({**WORKSPACE, path: WORKSPACE[path].replace(old, new, 1)}), CATALOGUE)
    where = place if "/" in place else f"{path}:{place}"
    assert [str(lint) for lint in lints] == [f"{where}: error: {told}"]


def test_a_comma_that_cuts_an_expression_in_two_is_told_as_one() -> None:
    broken = WORKSPACE[MAPPING].replace("total: money(total, currency)", "total: { value: money(total, currency) }")
    _, lints = compile_bundle(encoded({**WORKSPACE, MAPPING: broken}), CATALOGUE)
    assert [str(lint) for lint in lints] == [
        f"{MAPPING}:8:30: error: The expression `money(total` is wrong: The expression ends too early.",
        (
            f"{MAPPING}:8:32: error: Unknown key `currency)` in a field. Within `{{ }}` a comma ends a value: put an"
            " expression that holds one in quotes."
        ),
    ]


def test_without_the_faults_nothing_is_told() -> None:
    assert compile_bundle(encoded(WORKSPACE), CATALOGUE)[1] == []


def test_every_kind_of_file_is_among_them() -> None:
    assert len(BROKEN) >= 30
    assert {KINDS[row[0]] for row in BROKEN} == set(FileKind) - {FileKind.FIXTURE, FileKind.RUNBOOK}
