"""One mistake in a flow with steps of every kind is told in one line, at its place, with what to write instead."""

from __future__ import annotations

import pytest

from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Lint, Severity
from tests.workspace import composed
from tests.workspace.conftest import CATALOGUE, FILES, encoded

WORKSPACE = {**FILES, **composed.FILES}
WHOLE, INNER, NIGHTLY, LISTENING = (f"flows/{name}.yaml" for name in ("whole", "inner", "nightly", "listening"))
SUBJECT = "subject: data.object.id, of: invoice"
A_CALL = "        call: { connection: books, operation: invoice.upsert, with: erp/from_hub, of:"


def lints_after(path: str, old: str, new: str) -> list[Lint]:
    assert old in WORKSPACE[path], old
    return compile_bundle(encoded({**WORKSPACE, path: WORKSPACE[path].replace(old, new, 1)}), CATALOGUE)[1]


#: The file, what is replaced in it, by what, line:column, code, and words of the message.
MISTAKES = [
    # keys of the new kinds
    (WHOLE, "priority: high", "priority: urgent", "7:11", "bad-value", "`high` or `normal` or `low`"),
    (WHOLE, "on_failure: compensate", "on_failure: continue", "8:13", "bad-value", "`park` or `compensate`"),
    (WHOLE, "    on_failure: continue", "    on_failure: ignore", "34:23", "bad-value", "`park` or `continue`"),
    (WHOLE, "approve: large", "aprove: large", "13:5", "unknown-key", "`approve`"),
    (WHOLE, "      concurrency: 4", "      concurrency: 0", "28:20", "bad-value", "from 1 to 100"),
    (WHOLE, "      by: line.number", "      bye: line.number", "27:7", "unknown-key", "`by`"),
    (
        WHOLE,
        "        when: invoice.kind == 'first'",
        "        if: invoice.kind == 'first'",
        "38:9",
        "unknown-key",
        "arm",
    ),
    (NIGHTLY, "type: concord.night.over", "type: night.over", "10:19", "bad-value", "`concord.invoice.posted`"),
    (WHOLE, "wait: { for: PT1H }", "wait: { for: PT1H, until: data.due }", "16:24", "too-many-keys", "`until`"),
    (WHOLE, "wait: { for: PT1H }", "wait: {}", "16:11", "missing-key", "`for`, `until`, `event`"),
    (
        WHOLE,
        "    wait: { for: PT1H }\n",
        "    wait: { for: PT1H }\n    map: billing/to_hub\n",
        "16:5",
        "too-many-keys",
        "`wait`",
    ),
    (
        WHOLE,
        "undo: { operation: invoice.adjust, with",
        "undo: { operatio: invoice.adjust, with",
        "47:21",
        "unknown-key",
        "`operation`",
    ),
    (WHOLE, "by: =b.id }", "by: b.id }", "61:49", "bad-value", "`=post.id`"),
    (INNER, "on: { called: canonical.thing@1 }", "on: {}", "4:5", "missing-key", "`event`, `schedule`, `called`"),
    (NIGHTLY, "schedule: { cron", "event: billing.x.y, schedule: { cron", "4:27", "too-many-keys", "`schedule`"),
    (NIGHTLY, "overlap: skip", "overlap: drop", "4:89", "bad-value", "`queue` or `skip`"),
    (NIGHTLY, 'cron: "0 6 * * MON-FRI", ', "", "4:17", "missing-key", "`cron`, `every`"),
    # what steps see
    (
        WHOLE,
        "      - id: a\n        map: billing/to_hub",
        "      - id: a\n        map: billing/to_hub\n        of: line",
        "58:13",
        "unknown-step",
        "no earlier step `line`",
    ),
    (WHOLE, SUBJECT, "subject: post.id, of: invoice", "66:52", "unknown-step", "read it as `way.post`"),
    (WHOLE, SUBJECT, "subject: kept.id, of: invoice", "66:52", "unknown-step", "as `lines.collected`"),
    (WHOLE, "customer: line.number }", "customer: way.post.id }", "33:104", "later-step", "`way` comes later"),
    (WHOLE, "of: post, given", "of: looked, given", "47:72", "unknown-step", "`looked`"),
    (WHOLE, "      each: invoice.lines", "      each: line.lines", "25:13", "unknown-step", "`line`"),
    (WHOLE, "number: line.number, id", "number: lin.number, id", "30:27", "unknown-step", "`line`"),
    (WHOLE, f"        needs: [a]\n{A_CALL} a,", f"{A_CALL} invoice,", "59:115", "step-beside", "`needs: [a]`"),
    (WHOLE, f"needs: [a, b]\n{A_CALL} a,", f"needs: [b]\n{A_CALL} b,", "64:109", "step-beside", "`needs: [a]`"),
    # names that are taken
    (WHOLE, "as: line", "as: line\n      each: x", "27:7", "duplicate-key", "line 25"),
    (WHOLE, "          - id: looked", "          - id: record", "52:17", "reserved-name", "`record`"),
    (
        WHOLE,
        "        - id: kept\n",
        "        - id: line\n          map: billing/to_hub\n        - id: kept\n",
        "32:15",
        "duplicate-name",
        "the item of the loop",
    ),
    (WHOLE, "          - id: looked", "          - id: post", "52:17", "duplicate-name", "line 40"),
    (WHOLE, "          - id: looked", "          - id: taken", "52:17", "reserved-name", "the arm"),
    (WHOLE, "          - id: looked", "          - id: paid", "52:17", "duplicate-name", "line 21"),
    (WHOLE, "      - name: other", "      - name: domestic", "48:15", "duplicate-name", "line 37"),
    # order of steps at the same time, arms
    (WHOLE, "needs: [a, b]", "needs: [a, b, d]", "63:23", "unknown-step", "no `d`"),
    (WHOLE, "needs: [a, b]", "needs: [a, b, c]", "63:23", "needs-circle", "cannot need itself"),
    (WHOLE, "needs: [a, b]", "needs: [a, b, b]", "63:23", "duplicate-name", "second time"),
    (
        WHOLE,
        "        map: billing/to_hub\n      - id: b",
        "        needs: [c]\n        map: billing/to_hub\n      - id: b",
        "64:17",
        "needs-circle",
        "a → c → a",
    ),
    (
        WHOLE,
        "    wait: { for: PT1H }\n",
        "    wait: { for: PT1H }\n    needs: [ok]\n",
        "17:5",
        "misplaced-key",
        "`parallel`",
    ),
    (WHOLE, "        when: invoice.kind == 'first'\n", "", "37:15", "arm-without-when", "no arm behind it"),
    # policies
    (WHOLE, "approve: large", "approve: routing", "13:14", "wrong-policy-kind", "one of kind `approve`"),
    (WHOLE, "approve: large", "approve: larg", "13:14", "unknown-policy", "`large`"),
    (
        WHOLE,
        "    approve: large\n    of: invoice",
        "    approve: large\n    of: invoice\n    retry: erp",
        "15:5",
        "misplaced-key",
        "`call`",
    ),
    # times
    (WHOLE, "wait: { for: PT1H }", "wait: { for: PT0S }", "16:18", "no-time", "`for`"),
    (WHOLE, "timeout: P3D", "timeout: PT0S", "17:14", "no-time", "`timeout`"),
    (WHOLE, "timeout: P3D", "timeout: PT1H", "17:14", "timeout-too-short", "`for`, which is PT1H"),
    (
        WHOLE,
        "    of: invoice\n  - id: pause",
        "    of: invoice\n    timeout: P1D\n  - id: pause",
        "15:5",
        "misplaced-key",
        "`deadline`",
    ),
    (WHOLE, ", timeout: P7D, case: not-settled", "", "22:13", "missing-key", "needs `timeout`"),
    (WHOLE, ", subject: data.object.id, timeout: P7D", ", timeout: P7D", "22:13", "missing-key", "needs `subject`"),
    (WHOLE, "wait: { for: PT1H }", "wait: { for: PT1H, case: late }", "16:24", "misplaced-key", "a wait with `event`"),
    (WHOLE, "event: billing.payment.settled", "event: bank.payment.settled", "22:20", "unknown-connector", "`bank.…`"),
    # many calls
    (WHOLE, "      item: id\n", "", "75:7", "missing-key", "needs `item`"),
    (
        WHOLE,
        "      each: child.things\n      item: id\n",
        "",
        "75:7",
        "misplaced-key",
        "`failures` belongs to a call with `each`",
    ),
    (WHOLE, "      item: id\n", "      item: id\n      of: invoice\n", "77:7", "misplaced-key", "applied to each item"),
    # events of the hub's own and other flows
    (NIGHTLY, "type: concord.night.over", "type: concord.flow.posted", "10:19", "reserved-name", "the hub's own"),
    (
        LISTENING,
        "event: concord.invoice.posted",
        "event: concord.schedule.nightly",
        "4:14",
        "reserved-name",
        "schedule: …",
    ),
    (
        LISTENING,
        "connection: books",
        "connection: =event.connection",
        "9:25",
        "no-connection",
        "comes on no connection",
    ),
    (WHOLE, "flow: { flow: inner", "flow: { flow: iner", "68:19", "unknown-flow", "`inner`"),
    (WHOLE, "flow: { flow: inner", "flow: { flow: nightly", "68:19", "flow-not-called", "called: SCHEMA"),
    (
        WHOLE,
        "flow: inner, of: invoice }",
        "flow: inner, given: { a: ok }, of: invoice }",
        "68:26",
        "misplaced-key",
        "`with`",
    ),
    (
        WHOLE,
        "flow: inner, of: invoice }",
        "flow: inner, with: erp/from_hub, given: { customer: ok.hash }, of: invoice }",
        "68:32",
        "wrong-schema",
        "takes `canonical.thing@1`",
    ),
    (INNER, "called: canonical.thing@1", "called: canonical.thin@1", "4:15", "unknown-schema", "`canonical.thing@1`"),
    (
        LISTENING,
        "    call: {",
        "    emit: { type: concord.invoice.posted }\n  - id: more\n    call: {",
        "9:19",
        "emit-loop",
        "listening → listening",
    ),
    (
        INNER,
        "    wait: {",
        "    flow: { flow: inner }\n  - id: more\n    wait: {",
        "10:19",
        "flow-loop",
        "inner → inner",
    ),
    # what it takes to take something back
    (WHOLE, "    undo: invoice.reverse\n", "    undo: invoice.delete\n", "78:11", "undo-erases", "by a further entry"),
    (WHOLE, "{ operation: invoice.reverse, by", "{ operation: invoice.delete, by", "61:28", "undo-erases", "deletes"),
    (WHOLE, "    undo: invoice.reverse\n", "    undo: invoice.adjust\n", "78:11", "not-by-id", "by an id alone"),
    (
        WHOLE,
        "with: erp/reversal, of: post, given: { why: invoice.id }",
        "with: erp/reversal, of: post",
        "47:54",
        "missing-given",
        "`why`",
    ),
    (
        WHOLE,
        "with: erp/reversal, of: post",
        "with: erp/reversal, of: invoice",
        "47:72",
        "wrong-schema",
        "`invoice` is `canonical.thing@1`",
    ),
    (
        WHOLE,
        "{ operation: invoice.reverse, by: =b.id }",
        "{ operation: invoice.reverse, of: a }",
        "61:45",
        "misplaced-key",
        "undo with `with`",
    ),
    # the whole flow
    (
        WHOLE,
        "business_key: join(':', ['whole', data.object.id])",
        "business_key: \"'whole'\"",
        "6:15",
        "constant-business-key",
        "never again",
    ),
]


