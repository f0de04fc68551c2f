"""What one AvaTax company needs: the account's key, the company, and how the hub introduces itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from hub.sdk.settings import Secret, Settings, Telltale

#: A part of the client header: the parts are split by semicolons, so that none may hold one.
_Part = Annotated[str, Field(pattern=r"^[A-Za-z0-9 ._()+-]{1,50}$")]


class AvataxSettings(Settings):
    """One company of one account; production and sandbox accounts have different keys.

    `client_name`, `client_version` and `machine` go into the `X-Avalara-Client` header, which Avalara's support asks
    for.
    """

    telltales: ClassVar[Sequence[Telltale]] = (
        Telltale(field="base_url", pattern=r"//sandbox-rest\.avatax\.com", production=False),
        Telltale(field="base_url", pattern=r"//rest\.avatax\.com", production=True),
    )

    account_id: Secret
    license_key: Secret
    company_code: Annotated[str, Field(min_length=1, max_length=25)]
    client_name: _Part = "Concord"
    client_version: _Part = "1"
    machine: _Part = "hub"
