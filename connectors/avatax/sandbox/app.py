"""AvaTax's sandbox: the routes, and what stands before them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from connectors.avatax.sandbox.addresses import resolve
from connectors.avatax.sandbox.changes import Changes
from connectors.avatax.sandbox.company import Account
from connectors.avatax.sandbox.handlers import Handlers
from connectors.avatax.sandbox.refusals import Refusal, answer_problem, answer_refusal
from hub.sandbox.limits import limited
from hub.sandbox.server import Sandbox
from hub.sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
PING = "/api/v2/utilities/ping"


def build(world: World) -> web.Application:
    """Make AvaTax's application for one sandbox."""
    account = Account(world)
    world.books = account
    application = web.Application(
        middlewares=[_front(account), limited(account.limiter, answer_problem)], client_max_size=30 * 1024 * 1024
    )
    handlers, changes = Handlers(account, world), Changes(account, world)
    company = "/api/v2/companies/{company}/transactions"
    application.add_routes(
        [
            web.get(PING, handlers.ping),
            web.post("/api/v2/transactions/create", handlers.create),
            web.post("/api/v2/transactions/createoradjust", handlers.create_or_adjust),
            web.get(r"/api/v2/transactions/{id:\d+}", handlers.get_by_id),
            web.get(company, handlers.list),
            web.get(company + "/{code}", handlers.get),
            web.get(company + "/{code}/types/{type}", handlers.get_by_type),
            web.post(company + "/{code}/commit", changes.commit),
            web.post(company + "/{code}/uncommit", changes.uncommit),
            web.post(company + "/{code}/void", changes.void),
            web.post(company + "/{code}/unvoid", changes.unvoid),
            web.post(company + "/{code}/adjust", changes.adjust),
            web.post(company + "/{code}/refund", changes.refund),
            web.post(company + "/{code}/verify", changes.verify),
            web.post(company + "/{code}/changecode", changes.change_code),
            web.post(company + "/{code}/settle", changes.settle),
            web.post(company + "/{code}/lock", changes.lock),
            web.get("/api/v2/addresses/resolve", resolve),
            web.post("/api/v2/addresses/resolve", resolve),
            web.get("/api/v2/companies", handlers.companies),
            web.get(r"/api/v2/companies/{id:\d+}", handlers.company),
            web.get("/api/v2/taxrates/byaddress", handlers.tax_rates),
            web.get("/api/v2/definitions/taxcodes", handlers.tax_codes),
        ]
    )
    return application


def _front(account: Account) -> Any:
    """Check who calls, put refusals into words, and give each answer a correlation id, the caller's if it has one."""

    @web.middleware
    async def stand(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer: web.StreamResponse
        try:
            # The ping is answered for everyone: it tells in its body whether the key was right.
            if request.path != PING:
                _authenticate(request, account)
            answer = await handler(request)
        except Refusal as refusal:
            answer = answer_refusal(refusal)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            answer = web.Response(status=404)
        # Every answer has one, and Avalara's own client relies on it.
        answer.headers["x-correlation-id"] = request.headers.get("x-correlation-id") or account.new_code()
        return answer

    return stand


def _authenticate(request: web.Request, account: Account) -> None:
    authorization = request.headers.get("Authorization", "")
    if not authorization:
        raise Refusal("AuthenticationIncomplete", "Authentication incomplete.")
    if not account.knows(authorization):
        raise Refusal("AuthenticationException", "Authentication failed.")


sandbox = Sandbox(name="avatax", build=build, render=answer_problem)
