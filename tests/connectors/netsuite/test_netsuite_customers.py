"""Customers of NetSuite: written under either id, and guarded within the fields that a write names."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.netsuite import customers
from connectors.netsuite.samples import SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from hub.engine.guards import OVERWRITTEN, Seen, _is_as_left
from hub.sdk import exact_json
from hub.sdk.connector import Record
from hub.sdk.errors import FixData
from hub.sdk.guards import ReadBefore
from hub.sdk.values import EffectKey, Request, Response

KEY = EffectKey("0" * 32)
STANDS: dict[str, Any] = {
    "id": "1001",
    "externalId": "cus_1",
    "companyName": "Alder",
    "email": "billing@alder.example",
    "terms": {"id": "2", "refName": "Net 30"},
    "lastModifiedDate": "2026-01-01T00:00:00Z",
    "addressBook": {"links": [], "items": [{"id": 1, "label": "Billing", "links": []}], "hasMore": False},
}


def look() -> Any:
    guard = customers.UPSERT.guard
    assert isinstance(guard, ReadBefore)
    return guard.look


def write(settings: NetSuiteSettings, record: Record) -> Request:
    return customers.UPSERT.request(settings, record, KEY)


def shown(**changes: Any) -> Response:
    return Response(status=200, body=exact_json.dumps({**STANDS, **changes}))


@pytest.fixture
def account() -> NetSuiteSettings:
    return NetSuiteSettings.model_validate(dict(SETTINGS))


def test_it_is_written_under_the_id_that_is_given(account: NetSuiteSettings) -> None:
    """Lines replace those that stand, so that a repeat adds none."""
    by_name = write(account, {"externalId": "cus_1", "companyName": "Alder", "addressBook": [{"label": "Billing"}]})
    assert (by_name.method, by_name.url.partition("/record/v1")[2]) == (
        "PUT",
        "/customer/eid:cus_1?replace=addressBook",
    )
    assert exact_json.loads(by_name.body) == {
        "companyName": "Alder",
        "addressBook": {"items": [{"label": "Billing"}]},
    }
    by_number = write(account, {"id": "1001", "isInactive": True})
    assert (by_number.method, by_number.url.partition("/record/v1")[2]) == ("PATCH", "/customer/1001")
    with pytest.raises(FixData, match="external id"):
        write(account, {"companyName": "Alder"})


def test_what_others_change_beside_the_named_fields_is_not_in_the_way(account: NetSuiteSettings) -> None:
    named = write(account, {"externalId": "cus_1", "companyName": "Alder", "email": "billing@alder.example"})
    version = look().stands(named, shown()).version
    assert look().stands(named, shown(terms={"id": "3"}, lastModifiedDate="2026-02-01T00:00:00Z")).version == version
    assert look().stands(named, shown(email="by.hand@alder.example")).version != version
    nobody = Response(status=404, body=b'{"o:errorDetails": [{"o:errorCode": "NONEXISTENT_ID"}]}')
    assert look().stands(named, nobody) is None


def test_an_empty_text_clears_and_is_not_shown(account: NetSuiteSettings) -> None:
    cleared = write(account, {"externalId": "cus_1", "companyName": "Alder", "email": ""})
    without = {name: value for name, value in STANDS.items() if name != "email"}
    assert look().holds(cleared, Response(status=200, body=exact_json.dumps(without)))
    assert not look().holds(cleared, shown())


def test_what_the_last_write_named_counts_whatever_the_next_one_names(account: NetSuiteSettings) -> None:
    """So a mapping may begin to write a further field without a question about every customer."""
    first = write(account, {"externalId": "cus_1", "companyName": "Alder"})
    further = write(account, {"externalId": "cus_1", "companyName": "Alder and Sons", "email": "new@alder.example"})

    def as_left(now: Response, **changes: Any) -> bool:
        last = {
            "method": first.method,
            "url": first.url,
            "headers": exact_json.dumps(dict(first.headers)).decode(),
            "body": first.body,
            "version": look().within(first, shown()),
            "reason": None,
        }
        seen = Seen(standing=look().stands(further, now), holds=False, response=now)
        return _is_as_left(look(), {**last, **changes}, seen)

    assert as_left(shown(email="by.hand@alder.example"))
    assert not as_left(shown(companyName="By Hand"))
    assert not as_left(shown(), reason=OVERWRITTEN)
    assert not as_left(shown(), body=b"")
