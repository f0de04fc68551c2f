"""What a revision changes, in words, and what that touches."""

from __future__ import annotations

import pytest

from hub.release.breaks import schema_breaks
from hub.release.changes import Changes, What, compare
from hub.workspace.kinds import FileKind
from tests.release.company import FILES, INVOICE, changed, compiled, half_even

PLAIN = """
mapping: company/plain
version: 1
from: books.plain@1
to: books.document@1
reverse: company/there
fields: { found: found }
"""


def between(files: dict[str, str], before: dict[str, str] | None = None) -> Changes:
    return compare(compiled(before or FILES), compiled(files))


def test_nothing_changes_when_only_comments_and_blanks_do() -> None:
    files = changed(("flows/tested.yaml", "title: Post invoices", "# a comment\ntitle:   Post invoices"))
    assert between(files) == Changes(changes=(), touched=())


def test_a_mapping_is_told_field_by_field_with_a_warning_about_its_version() -> None:
    (change,) = between(half_even()).changes
    assert (change.kind, change.name, change.what) == (FileKind.MAPPING, "company/invoice", What.CHANGED)
    assert [one.where for one in change.details] == ["field `total`", "field `lines[].amount`"]
    assert change.details[1].before == "money_major(multiply(quantity, unit), root().currency, 'half_up')"
    assert change.details[1].after == "money_major(multiply(quantity, unit), root().currency, 'half_even')"
    (warning,) = change.warnings
    assert "version is still 1" in warning


def test_a_raised_version_is_no_reason_to_warn() -> None:
    (change,) = between(
        changed(("mappings/company/invoice.yaml", "version: 1", "version: 2"), files=half_even())
    ).changes
    assert change.warnings == ()
    assert change.details[0].where == "`version`"


def test_steps_rules_rows_and_files_are_told_by_their_names() -> None:
    files = changed(
        ("flows/tested.yaml", "case: customer-not-mapped", "case: nobody-knows-them"),
        ("flows/tested.yaml", "  - id: note\n", "  - id: told\n"),
        ("policies/routing.yaml", "minor >= `100000`", "minor >= `50000`"),
        ("mappings/tables/entities.csv", "US,US01\n", "US,US02\nFR,FR01\n"),
    )
    files["docs/runbooks/help.md"] = "# Help\n"
    found = between(files)
    told = {(change.kind, one.where): (one.before, one.after) for change in found.changes for one in change.details}
    assert told[FileKind.FLOW, "step `customer`: missing.case"] == ("customer-not-mapped", "nobody-knows-them")
    assert told[FileKind.FLOW, "step `note`"][1] is None
    assert told[FileKind.FLOW, "step `told`"][0] is None
    assert told[FileKind.POLICY, "rule `large`: when"] == (
        "invoice.total.minor >= `100000`",
        "invoice.total.minor >= `50000`",
    )
    assert told[FileKind.TABLE, "row `US`"] == ("US01", "US02")
    assert told[FileKind.TABLE, "row `FR`"] == (None, "FR01")
    assert [change.name for change in found.changes if change.what is What.ADDED] == ["docs/runbooks/help.md"]


def test_another_order_of_rules_is_a_change() -> None:
    first, second = (
        "  - name: large\n    when: invoice.total.minor >= `100000`\n",
        "  - name: small\n    when: invoice.total.minor < `5`\n",
    )
    then = "    then: { connection: vendor }\n"
    one = changed(("policies/routing.yaml", first + then, first + then + second + then))
    other = changed(("policies/routing.yaml", first + then, second + then + first + then))
    (change,) = between(other, one).changes
    assert [(detail.where, detail.before, detail.after) for detail in change.details] == [
        ("order of the rules", "large, small, everything else", "small, large, everything else")
    ]