@pytest.mark.parametrize(
    ("path", "old", "new", "place", "code", "words"), MISTAKES, ids=[f"{row[4]}: {row[2][:40]!r}" for row in MISTAKES]
)
def test_one_mistake_gives_one_line(path: str, old: str, new: str, place: str, code: str, words: str) -> None:
    lints = lints_after(path, old, new)
    assert [(lint.path, f"{lint.line}:{lint.column}", lint.code) for lint in lints] == [(path, place, code)], [
        str(lint) for lint in lints
    ]
    assert lints[0].severity is Severity.ERROR
    assert words in str(lints[0]), str(lints[0])


ASKED = "approve: large\n{0}of: invoice\n"
BOTH = "  - id: both\n    parallel:\n      - id: a\n        map: billing/to_hub\n"
WAY = "  - id: way\n    branch:\n      - name: domestic\n        when: invoice.kind == 'first'\n        steps:\n"
GONE_PAST = "\n    on_failure: continue\n    "

#: The same of what is doubtful: the bundle is made all the same.
DOUBTS = [
    (
        WHOLE,
        BOTH,
        BOTH.replace("\n    ", GONE_PAST, 1)
        + f"      - id: asked\n        needs: [a]\n        {ASKED.format(' ' * 8)}",
        "61:9",
        "approval-not-asked",
        "`both` is gone past",
    ),
    (
        WHOLE,
        WAY,
        WAY.replace("\n    ", GONE_PAST, 1)
        + "          - id: calm\n            wait: { for: PT1S }\n"
        + f"          - id: asked\n            {ASKED.format(' ' * 12)}",
        "44:13",
        "approval-not-asked",
        "`way` is gone past",
    ),
    (WHOLE, "      by: line.number\n", "", "25:7", "no-item-name", "Add `by: line.id`"),
    (WHOLE, "steps:\n", "output: data.object.id\nsteps:\n", "9:1", "output-not-read", "Nobody gets"),
    (NIGHTLY, "priority: low", "priority: low\non_failure: compensate", "8:13", "nothing-to-take-back", "`undo`"),
    (
        LISTENING,
        "event: concord.invoice.posted",
        "event: concord.invoice.post",
        "4:14",
        "event-not-emitted",
        "`concord.invoice.posted`",
    ),
    (
        WHOLE,
        "event: billing.payment.settled",
        "event: concord.night.ovr",
        "22:20",
        "event-not-emitted",
        "`concord.night.over`",
    ),
]


