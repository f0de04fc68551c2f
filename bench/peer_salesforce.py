"""The same work by `simple-salesforce` alone: accounts out of one org by its Bulk 2.0 handler, and into another.

Run with a JSON object of the orgs' addresses and what is to be done; prints the seconds. What is read is mapped by hand
to what our mappings give, and the customers are kept in a file; nothing else is recorded.
"""

from __future__ import annotations

import csv
import io
import json
import os
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

#: What a query's result is read in, as Salesforce gives at once.
ROWS = 50_000
#: It looks at a job after so many seconds at first, in the place of five: both sides look early.
LOOK = 0.5
COUNTRIES = frozenset({"DE", "FR", "US", "JP", "AT"})


class Plainly(HTTPAdapter):
    """Speaks to the sandbox without TLS, whose work is on neither side's account."""

    def send(self, request: requests.PreparedRequest, *args: Any, **named: Any) -> requests.Response:
        """Send as it is, but for the scheme."""
        assert request.url is not None
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **named)


def client(org: dict[str, Any]) -> Any:
    """Sign in."""
    form = {name: org[key] for name, key in (("client_id", "consumer_key"), ("client_secret", "consumer_secret"))}
    asked = urllib.parse.urlencode({"grant_type": "client_credentials", **form}).encode()
    with urllib.request.urlopen(f"{org['url']}/services/oauth2/token", data=asked) as answer:  # noqa: S310 - a sandbox on this machine
        token = json.load(answer)["access_token"]
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", Plainly())
    return Salesforce(session_id=token, instance_url=org["url"], version=org["api_version"], session=session)


def customer(row: dict[str, str]) -> dict[str, Any]:
    """Map an account to a customer, as `salesforce/account_to_hub` does."""
    country = row["BillingCountry"].strip().upper()
    if country and country not in COUNTRIES:
        raise SystemExit(f"there is no country {country}")
    street = row["BillingStreet"].replace("\r", "").split("\n")
    address = {
        "line1": street[0].strip(),
        "line2": ", ".join(street[1:]),
        "city": row["BillingCity"],
        "region": row["BillingState"],
        "postal_code": row["BillingPostalCode"],
        "country": country,
    }
    bill_to = {"email": row["Invoice_Email__c"], "phone": row["Phone"], "address": address if country else None}
    return {
        "id": row["Id"],
        "number": row["AccountNumber"] or None,
        "name": row["Name"],
        "terms": row["Payment_Terms__c"].upper().replace(" ", "") or None,
        "bill_to": bill_to,
    }


def account(one: dict[str, Any]) -> dict[str, str]:
    """Map a customer to what is written of an account."""
    address = one["bill_to"]["address"] or {}
    street = "\n".join(line for line in (address.get("line1"), address.get("line2")) if line)
    return {
        "Billing_Id__c": one["id"],
        "Name": one["name"],
        "AccountNumber": one["number"] or "",
        "Phone": one["bill_to"]["phone"],
        "Invoice_Email__c": one["bill_to"]["email"],
        "Payment_Terms__c": (one["terms"] or "").replace("NET", "Net "),
        "BillingStreet": street,
        "BillingCity": address.get("city", ""),
        "BillingState": address.get("region", ""),
        "BillingPostalCode": address.get("postal_code", ""),
        "BillingCountry": address.get("country", ""),
    }


def main() -> None:
    """Do what is asked for; prints how long it took and how many accounts it were."""
    asked = json.loads(sys.argv[1])
    source, target = client(asked["source"]), client(asked["target"]) if asked["target"] else None
    query = f"SELECT {', '.join(asked['fields'])} FROM Account"  # noqa: S608 - fields that the bench names
    began = time.perf_counter()
    customers: list[dict[str, Any]] = []
    with tempfile.TemporaryFile("w") as file:
        for page in source.bulk2.Account.query(query, max_records=ROWS, wait=LOOK):
            found = [customer(row) for row in csv.DictReader(io.StringIO(page, newline=""))]
            file.writelines(f"{json.dumps(one)}\n" for one in found)
            customers += found
        file.flush()
        os.fsync(file.fileno())
    if target is not None:
        rows = [account(one) for one in customers]
        for job in target.bulk2.Account.upsert(records=rows, external_id_field="Billing_Id__c", wait=LOOK):
            told = target.bulk2.Account.get_all_ingest_records(job["job_id"])
            if told["failedRecords"] or told["unprocessedRecords"]:
                raise SystemExit("accounts were refused")
    seconds = time.perf_counter() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "accounts": len(customers)}) + "\n")


if __name__ == "__main__":
    main()