COMPOSED = """\
  - id: way
    branch:
      - name: large
        when: invoice.total.minor > `1`
        steps:
          - id: lines
            foreach:
              each: invoice.lines
              by: item.product
              steps:
                - id: one
                  wait: { for: PT1S }
                - id: two
                  wait: { for: PT2S }
      - name: middle
        when: invoice.total.minor > `0`
        steps:
          - id: both
            parallel:
              - id: a
                wait: { for: PT3S }
              - id: b
                branch:
                  - name: x
                    when: invoice.id
                    steps:
                      - id: deep
                        wait: { for: PT4S }
                  - name: y
                    steps:
                      - id: deeper
                        wait: { for: PT5S }
  - id: link
"""
FIRST = "                - id: one\n                  wait: { for: PT1S }\n"
SECOND = "                - id: two\n                  wait: { for: PT2S }\n"


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("PT1S", "PT9S", "step `way.lines[].one`: wait.for"),
        ("by: item.product", "by: item.amount.minor", "step `way.lines`: foreach.by"),
        ("PT3S", "PT9S", "step `way.both.a`: wait.for"),
        ("PT4S", "PT9S", "step `way.both.b.deep`: wait.for"),
        ("invoice.total.minor > `0`", "invoice.total.minor > `5`", "step `way`, arm `middle`: when"),
        (FIRST + SECOND, SECOND + FIRST, "step `way.lines`: order of the steps"),
    ],
)
def test_steps_within_steps_are_told_by_their_place(old: str, new: str, where: str) -> None:
    before = changed(("flows/tested.yaml", "  - id: link\n", COMPOSED))
    (change,) = between(changed(("flows/tested.yaml", old, new), files=before), before).changes
    assert [detail.where for detail in change.details] == [where]


def test_another_order_of_arms_is_a_change() -> None:
    before = changed(("flows/tested.yaml", "  - id: link\n", COMPOSED))
    head, _, rest = COMPOSED.partition("      - name: large\n")
    large, _, middle = rest.partition("      - name: middle\n")
    middle, _, tail = middle.partition("  - id: link\n")
    swapped = f"{head}      - name: middle\n{middle}      - name: large\n{large}  - id: link\n{tail}"
    (change,) = between(changed(("flows/tested.yaml", COMPOSED, swapped), files=before), before).changes
    assert [(detail.where, detail.before, detail.after) for detail in change.details] == [
        ("step `way`: order of the arms", "large, middle", "middle, large")
    ]


def test_what_steps_within_steps_name_is_touched() -> None:
    head = "      - name: middle\n        when: invoice.total.minor > `0`\n        steps:\n"
    told = "          - { id: told, emit: { type: concord.thing.told, with: company/inner, of: invoice } }\n"
    before = changed(("flows/tested.yaml", "  - id: link\n", COMPOSED), ("flows/tested.yaml", head, head + told))
    before["mappings/company/inner.yaml"] = FILES["mappings/company/note.yaml"].replace("company/note", "company/inner")
    found = between(changed(("mappings/company/inner.yaml", "value: id", "value: number"), files=before), before)
    assert {(one.kind, one.name, one.through) for one in found.touched} == {
        (FileKind.FLOW, "tested", ("mapping company/inner",)),
        (FileKind.MAPPING, "company/inner", ()),
    }


def test_a_table_touches_what_uses_it_through_what_uses_it() -> None:
    found = between(changed(("mappings/tables/entities.csv", "DE01", "DE02"))).touched
    assert [(one.kind, one.name, one.through) for one in found] == [
        (FileKind.FLOW, "tested", ("mapping company/invoice", "table entities")),
        (FileKind.MAPPING, "company/invoice", ("table entities",)),
    ]


def test_what_nothing_uses_touches_nothing() -> None:
    files = {**FILES, "mappings/company/unused.yaml": INVOICE.replace("company/invoice\n", "company/unused\n", 1)}
    found = between(files)
    assert [one.name for one in found.touched] == ["company/unused"]
    assert found.flows == frozenset()


