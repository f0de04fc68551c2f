"""The ping, and what is wrong when it fails: host, org, version, rights, or the org's currencies."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from connectors.salesforce.amounts import CURRENCY
from connectors.salesforce.client import settings_of
from connectors.salesforce.describing import described, other_currency
from connectors.salesforce.expected import assert_all_there
from connectors.salesforce.logins import HOST_ADVICE, is_same_id
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.soql import rows
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.session import Session

_ORGANIZATION = "SELECT Id, Name, IsSandbox, DefaultCurrencyIsoCode FROM Organization"
#: An object that every org has, with amounts.
_ANY_WITH_AMOUNTS = "Account"


async def ping(session: Session) -> Mapping[str, str]:
    """Read the org's own record, which needs a good login; gives whose org it is.

    Raises `FixConnection` with a code that names what to mend: what a login refuses (see `logins`), `wrong-host`,
    `wrong-account`, `version-retired`, `redirected`, `wrong-currency`, `expected-field-gone`, or Salesforce's own,
    such as `api-disabled-for-org`.
    """
    settings = settings_of(session)
    try:
        found = await rows(session, _ORGANIZATION)
    except (FixData, OutcomeUnknown) as error:
        status = error.facts.get("status")
        # Who did not answer at all, or broke off, may still be Salesforce.
        if not isinstance(status, int) or status in (408, 499) or status >= 500:
            raise
        if error.facts.get("error"):
            raise FixConnection(
                "The user may not read the org's own record.",
                code="permission-missing",
                advice="Give the user `API Enabled` and `View Setup and Configuration`.",
                **error.facts,
            ) from error
        raise _elsewhere(settings) from error
    if len(found) != 1 or not isinstance(found[0].get("Id"), str):
        raise _elsewhere(settings)
    org = found[0]
    if settings.organization_id and not is_same_id(settings.organization_id, org["Id"]):
        raise FixConnection(
            "The login leads to another org than `organization_id`.",
            code="wrong-account",
            advice="Let `organization_id` and the credentials belong to the same org.",
            account=org["Id"],
            expected=settings.organization_id,
        )
    await _check_currency(session, str(org.get("DefaultCurrencyIsoCode")))
    await assert_all_there(session, settings)
    told = {"organization": org["Id"], "name": org.get("Name")}
    return {name: value for name, value in told.items() if isinstance(value, str) and value}


async def _check_currency(session: Session, own: str) -> None:
    """Compare the setting `currency` with the org: amounts would be read in another one."""
    settings = settings_of(session)
    if not settings.currency:
        return
    if own != settings.currency:
        raise other_currency(own)
    try:
        fields = (await described(session, _ANY_WITH_AMOUNTS))["fields"]
    except FixData:
        # The user may not see accounts; whatever is read says by itself in which currency it is.
        return
    if any(isinstance(field, dict) and field.get("name") == CURRENCY for field in fields):
        raise FixConnection(
            "The org has several currencies, and the setting `currency` says that it has one.",
            code="wrong-currency",
            advice="Leave `currency` out.",
            currency=own,
        )


def _elsewhere(settings: SalesforceSettings) -> FixConnection:
    return FixConnection(
        "What answers is not Salesforce's REST service.",
        code="wrong-host",
        advice=HOST_ADVICE,
        host=urlsplit(settings.base_url).hostname or "",
    )