@pytest.mark.parametrize(("path", "old", "new", "place", "code", "words"), DOUBTS, ids=[row[4] for row in DOUBTS])
def test_one_doubt_gives_one_line(path: str, old: str, new: str, place: str, code: str, words: str) -> None:
    lints = lints_after(path, old, new)
    assert [(lint.path, f"{lint.line}:{lint.column}", lint.code) for lint in lints] == [(path, place, code)], [
        str(lint) for lint in lints
    ]
    assert lints[0].severity is Severity.WARNING
    assert words in str(lints[0]), str(lints[0])


#: What a step gives is known, so that what is read of it is checked.
SHAPES = [
    ("of: invoice\n  - id: pause", "of: invoice.idd\n  - id: pause", "14:17", "unknown-field", "Did you mean `id`?"),
    ("each: invoice.lines", "each: invoice.id", "25:13", "wrong-type", "goes through a list"),
    ("by: line.number", "by: line.numbr", "27:16", "unknown-field", "Did you mean `number`?"),
    ("by: line.number", "by: invoice.lines", "27:11", "wrong-type", "named by a text"),
    ("customer: ok.hash", "customer: ok.hsh", "46:37", "unknown-field", "Did you mean `hash`?"),
    (SUBJECT, "subject: 'lines.collected[0].nmber', of: invoice", "66:72", "unknown-field", "Did you mean `number`?"),
    (SUBJECT, "subject: lines.succeeded, of: invoice", "66:52", "wrong-type", "is a text, but this gives number"),
    (SUBJECT, "subject: way.post.id, of: way.looked.i", "66:80", "unknown-field", "Did you mean `id`?"),
    (SUBJECT, "subject: way.taken, of: way.take", "66:71", "unknown-field", "Did you mean `taken`?"),
    (SUBJECT, "subject: paid.subject, of: paid.sub", "66:75", "unknown-field", "Did you mean `subject`?"),
    (SUBJECT, "subject: pause.at, of: pause.on", "66:72", "unknown-field", "`on` in `pause`"),
    (
        "wait: { until: data.object.due }",
        "wait: { until: event.ocurred_at }",
        "19:26",
        "unknown-field",
        "Did you mean `occurred_at`?",
    ),
    (
        "flow: inner, of: invoice }",
        "flow: inner, of: ok }",
        "68:30",
        "missing-required-target",
        "takes `canonical.thing@1`",
    ),
    ("      item: id\n", "      item: idd\n", "76:13", "unknown-field", "Did you mean `id`?"),
    ("each: child.things", "each: child.thing", "75:19", "unknown-field", "Did you mean `things`?"),
    ("      each: child.things\n", "      each: both.a.lines\n", "76:13", "unknown-field", "`id`"),
    (
        "map: billing/to_hub\n      - id: b",
        "map: billing/to_hub\n        of: invoice\n      - id: b",
        "58:13",
        "wrong-schema",
        "reads `billing.invoice@1`",
    ),
]


