"""Contracts of the CRM in billing and the ERP: what stands is what was agreed, and the oracle sees where it is not."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest

from hub.proof.contract_checks import Stands
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing, shipped, trial
from hub.proof.simulation.case import Case, Crm, Stage
from hub.proof.simulation.contract_cases import CONTRACT_CASES, drop, installed, order, sign, sold
from hub.proof.simulation.playing import Played
from hub.proof.simulation.points import Point, Where
from hub.proof.simulation.sap_cases import also_in_s4hana

AMENDED = next(case for case in CONTRACT_CASES if case.name == "contract-to-billing that is amended")
#: The same with the books in S/4HANA.
(IN_S4HANA,) = also_in_s4hana([AMENDED])
BOTH = ("NetSuite", "S/4HANA")
#: Stripe Tax, set up so that German VAT is collected.
STRIPE_TAX: Mapping[str, Any] = {
    "tax_settings": [
        {
            "defaults": {"tax_code": "txcd_10000000", "tax_behavior": "exclusive"},
            "head_office": {"address": {"country": "DE", "city": "Berlin", "line1": "Torstraße 1"}},
        },
    ],
    "tax_registrations": [
        {"country": "DE", "country_options": {"de": {"type": "standard"}}, "active_from": "now"},
    ],
}
#: The day after the last one of a contract that is signed here.
END = datetime(2027, 3, 1, tzinfo=UTC)
#: Another subscription that names the contract, as a person or another integration makes it.
TWICE = (
    "customer={customer}&collection_method=send_invoice&days_until_due=30&metadata[contract]={contract}"
    "&items[0][price_data][currency]=eur&items[0][price_data][unit_amount]=900"
    "&items[0][price_data][recurring][interval]=month&items[0][price_data][product]={seats}"
)


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], stands: Stands, *, case: Case = AMENDED, **more: Any) -> Played:
    """Play a story of a contract that was signed, and billed as `case` has it."""
    assert case.crm is not None
    crm: Crm = replace(case.crm, contracts={"contract": stands}, **more)
    return playing.play(replace(case, happen=happen, crm=crm, story="of a test"), None)


async def read_until_it_rests(stage: Stage) -> None:
    for _ in range(3):
        await stage.read()
        await stage.rested()


def test_an_item_keeps_its_price_when_that_of_the_list_is_raised() -> None:
    """What is bought later at the new price of the list is another item."""

    async def happen(stage: Stage) -> None:
        await stage.seed("salesforce", {"changes": [{"type": "PricebookEntry", "id": "{entry}", "UnitPrice": 15}]})
        await read_until_it_rests(stage)
        await order(stage, "more", (1, "12.50"), (2, 15))
        await read_until_it_rests(stage)

    assert played(happen, Stands.BILLED, prices=2).findings == []


def test_an_order_that_is_corrected_counts_again_when_it_is_activated() -> None:
    async def happen(stage: Stage) -> None:
        draft = {"type": "Order", "id": "{first}", "Status": "Draft"}
        await stage.seed("salesforce", {"changes": [draft]})
        await read_until_it_rests(stage)
        line = {"type": "OrderItem", "OrderId": "{first}", "PricebookEntryId": "{entry}", "Quantity": 4}
        await stage.seed("salesforce", {"records": [{**line, "UnitPrice": "9.90"}]})
        await stage.seed("salesforce", {"changes": [{**draft, "Status": "Activated"}]})
        await read_until_it_rests(stage)

    assert played(happen, Stands.BILLED).findings == []


def test_a_contract_whose_subscription_somebody_ended_is_a_persons_matter() -> None:
    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await order(stage, "more", (1, "12.50"))
        await read_until_it_rests(stage)

    assert played(happen, Stands.ENDED, exceptions=("contract-has-ended",)).findings == []


def forget(*entities: str) -> None:
    """Let the hub know no ties of these kinds, nor what it has written: as one that was brought back from a backup."""
    for entity in entities:
        trial.database().file.execute("DELETE FROM crossrefs WHERE entity = ?", (entity,))
    trial.database().file.execute("UPDATE effects SET object = 'lost' WHERE object IS NOT NULL")


def done(flow: str, step: str) -> list[str]:
    """Give how a step has ended in the runs of a flow."""
    statement = "SELECT steps.rule FROM steps JOIN runs ON runs.id = steps.run_id WHERE flow = ? AND path = ?"
    return [
        "skipped" if rule == ":skipped" else "done"
        for (rule,) in trial.database().file.execute(statement, (flow, step))
    ]


@pytest.mark.parametrize(
    ("case", "reject", "close"), [(AMENDED, "skipped", "done"), (IN_S4HANA, "done", "skipped")], ids=BOTH
)
def test_the_order_of_a_contract_that_ends_before_it_is_tied_is_closed(case: Case, reject: str, close: str) -> None:
    async def happen(stage: Stage) -> None:
        forget("contract")
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    assert played(happen, Stands.ENDED, case=case).findings == []
    assert (done("contract-ended", "reject"), done("contract-ended", "close")) == ([reject], [close])


def test_a_subscription_ends_in_time_also_when_the_process_that_made_it_is_gone() -> None:
    """What billing has planned for a contract happens whatever becomes of the hub meanwhile."""
    case = next(case for case in CONTRACT_CASES if case.name == "contract-ended")
    for where in (Where.BEFORE_COMMIT, Where.AFTER_CALL):
        told = playing.play(case, Point(where=where, number=1))
        assert told.died
        assert told.findings == []


def test_what_was_taken_back_ends_without_a_word() -> None:
    async def happen(stage: Stage) -> None:
        await stage.take_back()
        await stage.rested()
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    assert played(happen, Stands.ENDED).findings == []


def test_the_order_of_a_contract_that_was_begun_anew_stays_open_when_the_old_one_ends() -> None:
    async def happen(stage: Stage) -> None:
        trial.database().file.execute(
            "UPDATE crossrefs SET id = 'sub_new' WHERE entity = 'contract' AND system = 'stripe'"
        )
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    assert [finding.detail[-11:] for finding in played(happen, Stands.ENDED).findings] == ["stands at F"]
    assert done("contract-ended", "close") == ["skipped"]


def test_a_subscription_that_is_no_contracts_ends_without_a_word() -> None:
    async def happen(stage: Stage) -> None:
        forget("contract")
        await stage.stripe("/v1/subscriptions/{subscription}", "metadata[contract]=")
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    played(happen, Stands.NOTHING)
    assert done("contract-ended", "close") == ["skipped"]


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
def test_a_subscription_that_ends_before_its_contract_has_an_order_ends_without_a_word(case: Case) -> None:
    """People have made it for a contract that is signed, and ended it again before anything was agreed."""

    async def prepare(stage: Stage) -> None:
        await sold(stage)
        await stage.rested()
        await sign(stage)
        await stage.stripe("/v1/subscriptions", TWICE)

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    played(happen, Stands.NOTHING, case=replace(case, prepare=prepare))
    assert trial.database().file.execute("SELECT state FROM runs WHERE flow = 'contract-ended'").fetchall() == [
        ("succeeded",)
    ]


async def ordered_more(stage: Stage) -> None:
    await order(stage, "more", (2, "12.50"))
    await read_until_it_rests(stage)


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
def test_a_contract_whose_tie_is_lost_goes_on_with_the_subscription_and_the_order_that_it_has(case: Case) -> None:
    """Brought back from a backup, the hub hears of the last change alone, and knows neither tie nor what it wrote."""

    async def happen(stage: Stage) -> None:
        forget("contract", "charge")
        await ordered_more(stage)

    assert played(happen, Stands.BILLED, case=case).findings == []


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
def test_a_subscription_that_people_have_made_as_agreed_is_tied_to_an_order_that_is_made(case: Case) -> None:
    """It names the contract and differs from it in nothing, so that the sales order alone is missing."""
    as_agreed = TWICE.replace("[unit_amount]=900", "[unit_amount]=1250")

    async def prepare(stage: Stage) -> None:
        await sold(stage)
        await stage.rested()
        await sign(stage)
        await stage.stripe("/v1/subscriptions", f"{as_agreed}&cancel_at={int(END.timestamp())}")
        await stage.read()

    async def happen(stage: Stage) -> None:
        await order(stage, "first", (1, "12.50"))
        await read_until_it_rests(stage)

    assert played(happen, Stands.BILLED, case=replace(case, prepare=prepare)).findings == []


def test_what_was_charged_once_is_not_charged_again_when_its_tie_is_lost() -> None:
    async def happen(stage: Stage) -> None:
        await installed(stage)
        await stage.rested()
        await stage.seed("salesforce", {"changes": [{"type": "Order", "id": "{installed}", "Billing_Status__c": ""}]})
        forget("charge")
        await ordered_more(stage)

    assert played(happen, Stands.BILLED, products=2, prices=2).findings == []


def test_a_contract_is_taxed_as_the_policy_says_also_after_somebody_has_changed_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled, policy = shipped.compiled, ("policies/contract-tax.yaml", b"by: as_it_is", b"by: automatic")
    monkeypatch.setattr(shipped, "compiled", lambda engine="tax", *moved: compiled(engine, *moved, policy))
    assert AMENDED.prepare is not None
    before = AMENDED.prepare

    async def prepare(stage: Stage) -> None:
        await stage.seed("stripe", STRIPE_TAX)
        await before(stage)

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/subscriptions/{subscription}", "automatic_tax[enabled]=false")
        await ordered_more(stage)

    told = playing.play(replace(AMENDED, prepare=prepare, happen=happen, story="of a test"), None)
    assert told.findings == []
    statement = "SELECT operation, body FROM effects WHERE operation LIKE 'subscription.%' ORDER BY created_at"
    said = {operation: dict(parse_qsl(body.decode())) for operation, body in trial.database().file.execute(statement)}
    assert {name: body.get("automatic_tax[enabled]") for name, body in said.items()} == {
        "subscription.create": "true",
        "subscription.update": "true",
    }


def test_half_a_cent_is_a_persons_matter_and_nothing_of_its_order_is_billed() -> None:
    async def happen(stage: Stage) -> None:
        await order(stage, "more", (2, "12.50"), ("0.5", "0.01"))
        await read_until_it_rests(stage)

    assert played(happen, Stands.KEPT, exceptions=("amount-not-whole",)).findings == []


def test_a_price_with_half_a_cent_is_a_persons_matter_and_nothing_of_its_order_is_billed() -> None:
    """An org may let prices have more digits than its currency."""

    async def happen(stage: Stage) -> None:
        field = {"object": "OrderItem", "name": "UnitPrice", "type": "currency", "precision": 18, "scale": 4}
        await stage.seed("salesforce", {"fields": [field]})
        await order(stage, "more", (2, "12.50"), (3, "12.505"))
        await read_until_it_rests(stage)

    assert played(happen, Stands.KEPT, exceptions=("amount-not-whole",)).findings == []


def test_of_two_subscriptions_that_name_one_contract_a_person_says_which_it_is() -> None:
    """Neither is tied by itself: whichever it was, the customer would go on paying for the other one too."""

    async def happen(stage: Stage) -> None:
        forget("contract")
        await stage.stripe("/v1/subscriptions", TWICE)
        await ordered_more(stage)

    told = played(happen, Stands.KEPT, exceptions=("contract-billed-twice",))
    assert [finding.invariant for finding in told.findings] == [Invariant.NOTHING_TWICE]
    ((detail,),) = trial.database().file.execute("SELECT detail FROM cases WHERE reason = 'contract-billed-twice'")
    assert len(set(re.findall(r"sub_\w+", detail))) == 2


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
@pytest.mark.parametrize("ended", ["newest_subscription", "subscription"])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
def test_the_order_of_a_contract_stands_as_long_as_another_subscription_of_it_goes_on(
    case: Case, ended: str, *, tied: bool
) -> None:
    """Whichever of two ends, the contract may go on with the other: only a tie to that says that it does."""

    async def happen(stage: Stage) -> None:
        if not tied:
            forget("contract")
        await stage.stripe("/v1/subscriptions", TWICE)
        await stage.stripe(f"/v1/subscriptions/{{{ended}}}", method="DELETE")
        await read_until_it_rests(stage)

    said = tied and ended == "newest_subscription"
    exceptions = () if said else ("contract-billed-twice",)
    assert played(happen, Stands.SURPLUS, case=case, exceptions=exceptions).findings == []


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
def test_the_order_of_a_contract_is_closed_with_the_last_subscription_of_it_that_goes_on(case: Case) -> None:
    """Another one ends with its period, as what was taken back does, and another one is of another contract."""

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/subscriptions", TWICE)
        await stage.stripe("/v1/subscriptions/{newest_subscription}", "cancel_at_period_end=true")
        await stage.stripe("/v1/subscriptions", TWICE.replace("{contract}", "800000000000009AAA"))
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    found = [finding.detail for finding in played(happen, Stands.SURPLUS, case=case).findings]
    assert [detail for detail in found if "is closed" in detail]
    assert not [detail for detail in found if "exception" in detail]


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
def test_what_stopped_for_a_surplus_closes_nothing_once_the_contract_is_tied_to_the_other_one(case: Case) -> None:
    """What is ordered next ties it, since one alone goes on by then; the stopped run is replayed after it."""

    async def happen(stage: Stage) -> None:
        forget("contract")
        await stage.stripe("/v1/subscriptions", TWICE)
        await stage.stripe("/v1/subscriptions/{newest_subscription}", method="DELETE")
        await ordered_more(stage)
        await stage.tie()
        await read_until_it_rests(stage)

    assert played(happen, Stands.SURPLUS, case=case).findings == []


@pytest.mark.parametrize("case", [AMENDED, IN_S4HANA], ids=BOTH)
def test_what_stopped_for_a_surplus_closes_the_order_once_that_has_ended_too(case: Case) -> None:
    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/subscriptions", TWICE)
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)
        await stage.stripe("/v1/subscriptions/{newest_subscription}", method="DELETE")
        await read_until_it_rests(stage)
        assert "done" not in done("contract-ended", "close") + done("contract-ended", "reject")
        await stage.tie()
        await read_until_it_rests(stage)

    found = [finding.detail for finding in played(happen, Stands.SURPLUS, case=case).findings]
    assert len(found) == 2
    assert found[0] == "[] of 2 subscriptions go on, must be one"
    assert "is closed" in found[1]


def test_the_oracle_sees_an_order_that_was_closed_with_a_surplus(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = shipped.compiled
    unseen = ("flows/contract-ended.yaml", b"own: found.metadata.contract", b"own: found.metadata.none")
    monkeypatch.setattr(shipped, "compiled", lambda engine="tax", *moved: compiled(engine, *moved, unseen))

    async def happen(stage: Stage) -> None:
        forget("contract")
        await stage.stripe("/v1/subscriptions", TWICE)
        await stage.stripe("/v1/subscriptions/{newest_subscription}", method="DELETE")
        await read_until_it_rests(stage)

    found = played(happen, Stands.SURPLUS, exceptions=("contract-billed-twice",)).findings
    assert "is closed, and" in " ".join(finding.detail for finding in found)


def test_a_contract_whose_tie_is_lost_ends_as_the_crm_says() -> None:
    async def happen(stage: Stage) -> None:
        forget("contract")
        await order(stage, "none", (-3, "12.50"))
        await stage.read()
        await stage.agree()
        await read_until_it_rests(stage)

    assert played(happen, Stands.ENDING).findings == []


def test_a_contract_that_is_deleted_and_billed_is_a_persons_matter() -> None:
    """Only administrators may delete what is activated, and nobody says by it what becomes of the subscription."""

    async def happen(stage: Stage) -> None:
        await stage.seed("salesforce", {"delete": ["{contract}"]})
        await read_until_it_rests(stage)

    assert played(happen, Stands.LEFT, exceptions=("deleted-contract-billed",)).findings == []


def test_a_contract_that_is_deleted_for_good_before_anybody_sees_it_is_a_persons_matter() -> None:
    async def happen(stage: Stage) -> None:
        await stage.seed("salesforce", {"delete": ["{contract}"], "purge": ["{contract}"]})
        await asyncio.sleep(180.0)
        await read_until_it_rests(stage)

    assert played(happen, Stands.LEFT, exceptions=("deleted-contract-billed",)).findings == []


def test_a_deleted_contract_whose_tie_is_lost_is_known_by_what_the_crm_was_told() -> None:
    async def happen(stage: Stage) -> None:
        forget("contract")
        await stage.seed("salesforce", {"delete": ["{contract}"]})
        await read_until_it_rests(stage)

    assert played(happen, Stands.LEFT, exceptions=("deleted-contract-billed",)).findings == []


def test_a_contract_whose_only_order_is_deleted_is_a_persons_matter() -> None:
    """Also where a draft is left, which was never billed."""

    async def happen(stage: Stage) -> None:
        draft = {"type": "Order", "AccountId": "{alder}", "ContractId": "{contract}", "EffectiveDate": "2026-03-31"}
        await stage.seed("salesforce", {"records": [{**draft, "Status": "Draft", "CurrencyIsoCode": "EUR"}]})
        await drop(stage, "{first}")
        await read_until_it_rests(stage)

    assert played(happen, Stands.LEFT, exceptions=("contract-without-orders",)).findings == []


def test_an_order_that_is_deleted_and_was_never_billed_is_nobodys_matter() -> None:
    async def happen(stage: Stage) -> None:
        draft = {"type": "Order", "ref": "draft", "AccountId": "{alder}", "ContractId": "{contract}"}
        draft |= {"EffectiveDate": "2026-03-31", "Status": "Draft", "CurrencyIsoCode": "EUR"}
        await stage.seed("salesforce", {"records": [draft]})
        await stage.seed("salesforce", {"delete": ["{draft}"]})
        await read_until_it_rests(stage)

    assert played(happen, Stands.BILLED).findings == []


def test_an_order_that_is_deleted_for_good_before_anybody_sees_it_is_a_persons_matter() -> None:
    """Nobody can tell any more whose order it was."""

    async def happen(stage: Stage) -> None:
        await drop(stage, "{first}", for_good=True)
        await asyncio.sleep(180.0)
        await read_until_it_rests(stage)

    assert played(happen, Stands.LEFT, exceptions=("deleted-order-not-known",)).findings == []


def test_the_oracle_sees_that_what_waits_for_a_person_was_ended_without_one() -> None:
    async def happen(stage: Stage) -> None:
        await stage.seed("salesforce", {"delete": ["{contract}"]})
        await stage.read()
        await stage.rested()
        await stage.stripe("/v1/subscriptions/{subscription}", method="DELETE")
        await read_until_it_rests(stage)

    found = played(happen, Stands.LEFT, exceptions=("deleted-contract-billed",)).findings
    assert [finding.detail.partition("that ")[0] for finding in found] == ["nobody has said "] * 2


def test_a_contract_that_is_deleted_with_its_order_and_was_never_billed_is_nobodys_matter() -> None:
    """Each of them is told of by itself, and by then there is nothing to read any more."""

    async def happen(stage: Stage) -> None:
        terms = {"CurrencyIsoCode": "EUR", "AccountId": "{alder}", "Status": "Draft"}
        contract = {"type": "Contract", "ref": "second", "StartDate": "2026-03-01", "ContractTerm": 12, **terms}
        draft = {"type": "Order", "ref": "draft", "ContractId": "@{second}", "EffectiveDate": "2026-03-31", **terms}
        await stage.seed("salesforce", {"records": [contract, draft]})
        await read_until_it_rests(stage)
        await stage.seed("salesforce", {"delete": ["{draft}", "{second}"]})
        await read_until_it_rests(stage)

    assert played(happen, Stands.BILLED).findings == []
