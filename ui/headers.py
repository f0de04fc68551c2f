"""What every answer of the console tells the browser: nothing from elsewhere, nothing inline, nothing kept."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    }
)

#: Pages show money and people; neither a proxy nor the browser's back button may keep them after signing out.
PRIVATE: Mapping[str, str] = MappingProxyType({"Cache-Control": "no-store", "Vary": "HX-Request"})

#: Files whose address changes with their content.
FOREVER: Mapping[str, str] = MappingProxyType({"Cache-Control": "public, max-age=31536000, immutable"})
