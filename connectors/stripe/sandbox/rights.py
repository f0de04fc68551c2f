"""Restricted keys: what each may do, and which permission an endpoint asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.stripe.sandbox.problems import ApiError

#: What in a path is called otherwise by its permission. All else is called as it is, in the singular.
_CALLED: Mapping[str, str] = {
    "account": "accounts_kyc_basic",
    "accounts": "accounts_kyc_basic",
    "balance_transactions": "balance_transaction_source",
    "invoiceitems": "invoice",
    "invoice_payments": "invoice",
    "prices": "plan",
    "subscription_items": "subscription",
    "webhook_endpoints": "webhook",
}
#: Families of endpoints, whose next part is named too.
_FAMILIES = frozenset({"billing", "core", "tax"})


class RestrictedKey:
    """A key that may do what its permissions say (`rak_customer_read`); to write is to read, too."""

    def __init__(self, permissions: Iterable[str], *, expired: bool = False) -> None:
        """Take the names of the permissions."""
        self.expired = expired
        given = frozenset(permissions)
        self._given = given | {name.removesuffix("_write") + "_read" for name in given if name.endswith("_write")}

    def check(self, method: str, path: str, *, shown: str, account: str) -> None:
        """Refuse a call that the key does not allow; `path` is the endpoint's (`/v1/customers/{id}`)."""
        if self.expired:
            raise ApiError(f"Expired API Key provided: {shown}", status=401, code="api_key_expired")
        needed = permission(method, path)
        if needed not in self._given:
            raise ApiError(
                f"The provided key '{shown}' does not have the required permissions for this endpoint on account "
                f"'{account}'. Having the '{needed}' permission would allow this request to continue.",
                status=403,
            )


def permission(method: str, path: str) -> str:
    """Name the permission that a call needs: `rak_invoice_write` for `POST /v1/invoices/{id}/void`."""
    parts = path.split("/")[2:]
    named = parts[:2] if parts[0] in _FAMILIES else parts[:1]
    called = _CALLED.get(parts[0]) or "_".join([*named[:-1], named[-1].removesuffix("s")])
    return f"rak_{called}_{'read' if method in {'GET', 'HEAD'} else 'write'}"


def wished(wish: Mapping[str, Any]) -> RestrictedKey:
    """Make a key from a seed: `permissions`, and whether it is `expired`; raises `ValueError` for what is none."""
    surplus = set(wish) - {"key", "permissions", "expired"}
    names = wish.get("permissions", [])
    if surplus or not all(str(name).startswith("rak_") and str(name).endswith(("_read", "_write")) for name in names):
        raise ValueError(
            "restricted_keys: `permissions` such as `rak_customer_read`, `expired`, and a `key` to name it by"
        )
    return RestrictedKey(map(str, names), expired=bool(wish.get("expired")))