@pytest.mark.parametrize(("old", "new", "place", "code", "words"), SHAPES, ids=[row[1][:50] for row in SHAPES])
def test_what_is_read_of_a_step_is_there(old: str, new: str, place: str, code: str, words: str) -> None:
    (lint,) = lints_after(WHOLE, old, new)
    assert (lint.path, f"{lint.line}:{lint.column}", lint.code) == (WHOLE, place, code), str(lint)
    assert words in str(lint), str(lint)


def test_a_flow_that_others_run_knows_its_record() -> None:
    (lint,) = [lint for lint in lints_after(INNER, "key: record.id", "key: record.idd") if lint.path == INNER]
    assert (lint.path, f"{lint.line}:{lint.column}", lint.code) == (INNER, "5:13", "unknown-field")
    (lint,) = lints_after(NIGHTLY, "data.date", "data.day")
    assert (lint.path, lint.line, lint.code) == (NIGHTLY, 6, "unknown-field")


def test_flows_that_start_each_other_without_end_are_told_in_both() -> None:
    files = {
        **WORKSPACE,
        LISTENING: composed.LISTENING + "  - id: back\n    emit: { type: concord.invoice.back }\n",
        INNER: composed.INNER + "  - id: back\n    emit: { type: concord.invoice.posted }\n",
        "flows/third.yaml": composed.LISTENING.replace("flow: listening", "flow: third").replace("posted", "back")
        + "  - id: again\n    flow: { flow: inner, of: record }\n",
    }
    lints = compile_bundle(encoded(files), CATALOGUE)[1]
    assert [(lint.path, lint.line, lint.column, lint.code) for lint in lints] == [
        (INNER, 12, 19, "emit-loop"),
        (LISTENING, 11, 19, "emit-loop"),
        ("flows/third.yaml", 11, 19, "flow-loop"),
    ]
    assert "inner → listening → third → inner" in lints[0].message


