"""Schedules whose times cannot be read, never come, or whose alarm would come too early."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub.model.cron import longest_pause, read_cron
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Severity
from tests.workspace.conftest import CATALOGUE

FLOW = """
flow: nightly
title: Every night
owner: team:tests
on:
  schedule: {{ {schedule} }}
key: "'nightly'"
business_key: data.due_at
steps:
  - id: noted
    crossref: {{ entity: night, ids: {{ a: =data.due_at, b: =data.date }} }}
"""


def lints(schedule: str) -> list[tuple[str, Severity, str]]:
    """Give code, severity and message of each lint of a flow with this schedule."""
    _, found = compile_bundle({"flows/nightly.yaml": FLOW.format(schedule=schedule).encode()}, CATALOGUE)
    return [(lint.code, lint.severity, f"{lint.message} {lint.hint}") for lint in found]


@pytest.mark.parametrize(
    ("schedule", "code", "severity", "told"),
    [
        ('cron: "0 6 * *"', "bad-cron", Severity.ERROR, "five fields"),
        ('cron: "0 25 * * *"', "bad-cron", Severity.ERROR, "`25` is no hour"),
        ('cron: "0 6 30 2 *"', "never-due", Severity.ERROR, "No month has such a day"),
        ('cron: "0 6 * * *", zone: Europe/Wienna', "unknown-zone", Severity.ERROR, "`Europe/Vienna`"),
        ("every: PT0S", "too-often", Severity.ERROR, "`PT1S` or more"),
        ("every: PT15M, dead_man: PT15M", "dead-man-too-short", Severity.WARNING, "more than 15 minutes"),
        ('cron: "0 6 * * *", dead_man: PT24H', "dead-man-too-short", Severity.WARNING, "more than 24 hours"),
        ('cron: "0 6 * * MON-FRI", dead_man: PT26H', "dead-man-too-short", Severity.WARNING, "more than 3 days"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_told(schedule: str, code: str, severity: Severity, told: str) -> None:
    """With what to write instead."""
    ((found, how, text),) = lints(schedule)
    assert (found, how) == (code, severity)
    assert told in text


@pytest.mark.parametrize(
    "schedule",
    [
        'cron: "0 6 * * MON-FRI", zone: Europe/Vienna, dead_man: PT80H',
        'cron: "*/5 * * * *", dead_man: PT10M',
        "every: P7D, zone: America/New_York",
        'cron: "0 0 29 2 *"',
    ],
)
def test_a_schedule_that_comes_is_not_told(schedule: str) -> None:
    """No false alarm."""
    assert lints(schedule) == []


def test_what_a_firing_tells_is_known() -> None:
    """A misspelt field is told, and the right ones have their kinds."""
    text = FLOW.format(schedule="every: PT1H").replace("business_key: data.due_at", "business_key: data.due_on")
    _, found = compile_bundle({"flows/nightly.yaml": text.encode()}, CATALOGUE)
    assert ["due_on" in lint.message for lint in found] == [True]


@pytest.mark.parametrize(
    ("line", "pause"),
    [
        ("* * * * *", timedelta(minutes=1)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 8-18 * * *", timedelta(hours=14)),
        ("0 6 * * *", timedelta(days=1)),
        ("0 6 * * mon-fri", timedelta(days=3)),
        ("0 6 1 * *", timedelta(days=31)),
        ("30 6,7 1 1 *", timedelta(days=365, hours=23)),
        ("0 0 29 2 *", timedelta(days=1461)),
        ("0 0 13 * fri", timedelta(days=7)),
    ],
)
def test_the_longest_pause_of_a_line(line: str, pause: timedelta) -> None:
    """Over weekends, months and leap years."""
    assert longest_pause(read_cron(line)) == pause
