"""The ping, and what is wrong when it fails: host, login, or the arrangements of the communication user."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from connectors.s4hana.client import settings_of
from connectors.s4hana.ledger import COMPANIES
from connectors.s4hana.logins import HOST_ADVICE
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.session import Session

_CLOUD = (".s4hana.cloud.sap", ".s4hana.ondemand.com")


async def ping(session: Session) -> Mapping[str, str]:
    """Read one company code, which needs the login and one arrangement; gives the tenant.

    Raises `FixConnection` with a code that names what to mend: `wrong-host`, `login-refused`, `token-refused`,
    `not-authorised`, `service-missing`.
    """
    settings = settings_of(session)
    check_host(settings)
    request = requests.many(settings.base_url, COMPANIES, top=1, select=("CompanyCode",))
    try:
        answers.raw_rows(COMPANIES, await session.send(request))
    except FixConnection as error:
        raise diagnosed(settings, error) from error
    except (FixData, OutcomeUnknown) as error:
        status = error.facts.get("status")
        # Who did not answer at all, or broke off, may still be S/4HANA.
        if isinstance(status, int) and (status in (408, 409, 499) or status >= 500):
            raise
        if isinstance(error, OutcomeUnknown) and error.code != "unreadable-answer":
            raise
        raise _elsewhere(settings) from error
    return {"account": settings.host.split(".")[0].removesuffix("-api")}


def check_host(settings: S4HanaSettings) -> None:
    """Compare the host with the form that hosts of tenants have; raises `FixConnection` for the user interface's."""
    host = settings.host
    if host.endswith(_CLOUD) and not host.split(".")[0].endswith("-api"):
        raise FixConnection(
            "`base_url` is the host of the user interface, which refuses communication users.",
            code="wrong-host",
            advice=HOST_ADVICE,
            host=host,
        )


def diagnosed(settings: S4HanaSettings, error: FixConnection) -> FixConnection:
    """Say of a refusal what is to be mended, as far as the answer shows it."""
    status = error.facts.get("status")
    if error.code == "redirected":
        return _elsewhere(settings)
    if status == 401:
        return FixConnection(
            "S/4HANA refused the login.",
            code="login-refused",
            advice="Compare user and password with the communication user's. Five wrong passwords lock it; "
            "Maintain Communication Users unlocks it.",
            auth=settings.auth,
        )
    if status in (403, 404):
        return FixConnection(
            "The communication user lacks an arrangement.",
            code=error.code,
            advice="Each service belongs to a communication scenario, whose arrangement names the user: see the "
            "connector's README.",
            reason=error.facts.get("reason", ""),
        )
    return error


def _elsewhere(settings: S4HanaSettings) -> FixConnection:
    return FixConnection(
        "What answers is not S/4HANA's API.",
        code="wrong-host",
        advice=HOST_ADVICE,
        host=urlsplit(settings.base_url).hostname or "",
    )
