"""Products: their number is given from outside, so that S/4HANA itself takes each only once."""

from __future__ import annotations

from connectors.s4hana.changes import FOR_EVER, TRACE, Whole, place, same
from connectors.s4hana.failures import NOT_FOUND
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.odata.values import rows_of, wire_entity
from connectors.s4hana.reads import read
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.calls import Calls, Course
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.values import EffectKey, Idempotency, Request, Response

PRODUCTS = entity_set("API_PRODUCT_SRV", "A_Product")
SCHEMA = "s4hana.product@1"
WHOLE = Whole(entity=PRODUCTS, id="Product", owners=("Product",))
_OUTPUT = {
    "type": "object",
    "properties": {"id": {"type": "string", "description": "number of the product"}},
    "required": ["id"],
    "additionalProperties": False,
}


def request(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
    """Form the creation of a product under its own number."""
    if not record.get("Product"):
        raise FixData("A product needs its number in `Product`.", code="no-key", property="Product")
    formed = requests.creating(settings.base_url, PRODUCTS, wire_entity(PRODUCTS, record))
    return Request(method=formed.method, url=formed.url, headers={**formed.headers, TRACE: key}, body=formed.body)


def calls(settings: S4HanaSettings, formed: Request) -> Calls:
    """Go through the creation: where the number is taken, what stands under it is looked at."""
    try:
        return (yield formed)
    except FixData as refusal:
        if refusal.code == NOT_FOUND:
            raise
        standing = yield from _standing(settings, formed)
        if standing is None or not _is_made(formed, standing):
            raise
        return standing


def find(settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
    """Find the product under its number; another one there than was to be made is nobody's answer."""
    standing = yield from _standing(settings, formed)
    if standing is None:
        return None
    if not _is_made(formed, standing):
        raise FixData("Another product stands under this number.", code="taken", product=_number(formed))
    return result(standing)


def _standing(settings: S4HanaSettings, formed: Request) -> Course[Response | None]:
    try:
        return (yield requests.one(settings.base_url, PRODUCTS, {"Product": _number(formed)}))
    except FixData as refusal:
        # Only Gateway itself can say that there is none, and then it says why.
        if refusal.code != NOT_FOUND or not refusal.facts.get("error"):
            raise OutcomeUnknown("Nobody can say whether the product is there.", code="unreadable-answer") from refusal
        return None


def _number(formed: Request) -> str:
    return str(loads(formed.body)["Product"])


def _is_made(formed: Request, standing: Response) -> bool:
    written, shown = loads(formed.body), answers.raw_entity(PRODUCTS, standing)
    plain = {name: value for name, value in written.items() if name in PRODUCTS.properties}
    if not all(same(PRODUCTS, name, value, shown.get(name)) for name, value in plain.items()):
        return False
    names = {str(row.get("ProductDescription")) for row in rows_of(shown.get("to_Description") or [], "to_Description")}
    return all(str(row.get("ProductDescription")) in names for row in written.get("to_Description", ()))


def result(response: Response) -> Record:
    """Give the number of the product that was made, or stands already."""
    return {"id": str(answers.raw_entity(PRODUCTS, response)["Product"])}


def about(formed: Request, output: Record) -> bool:
    """Tell whether the answer is about the product that was to be made."""
    return place(f"A_Product('{output['id']}')") == place(f"A_Product('{_number(formed)}')")


CREATE = WriteOperation(
    name="product.create",
    title="Create a product under its number, with descriptions and sales organisations",
    input={"$ref": SCHEMA},
    output=_OUTPUT,
    idempotency=Idempotency.NATIVE,
    request=request,
    result=result,
    about=about,
    calls=calls,
    find=find,
    remembers=FOR_EVER,
)
UPDATE = WHOLE.operation(
    name="product.update",
    title="Change the fields of a product that are given",
    schema={"$ref": SCHEMA},
    form=lambda settings, record: record,
    bound=False,
)
READ = read(
    name="product.read",
    title="Read a product with its descriptions and sales organisations",
    entity=PRODUCTS,
    schema=SCHEMA,
    key={"id": "Product"},
    said={"id": "number of the product"},
)
