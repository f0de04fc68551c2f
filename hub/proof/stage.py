"""Setting the stage: sandboxes and hub started, everything seeded and tied together, as a user would."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hub.proof import crm, customers, sandboxes, sap_books, wishes, workspace
from hub.proof.faults import Profile
from hub.proof.http_json import Api
from hub.proof.hub_process import HubProcess, Login
from hub.proof.processes import Processes
from hub.proof.sandboxes import Sandbox
from hub.proof.scenario import Customer, Scenario

#: The vault key lies outside the hub's data, as it must.
KEY_FILE = "vault.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs, and how the scenario's names are called by the vendors.

    `erp_customers` is external id → NetSuite's id; `secrets` are all the values that must never show.
    """

    scenario: Scenario
    profile: Profile
    sandboxes: Mapping[str, Sandbox]
    hub: HubProcess
    login: Login
    approvers: Sequence[Login]
    stripe_ids: Mapping[str, str]
    erp_customers: Mapping[str, str]
    secrets: Sequence[str] = field(repr=False)
    #: The CRM's ids of the products of contracts, by their names.
    crm_ids: Mapping[str, str] = field(default_factory=dict)

    @property
    def stripe(self) -> Sandbox:
        """Give Stripe's sandbox."""
        return self.sandboxes["stripe"]

    def as_person(self, once: str) -> Api:
        """Speak to Stripe as somebody at its dashboard; what is asked under one name happens once."""
        key = str(self.stripe.hello["api_key"])
        return Api(self.stripe.url, {"authorization": f"Bearer {key}", "idempotency-key": once})

    def erp_ids(self, customer: Customer) -> tuple[str, ...]:
        """Give NetSuite's ids of a customer's records, the first one first."""
        return tuple(self.erp_customers[name] for name in wishes.netsuite_names(customer))


def environ(folder: Path) -> dict[str, str]:
    """Give what the processes of a demo need in their environment."""
    return {"CONCORD_KEY_FILE": str(folder / KEY_FILE)}


def build(
    processes: Processes,
    folder: Path,
    *,
    scenario: Scenario,
    profile: Profile,
    port: int,
    serve: Sequence[str] = (),
) -> Stage:
    """Start everything and tie it together; nothing goes wrong yet."""
    vendors = sandboxes.VENDORS if scenario.crm is None else sandboxes.ALL_VENDORS
    running = sandboxes.start(processes, scenario.seed, vendors)
    hub = HubProcess(processes, folder, port=port, serve=serve)
    crm_ids: dict[str, str] = {}
    rates: dict[str, str] = {}
    if scenario.crm is not None:
        # How billing taxes what contracts sell stands in the workspace: it is there before the hub is.
        running["salesforce"].seed(crm.wish())
        crm_ids |= running["salesforce"].seed(crm.products())["refs"]
        rates |= running["stripe"].seed(wishes.tax_rates())["keys"]
    rows = crm.tables(rates) if crm_ids else None
    workspace.write(hub.workspace, running, os.environ, rows=rows)
    hello = hub.start()
    stripe_ids: dict[str, str] = dict(running["stripe"].seed(wishes.stripe_catalogue(scenario))["keys"])
    stripe_ids |= running["stripe"].seed(customers.at_stripe(scenario.followed, known=True))["keys"]
    erp_customers: dict[str, str] = dict(running["netsuite"].seed(wishes.netsuite_wish(scenario))["customers"])
    erp_customers |= running["netsuite"].seed(customers.in_erp(scenario.followed))["customers"]
    running["tax"].seed(wishes.tax_wish())
    if scenario.crm is not None:
        running["s4hana"].seed(sap_books.wish())
    watched = [*wishes.EVENTS, customers.MADE, *customers.EVENTS, *(crm.TOLD if scenario.crm is not None else ())]
    endpoint = running["stripe"].seed(
        {"endpoints": [{"key": "hub", "url": f"{hub.url}/hooks/stripe", "enabled_events": watched}]}
    )["made"]["endpoints"][0]
    values = secrets_of(running, str(endpoint["secret"]))
    hub.store_secrets(values)
    login = hub.add_admin(hello)
    approvers = [hub.add_approver(name) for name in ("Ines", "Tom")]
    stage = Stage(
        scenario=scenario,
        profile=profile,
        sandboxes=running,
        hub=hub,
        login=login,
        approvers=approvers,
        stripe_ids=stripe_ids,
        erp_customers=erp_customers,
        crm_ids=crm_ids,
        secrets=[
            *(value for fields in values.values() for value in fields.values()),
            *(each.password for each in (login, *approvers)),
        ],
    )
    hub.link(
        "customer",
        [
            *(
                {"stripe": stripe_ids[customer.key], "netsuite": stage.erp_ids(customer)[0]}
                for customer in scenario.at_stripe
                if customer.mapped
            ),
            *(
                {"stripe": stripe_ids[customer.key], "netsuite": erp_customers[customer.erp_name]}
                for customer in scenario.followed
                if customer.known
            ),
        ],
    )
    return stage


def secrets_of(running: Mapping[str, Sandbox], webhook_secret: str) -> dict[str, dict[str, str]]:
    """Give the secrets of each connection, as the sandboxes have told them."""
    stripe, netsuite, tax = (running[vendor].hello for vendor in sandboxes.VENDORS)
    told = {
        "stripe": {"api_key": str(stripe["api_key"]), "webhook_secret": webhook_secret},
        "netsuite": {"private_key": str(netsuite["private_key"])},
        "tax": {"account_id": str(tax["account_id"]), "license_key": str(tax["license_key"])},
    }
    for vendor, name in (("salesforce", "private_key"), ("s4hana", "password")):
        if vendor in running:
            told[vendor] = {name: str(running[vendor].hello[name])}
    return told
