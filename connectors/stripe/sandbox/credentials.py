"""Who asks: the key in the request, and the connected account it asks for."""

from __future__ import annotations

import base64
import binascii

from aiohttp import web

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.problems import ApiError


def account_for(platform: Account, request: web.Request, header: str = "Stripe-Account") -> Account:
    """Check the key and give the account that is meant: the platform's own, or a connected one."""
    given = key_of(request)
    if not given:
        raise ApiError(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
        )
    shown = f"{given[:8]}****{given[-4:]}"
    restricted = platform.restricted.get(given)
    if given != platform.api_key and restricted is None:
        raise ApiError(f"Invalid API Key provided: {shown}", status=401)
    if restricted is not None:
        resource = request.match_info.route.resource
        path = request.path if resource is None else resource.canonical
        restricted.check(request.method, path, shown=shown, account=platform.own_id)
    wanted = request.headers.get(header) or request.headers.get("Stripe-Account")
    if not wanted:
        return platform
    account = platform.connected.get(wanted)
    if account is None:
        raise ApiError(
            f"The provided key '{shown}' does not have access to account '{wanted[:100]}' (or that account does not "
            "exist). Application access may have been revoked.",
            status=403,
            code="account_invalid",
        )
    return account


def key_of(request: web.Request) -> str:
    """Give the key or token of a request: a bearer's, or the user of basic authentication."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
