"""One visit: who asks for what, and the ways to answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hub.access.people import Person, Session
from hub.access.permissions import Permission, Principal
from hub.queries import approvals, cases, restores
from ui import cookies
from ui.assets import assets
from ui.console import Console
from ui.headers import PRIVATE, SECURITY_HEADERS
from ui.rendering import ENVIRONMENT
from ui.said import SENTENCES


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many approvals wait, and whether it is for the person who looks."""

    number: int
    mine: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request with the person behind it (None before signing in) and the form it carries."""

    console: Console
    request: Request
    person: Person | None = None
    session: Session | None = None
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def principal(self) -> Principal | None:
        """Give who asks, for rights and audit."""
        return None if self.person is None else self.person.principal()

    @property
    def actor(self) -> str:
        """Give who asks, as the audit log names them."""
        return self.principal.actor if self.principal is not None else "console"

    def may(self, permission: Permission) -> bool:
        """Tell whether whoever asks is allowed this."""
        return self.principal is not None and self.principal.may(permission)

    def asked(self) -> Asked:
        """Count what waits for the person's consent; for those who give none, what waits for anybody's."""
        view = self.console.view
        if self.principal is not None and self.principal.may(Permission.APPROVE):
            return Asked(number=approvals.waiting_for(view, self.principal), mine=True)
        return Asked(number=approvals.pending_count(view), mine=False)

    def with_form(self, form: Mapping[str, str]) -> Visit:
        """Give the same visit with its form."""
        return replace(self, form=form)

    def query(self, name: str) -> str | None:
        """Give a value of the address, None when it is missing or blank."""
        return self.request.query_params.get(name, "").strip() or None

    def place(self, name: str) -> str:
        """Give a part of the path, such as the id in `/runs/{id}`."""
        return str(self.request.path_params[name])

    @property
    def wants_part(self) -> bool:
        """Tell whether the page itself asks, for a part of it."""
        headers = self.request.headers
        return "HX-Request" in headers and "HX-History-Restore-Request" not in headers

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """Give a whole page."""
        shared = {
            "visit": self,
            "console": self.console,
            "assets": assets(),
            "path": self.request.url.path,
            "theme": cookies.theme(self.request),
            "csrf": self.session.csrf if self.session is not None else "",
            "now": self.console.ambient.now(),
            "said": SENTENCES.get(self.query("said") or ""),
            "Permission": Permission,
        }
        if self.person is not None:
            shared["open_cases"] = cases.open_count(self.console.view)
            shared["consent"] = self.asked()
            shared["restored"] = restores.banner(self.console.view)
        html = ENVIRONMENT.get_template(template).render(shared | values)
        return self.secured(HTMLResponse(html, status_code=status))

    def show(self, template: str, values: Mapping[str, Any]) -> Response:
        """Give the live part of a page to the page that asks for it, else the whole page."""
        return self.part(template, **values) if self.wants_part else self.page(template, status=200, **values)

    def part(self, template: str, **values: Any) -> Response:
        """Give a part of a page, for a swap."""
        html = ENVIRONMENT.get_template(f"parts/{template}").render(
            {
                "visit": self,
                "console": self.console,
                "csrf": self.session.csrf if self.session is not None else "",
                "now": self.console.ambient.now(),
                "Permission": Permission,
            }
            | values
        )
        return self.secured(HTMLResponse(html))

    def go(self, path: str, **query: str) -> Response:
        """Send the browser to another page after an order (303)."""
        target = f"{path}?{urlencode(query)}" if query else path
        if "HX-Request" in self.request.headers:
            return self.secured(Response(status_code=204, headers={"HX-Redirect": target}))
        return self.secured(RedirectResponse(target, status_code=303))

    @staticmethod
    def local(target: str | None) -> str:
        """Give a path of this console; anything that could lead elsewhere becomes the first page."""
        if not target or not target.startswith("/") or target.startswith("//") or "\\" in target:
            return "/"
        parts = urlsplit(target)
        return target if not parts.scheme and not parts.netloc and parts.path not in {"/login", "/setup"} else "/"

    @staticmethod
    def secured(response: Response) -> Response:
        """Give the answer with the headers that every private answer has."""
        response.headers.update(SECURITY_HEADERS)
        response.headers.update(PRIVATE)
        return response
