"""Resolving addresses: only of the United States and Canada, and a success also for one that nobody knows."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from connectors.avatax.sandbox.desk import read_body
from connectors.avatax.sandbox.fields import text
from connectors.avatax.sandbox.rates import is_known_region, jurisdictions
from connectors.avatax.sandbox.refusals import Refusal
from connectors.avatax.sandbox.sales import fold
from hub.sandbox.exact_json import json_answer

_FIELDS = {"line1": 50, "line2": 100, "line3": 100, "city": 50, "region": 50, "country": 50, "postalcode": 11}
_WIRE = {"postalcode": "postalCode"}
_COUNTRIES = frozenset({"US", "CA"})


async def resolve(request: web.Request) -> web.Response:
    """Resolve the address in the query or the body."""
    given = fold(dict(request.query) if request.method == "GET" else await read_body(request))
    if not isinstance(given, dict):
        raise Refusal("ModelStateInvalid", "The request body must be an object.")
    if set(given) - set(_FIELDS) - {"textcase", "latitude", "longitude"}:
        raise Refusal("ModelStateInvalid", "The address has fields that are not known.", refers_to="address")
    address = {name: text(given, name, longest) for name, longest in _FIELDS.items()}
    upper = text(given, "textcase", 10).lower() != "mixed"
    address["country"] = (address["country"] or "US").upper()
    answer: dict[str, Any] = {"address": _wire(address), "coordinates": {}}
    trouble = _trouble(address)
    if trouble is not None:
        summary, refers_to = trouble
        return json_answer(
            {
                **answer,
                "validatedAddresses": [],
                "resolutionQuality": "NotCoded",
                "taxAuthorities": [],
                "messages": [
                    {
                        "summary": summary,
                        "details": summary,
                        "refersTo": refers_to,
                        "severity": "Error",
                        "source": "Avalara.AvaTax.Services.Address",
                    }
                ],
            }
        )
    known = {name: value.upper() if upper else value for name, value in address.items()}
    known["region"] = address["region"].upper()
    if address["country"] == "US" and len(address["postalcode"]) == 5:
        known["postalcode"] += "-0001"
    place = {"latitude": 40.5, "longitude": -90.25}
    authorities = jurisdictions(address["country"], known["region"], {})
    return json_answer(
        {
            **answer,
            "validatedAddresses": [{"addressType": "StreetOrResidentialAddress", **_wire(known), **place}],
            "coordinates": place,
            "resolutionQuality": "Rooftop" if address["line1"] else "PostalCentroidGood",
            "taxAuthorities": [
                {
                    "avalaraId": authority.code,
                    "jurisdictionName": authority.name,
                    "jurisdictionType": authority.kind,
                    "signatureCode": authority.code[:4],
                }
                for authority in authorities
            ],
        }
    )


def _trouble(address: dict[str, str]) -> tuple[str, str] | None:
    """Tell why an address is not known, and of which field that is; None for one that is."""
    if address["country"] not in _COUNTRIES:
        return "Address validation is not supported for this country.", "Address.Country"
    if not address["region"] or not is_known_region(address["country"], address["region"].upper()):
        return "The state or province could not be determined.", "Address.Region"
    if not address["city"] and not address["postalcode"]:
        return "The address is not deliverable: a city or a postal code is needed.", "Address.City"
    # What begins so stands for a street that nobody knows, so that a client can meet one.
    if address["line1"].lower().startswith("unknown"):
        return "The address number is out of range.", "Address.Line0"
    return None


def _wire(address: dict[str, str]) -> dict[str, str]:
    return {_WIRE.get(name, name): value for name, value in address.items()}
