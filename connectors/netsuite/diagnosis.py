"""The ping, and what is wrong when it fails: host, account, clock, certificate, token, scope, or the role's rights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from connectors.netsuite.client import RECORDS, settings_of
from connectors.netsuite.logins import HOST_ADVICE
from connectors.netsuite.settings import NetSuiteSettings
from hub.sdk.answers import read_object
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import Request

_ACCOUNT = re.compile(r"[A-Z0-9]+(_[A-Z0-9]+)?")
_HOST = ".suitetalk.api.netsuite.com"
_REALM = re.compile(r'realm="([^"]*)"')


async def ping(session: Session) -> Mapping[str, str]:
    """Ask for the names of the record types, which needs a good login but no right to any record; gives the account.

    Each account has a host of its own, and a login at one is refused by another: who answers is the account.

    Raises `FixConnection` with a code that names what to mend: `account-form`, `wrong-account`, `wrong-host`,
    `clock-off`, `certificate-refused`, `assertion-refused`, `scope-refused`, `scope-missing`, `token-refused`,
    `role-permission`.
    """
    settings = settings_of(session)
    check_account(settings)
    try:
        catalogue = read_object(
            await session.send(Request(method="GET", url=f"{settings.base_url}{RECORDS}/metadata-catalog"))
        )
    except FixConnection as error:
        raise diagnosed(settings, error) from error
    except (FixData, OutcomeUnknown) as error:
        status = error.facts.get("status")
        # Who did not answer at all, or broke off, may still be NetSuite.
        if not isinstance(status, int) or status in (408, 499) or status >= 500:
            raise
        raise _elsewhere(settings) from error
    if not isinstance(catalogue.get("items"), list):
        raise _elsewhere(settings)
    return {"account": settings.account}


def check_account(settings: NetSuiteSettings) -> None:
    """Compare the account's id with its form and with the host; raises `FixConnection`."""
    if not _ACCOUNT.fullmatch(settings.account):
        raise FixConnection(
            "`account` is not written as NetSuite shows it.",
            code="account-form",
            advice="Write it in upper case, with `_` before the name of a sandbox: 1234567_SB1.",
            account=settings.account,
        )
    host = urlsplit(settings.base_url).hostname or ""
    expected = settings.account.lower().replace("_", "-")
    if host.endswith(_HOST) and host != expected + _HOST:
        raise FixConnection(
            "`base_url` is the host of another account than `account`.",
            code="wrong-account",
            advice="Let `account` and `base_url` name the same account.",
            account=settings.account,
            host=host,
            expected=expected + _HOST,
        )


def diagnosed(settings: NetSuiteSettings, error: FixConnection) -> FixConnection:
    """Say of a refusal what is to be mended, as far as the answer shows it."""
    if error.code == "redirected":
        return _elsewhere(settings)
    status = error.facts.get("status")
    if status == 403 and settings.auth == "oauth2" and "rest_webservices" not in settings.scope:
        return FixConnection(
            "The setting `scope` lacks rest_webservices.",
            code="scope-missing",
            advice="Add it; the integration record must allow REST Web Services too.",
            scope=", ".join(settings.scope),
        )
    if status == 403:
        return FixConnection(
            "The role lacks a permission.",
            code="role-permission",
            advice="It needs REST Web Services, and the way of logging in that `auth` names.",
            reason=error.facts.get("reason", ""),
        )
    realm = _REALM.search(str(error.facts.get("challenge", "")))
    if status == 401 and realm is not None and realm[1] != settings.account:
        return FixConnection(
            "The host belongs to another account than `account`.",
            code="wrong-account",
            advice="Let `account` and `base_url` name the same account.",
            account=settings.account,
            host=realm[1],
        )
    if status == 401:
        return FixConnection(
            "NetSuite refused the login.",
            code="token-refused",
            advice="Its Login Audit Trail tells why. Five refusals lock a token for half an hour.",
            auth=settings.auth,
        )
    return error


def _elsewhere(settings: NetSuiteSettings) -> FixConnection:
    return FixConnection(
        "What answers is not NetSuite's REST service.",
        code="wrong-host",
        advice=HOST_ADVICE,
        host=urlsplit(settings.base_url).hostname or "",
    )
