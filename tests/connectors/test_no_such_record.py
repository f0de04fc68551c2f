"""That there is no such record only the vendor itself can say: a 404 of whatever stands before it means nothing."""

from __future__ import annotations

import pytest

from connectors.avatax.failures import classify as avatax
from connectors.helloworld.failures import classify as helloworld
from connectors.netsuite.failures import classify as netsuite
from connectors.s4hana.failures import classify as s4hana
from connectors.salesforce.failures import classify as salesforce
from connectors.stripe.failures import classify as stripe
from hub.sdk import exact_json
from hub.sdk.errors import NoSuchRecord
from hub.sdk.values import Response

CLASSIFY = {
    "avatax": avatax,
    "helloworld": helloworld,
    "netsuite": netsuite,
    "s4hana": s4hana,
    "salesforce": salesforce,
    "stripe": stripe,
}
OWN = {
    "avatax": {"error": {"code": "EntityNotFoundError", "message": "The transaction 9 was not found."}},
    "helloworld": {"error": {"code": "greeting_not_found", "message": "There is no such greeting."}},
    "netsuite": {"o:errorDetails": [{"detail": "It does not exist.", "o:errorCode": "NONEXISTENT_ID"}]},
    "s4hana": {"error": {"code": "/IWBEP/CM_MGW_RT/020", "message": {"value": "Resource not found"}}},
    "salesforce": [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}],
    "stripe": {"error": {"code": "resource_missing", "type": "invalid_request_error", "message": "No such customer"}},
}


@pytest.mark.parametrize("vendor", CLASSIFY)
def test_the_vendor_itself_says_so(vendor: str) -> None:
    """What may be gone is asked for with `optional`."""
    answer = Response(status=404, headers={}, body=exact_json.dumps(OWN[vendor]))
    assert isinstance(CLASSIFY[vendor](answer), NoSuchRecord)


@pytest.mark.parametrize("vendor", CLASSIFY)
@pytest.mark.parametrize("body", [b"", b"<html>404 Not Found</html>", b"{}", b"[]", b'{"error": {}}'])
def test_a_gateway_cannot(vendor: str, body: bytes) -> None:
    """It is an error as before, and nobody goes on past it."""
    error = CLASSIFY[vendor](Response(status=404, headers={}, body=body))
    assert error is not None
    assert not isinstance(error, NoSuchRecord)