def nested(levels: int) -> str:
    """Give steps that stand within so many others."""
    text = "  - id: deepest\n    wait: { for: PT1S }\n"
    for level in range(levels):
        inner = "".join(f"        {line}\n" for line in text.splitlines())
        text = f"  - id: level{level}\n    branch:\n      - name: only\n        steps:\n{inner}"
    return composed.NIGHTLY.replace("steps:\n", f"steps:\n{text}", 1)


def test_steps_stand_within_so_many_others_and_no_more() -> None:
    assert compile_bundle(encoded({**WORKSPACE, NIGHTLY: nested(4)}), CATALOGUE)[1] == []
    (lint,) = compile_bundle(encoded({**WORKSPACE, NIGHTLY: nested(5)}), CATALOGUE)[1]
    assert lint.code == "too-deep"
    assert "more than 4 others" in lint.message


def test_a_flow_has_so_many_steps_all_levels_together_and_no_more() -> None:
    many = "".join(f"      - id: s{number}\n        wait: {{ for: PT1S }}\n" for number in range(120))
    flow = composed.NIGHTLY + f"  - id: one\n    parallel:\n{many}  - id: two\n    parallel:\n{many}"
    (lint,) = compile_bundle(encoded({**WORKSPACE, NIGHTLY: flow}), CATALOGUE)[1]
    assert (lint.code, lint.line) == ("too-many-steps", flow.splitlines().index("      - id: s76", 200) + 1)
    assert "244 steps" in lint.message
    many = "".join(f"  - id: s{number}\n    wait: {{ for: PT1S }}\n" for number in range(200))
    lints = compile_bundle(encoded({**WORKSPACE, NIGHTLY: composed.NIGHTLY + many}), CATALOGUE)[1]
    assert [str(lint) for lint in lints] == [f"{NIGHTLY}:9:3: error: `steps` needs at most 200 entries. It has 202."]


def test_a_broken_flow_is_not_blamed_on_those_who_run_it_or_wait_for_its_events() -> None:
    assert {lint.path for lint in lints_after(INNER, "title:", "title: [")} == {INNER}
    assert {lint.path for lint in lints_after(WHOLE, "title:", "title: [")} == {WHOLE}


def test_one_write_in_two_flows_is_told_within_steps_too() -> None:
    twin = composed.WHOLE.replace("flow: whole", "flow: twin").replace("billing.invoice.paid", "billing.invoice.void")
    lints = compile_bundle(encoded({**WORKSPACE, "flows/twin.yaml": twin}), CATALOGUE)[1]
    assert [(lint.path, lint.line, lint.column, lint.code) for lint in lints] == [
        (WHOLE, line, column, "same-effect") for line, column in ((32, 11), (40, 13), (58, 9), (62, 9), (69, 5))
    ]
    assert "`lines[].kept` and the step `lines[].kept` of `twin`" in lints[0].message
    assert "`posts[]`" in lints[4].message


def test_an_approval_that_is_asked_for_first_is_always_asked_for() -> None:
    first = WAY.replace("\n    ", GONE_PAST, 1) + f"          - id: asked\n            {ASKED.format(' ' * 12)}"
    assert lints_after(WHOLE, WAY, first) == []
