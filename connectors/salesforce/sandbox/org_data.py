"""What every org has from its first day: the organization itself, its users, currencies and standard price book."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.saving import Manner

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

#: Who the app runs as, and one who cannot sign in any more.
USERNAME, FORMER = "integration@sandbox.example", "former@sandbox.example"
HOME = "USD"


def begin(org: Org) -> None:
    """Write the records of an org that is new."""
    org.organization_id = _put(
        org,
        "Organization",
        Name="Sandbox Org",
        Country="US",
        DefaultLocaleSidKey="en_US",
        TimeZoneSidKey="GMT",
        LanguageLocaleKey="en_US",
        OrganizationType="Developer Edition",
        InstanceName="SBX1",
        IsSandbox=False,
        FiscalYearStartMonth=1,
        DefaultCurrencyIsoCode=HOME,
    )
    org.user_id = org.acting = _user(org, USERNAME, "Integration", active=True)
    _user(org, FORMER, "Former", active=False)
    org.standard_price_book = _put(org, "Pricebook2", Name="Standard Price Book", IsActive=True, IsStandard=True)
    for kind in org.schema:
        for name in kind.record_types:
            developer = name.replace(" ", "_")
            _put(org, "RecordType", Name=name, DeveloperName=developer, SobjectType=kind.name, IsActive=True)
    org.accepted.clear()


def _user(org: Org, username: str, name: str, *, active: bool) -> str:
    return _put(
        org,
        "User",
        Username=username,
        LastName=name,
        Name=name,
        Email=username,
        Alias=name[:8].lower(),
        IsActive=active,
        TimeZoneSidKey="GMT",
        LocaleSidKey="en_US",
        UserType="Standard",
        DefaultCurrencyIsoCode=HOME,
    )


def _put(org: Org, kind: str, **values: Any) -> str:
    found = org.schema.get(kind)
    id = org.ids.next(found.prefix)
    return org.put(found, id, values, user=org.user_id or id, before=None).id


def as_administrator(org: Org) -> Manner:
    """Give how the control API writes: as the integration's user, with an administrator's rights, over duplicates."""
    return Manner(user=org.user_id, allow_duplicates=True, deletes_activated=True)