def test_a_connection_touches_the_flows_that_call_it() -> None:
    found = between(changed(("connections/vendor.yaml", "connector: vendor", "connector: vendor\ntitle: The vendor")))
    assert {(one.kind, one.name) for one in found.touched} == {
        (FileKind.FLOW, "tested"),
        (FileKind.CONNECTION, "vendor"),
    }


def _touched(files: dict[str, str], before: dict[str, str]) -> set[str]:
    return {one.name for one in between(files, before).touched}


def test_a_table_touches_what_reads_it_however_it_is_written() -> None:
    """Any order of keys, any quotes, and a table whose name is worked out."""
    for written in (
        "\"table('entities', country)\"",
        "'table(''entities'', country)'",
        "table( 'entities', country)",
        '"table(`\\"entities\\"`, country)"',
        "table(currency == 'EUR' && 'entities' || 'entities', country)",
    ):
        before = changed(
            ("mappings/company/invoice.yaml", "table('entities', country)", written),
            (
                "mappings/company/invoice.yaml",
                "mapping: company/invoice\nversion: 1",
                "version: 1\nmapping: company/invoice",
            ),
        )
        files = changed(("mappings/tables/entities.csv", "DE01", "DE02"), files=before)
        assert _touched(files, before) == {"company/invoice", "tested"}, written


def test_a_mapping_touches_those_who_use_the_other_direction() -> None:
    before = {
        **FILES,
        "schemas/books.plain@1.json": FILES["schemas/books.document@1.json"],
        "mappings/company/plain.yaml": PLAIN,
    }
    before = changed(("flows/tested.yaml", "into: company/read }", "into: company/there }"), files=before)
    del before["mappings/company/read.yaml"]
    files = changed(
        ("mappings/company/plain.yaml", "{ found: found }", "{ found: { value: found, back: upper(found) } }"),
        files=before,
    )
    assert _touched(files, before) == {"company/plain", "company/there", "tested"}


def test_a_policy_touches_the_connections_that_an_environment_gives_it() -> None:
    hold = (
        "policy: closed\nkind: hold\nversion: 1\ntitle: Closed\nowner: team:tests\nmatch: first\n"
        "rules: [{ name: never, when: operation == 'x', then: { reason: closed } }]\n"
    )
    before = {
        **FILES,
        "policies/closed.yaml": hold,
        "environments/test.yaml": (
            "environment: test\ntitle: Test\nconnections: { vendor: { hold: closed, base_url: 'https://v.example' } }\n"
        ),
    }
    files = changed(("policies/closed.yaml", "'x'", "'y'"), files=before)
    assert _touched(files, before) == {"vendor", "tested"}


def test_a_schema_that_is_changed_in_place_or_taken_away_breaks_a_promise() -> None:
    before = compiled(FILES)
    name = "schemas/company.invoice@1.json"
    wider = changed((name, '"number": {"type": "string"}', '"number": {"type": ["string", "null"]}'))
    assert schema_breaks(before, compiled(wider)) == []
    narrower = changed((name, '"number": {"type": "string"}', '"number": {"type": "string", "maxLength": 3}'))
    (broken,) = schema_breaks(before, compiled(narrower))
    assert broken.startswith("The schema company.invoice@1 was changed in place: `number`")
    spare = {**FILES, "schemas/company.spare@1.json": '{"type": "object"}'}
    assert schema_breaks(compiled(spare), before) == ["The schema company.spare@1 is gone."]


def test_a_promise_cannot_be_taken_back_by_the_revision_that_breaks_it() -> None:
    name = "schemas/company.invoice@1.json"
    series = "series: company.invoice\ntitle: Invoices\nowner: team:tests\ncompatibility: {mode}\n"
    before = {**FILES, "schemas/company.invoice.yaml": series.format(mode="full")}
    after = changed((name, '"number": {"type": "string"}', '"number": {"type": ["string", "null"]}'), files=before)
    after["schemas/company.invoice.yaml"] = series.format(mode="none")
    (broken,) = schema_breaks(compiled(before), compiled(after))
    assert "`number`" in broken
