"""Our descriptions beside SAP's own documents, where these are at hand: names, types, keys, and what may be written.

`CONCORD_SAP_SPECS` names a folder with EDMX and WSDL files under the names that they have in SAP's catalogue.
"""

from __future__ import annotations

import asyncio
import os
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pyodata
import pytest
import requests
from pyodata.v2.model import Config, PolicyIgnore
from zeep import Client
from zeep.transports import Transport

from connectors.s4hana.sandbox.edm.csdl import csdl
from connectors.s4hana.sandbox.edm.edmx import edmx
from connectors.s4hana.sandbox.edm.reading import catalogue
from connectors.s4hana.sandbox.soap.schema import types
from tests.connectors.s4hana.conftest import ASYNC, SOAP, SYNC, V2, Plain
from tests.connectors.s4hana.metadata import read
from tests.connectors.s4hana.test_s4hana_pyodata import session_of
from tests.connectors.s4hana.test_s4hana_zeep import invoice, message

FOLDER = os.environ.get("CONCORD_SAP_SPECS")
pytestmark = pytest.mark.skipif(not FOLDER, reason="CONCORD_SAP_SPECS names no folder with SAP's EDMX and WSDL files")
#: Where a service's document is; the newest wins.
FILES = {
    "API_BUSINESS_PARTNER": "API_BUSINESS_PARTNER.edmx",
    "API_SALES_ORDER_SRV": "2026/API_SALES_ORDER_SRV.edmx",
    "API_PRODUCT_SRV": "API_PRODUCT_SRV.edmx",
    "API_BILLING_DOCUMENT_SRV": "API_BILLING_DOCUMENT_SRV.edmx",
    "API_CREDIT_MEMO_REQUEST_SRV": "2026/API_CREDIT_MEMO_REQUEST_SRV.edmx",
    "API_COMPANYCODE_SRV": "2026/API_COMPANYCODE.edmx",
    "API_GLACCOUNTINCHARTOFACCOUNTS_SRV": "API_GLACCOUNTINCHARTOFACCOUNTS_SRV.edmx",
    "API_GLACCOUNTLINEITEM": "API_GLACCOUNTLINEITEM.edmx",
    "API_JOURNALENTRYITEMBASIC_SRV": "API_JOURNALENTRYITEMBASIC_SRV.edmx",
    "API_OPLACCTGDOCITEMCUBE_SRV": "API_OPLACCTGDOCITEMCUBE_SRV.edmx",
    "CE_SALESORDER_0001": "2026/CE_SALESORDER_0001.edmx",
}


def file(name: str) -> bytes:
    return (Path(str(FOLDER)) / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_what_our_metadata_says_sap_says_too(name: str) -> None:
    service = catalogue()[name]
    ours, theirs = read((csdl if service.v4 else edmx)(service).encode()), read(file(FILES[name]))
    assert set(ours.sets) <= set(theirs.sets)
    for set_name, own in ours.sets.items():
        true = theirs.sets[set_name]
        assert (own.type, own.keys, own.closed) == (true.type, true.keys, true.closed), set_name
        assert (own.aggregate, own.etag) == (true.aggregate, true.etag), set_name
        assert own.makes == true.makes & own.navigations.keys(), set_name
        differing = {
            each: (shape, true.properties.get(each))
            for each, shape in own.properties.items()
            if shape != true.properties.get(each)
        }
        assert not differing, set_name
        for each, target in own.navigations.items():
            assert target == true.navigations.get(each), (set_name, each)
    for each, (method, parameters) in ours.functions.items():
        assert (method, parameters) == theirs.functions[each], each


@pytest.mark.parametrize("name", ["JOURNALENTRYCREATEREQUESTCONFI.wsdl", "JOURNALENTRYBULKCREATIONREQUES.wsdl"])
def test_our_messages_are_in_the_order_of_saps_schema(name: str) -> None:
    root = ET.fromstring(file(f"2026/{name}"))  # noqa: S314 - SAP's own files
    schema = "{http://www.w3.org/2001/XMLSchema}"
    theirs = {
        str(each.get("name")): {
            str(part.get("name")): (part.get("minOccurs") != "0", part.get("maxOccurs") == "unbounded")
            for part in each.iter(f"{schema}element")
        }
        for each in root.iter(f"{schema}complexType")
    }
    for kind, parts in types().items():
        if kind not in theirs:
            assert "Confirmation" in kind or kind.startswith("Log")
            continue
        true = theirs[kind]
        assert [part.name for part in parts] == [each for each in true if each in {part.name for part in parts}], kind
        for part in parts:
            assert (part.required, part.many) == true[part.name], (kind, part.name)


async def test_pyodata_works_by_saps_own_metadata(plain: Plain) -> None:
    def client(service: str) -> Any:
        config = Config(default_error_policy=PolicyIgnore())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            url = f"{plain.served.url}{V2}{service}/"
            return pyodata.Client(url, session_of(plain), config=config, metadata=file(FILES[service]))

    def work() -> Any:
        partners = client("API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
        made = partners.create_entity()
        made.set(BusinessPartnerCategory="2", OrganizationBPName1="Zed", to_BusinessPartnerAddress=[{"Country": "DE"}])
        number = made.execute().BusinessPartner
        name = partners.get_entity(number).expand("to_BusinessPartnerAddress").execute().BusinessPartnerFullName
        orders = client("API_SALES_ORDER_SRV").entity_sets.A_SalesOrder.get_entities().expand("to_Item").execute()
        cube = client("API_OPLACCTGDOCITEMCUBE_SRV").entity_sets.A_OperationalAcctgDocItemCube
        items = cube.get_entities().filter("Customer eq '10100001'").execute()
        return name, orders, items

    name, orders, items = await asyncio.to_thread(work)
    assert name == "Zed"
    assert [item.NetAmount for item in orders[0].to_Item] == ["200.00"]
    assert [item.AmountInTransactionCurrency for item in items] == ["238.00"]


@pytest.mark.parametrize("name", ["JOURNALENTRYCREATEREQUESTCONFI.wsdl", "JOURNALENTRYBULKCREATIONREQUES.wsdl"])
async def test_zeep_posts_by_saps_own_wsdl(plain: Plain, name: str) -> None:
    synchronous = "CREATEREQUEST" in name

    def work() -> Any:
        session = requests.Session()
        session.auth = (plain.facts["user"], plain.facts["password"])
        client = Client(str(Path(str(FOLDER)) / "2026" / name), transport=Transport(session=session, timeout=10))
        binding = next(each for each in client.wsdl.bindings if each.endswith("}binding"))
        address = f"{plain.served.url}{SOAP}{SYNC if synchronous else ASYNC}"
        service = client.create_service(binding, address)
        operation = (
            service.JournalEntryCreateRequestConfirmation_In
            if synchronous
            else service.JournalEntryBulkCreationRequest_In
        )
        return operation(**message(invoice()))

    reply = await asyncio.to_thread(work)
    await plain.control("clock", {"advance": 10})
    if synchronous:
        posted = reply.JournalEntryCreateConfirmation[0].JournalEntryCreateConfirmation
        assert posted.AccountingDocument == "1800000000"
    entries = (await plain.books())["tables"]["JournalEntry"]
    assert "1800000000" in [each["AccountingDocument"] for each in entries]
