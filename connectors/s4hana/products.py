"""Products: their number is given from outside, so that S/4HANA itself takes each only once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from connectors.s4hana.changes import FOR_EVER, TRACE, Whole, same
from connectors.s4hana.failures import NOT_FOUND
from connectors.s4hana.marks import key_part
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.model import EntitySet, entity_set
from connectors.s4hana.odata.values import rows_of, wire_entity
from connectors.s4hana.reads import find_one, input_of, read, there
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.calls import Calls, Course
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData
from hub.sdk.exact_json import loads
from hub.sdk.values import EffectKey, Idempotency, Request, Response

PRODUCTS = entity_set("API_PRODUCT_SRV", "A_Product")
SCHEMA = "s4hana.product@1"


def _untouched(row: Mapping[str, Any]) -> bool:
    """Tell whether a product that names its id in another system was changed by nobody since it was made."""
    return not row.get("LastChangeDate") and bool(row.get("ProductOldID"))


WHOLE = Whole(entity=PRODUCTS, id="Product", owners=("Product",), is_the_hubs_own=_untouched)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """What is made under a key that is given from outside: its set, and output field → property of the key."""

    entity: EntitySet
    gives: Mapping[str, str]

    def request(self, settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
        """Form the creation under its own key."""
        missing = [name for name in self.entity.keys if not record.get(name)]
        if missing:
            raise FixData(f"It needs its key in `{missing[0]}`.", code="no-key", property=missing[0])
        formed = requests.creating(settings.base_url, self.entity, wire_entity(self.entity, record))
        return replace(formed, headers={**formed.headers, TRACE: key})

    def calls(self, settings: S4HanaSettings, formed: Request) -> Calls:
        """Go through the creation: where the key is taken, what stands under it is looked at."""
        try:
            return (yield formed)
        except FixData as refusal:
            if refusal.code == NOT_FOUND:
                raise
            standing = yield from self._standing(settings, formed)
            if standing is None or not self._is_made(formed, standing):
                raise
            return standing

    def find(self, settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
        """Find it under its key; another one there than was to be made is nobody's answer."""
        standing = yield from self._standing(settings, formed)
        if standing is None:
            return None
        if not self._is_made(formed, standing):
            raise FixData("Another one stands under this key.", code="taken", **self._told(loads(formed.body)))
        return self.result(standing)

    def result(self, response: Response) -> Record:
        """Give the key of what was made, or stands already."""
        return self._told(answers.raw_entity(self.entity, response))

    def about(self, formed: Request, output: Record) -> bool:
        """Tell whether the answer is about what was to be made."""
        wanted = self._told(loads(formed.body))
        return all(
            key_part(self.gives[name], output[name]) == key_part(self.gives[name], value)
            for name, value in wanted.items()
        )

    def operation(self, *, name: str, title: str, input: JsonSchema, said: Mapping[str, str]) -> WriteOperation:
        """Declare the creation; `said` describes the fields of the output."""
        return WriteOperation(
            name=name,
            title=title,
            input=input,
            output=input_of(said),
            idempotency=Idempotency.NATIVE,
            request=self.request,
            result=self.result,
            about=self.about,
            calls=self.calls,
            find=self.find,
            remembers=FOR_EVER,
        )

    def _told(self, row: Mapping[str, Any]) -> dict[str, str]:
        return {field: str(row[property]) for field, property in self.gives.items()}

    def _standing(self, settings: S4HanaSettings, formed: Request) -> Course[Response | None]:
        body = loads(formed.body)
        return (yield from there(settings.base_url, self.entity, {name: body[name] for name in self.entity.keys}))

    def _is_made(self, formed: Request, standing: Response) -> bool:
        # Read first, so that what is of another type is no difference but no answer.
        answers.one(self.entity, standing)
        written, shown = loads(formed.body), answers.raw_entity(self.entity, standing)
        plain = {name: value for name, value in written.items() if name in self.entity.properties}
        if not all(same(self.entity, name, value, shown.get(name)) for name, value in plain.items()):
            return False
        texts = rows_of(shown.get("to_Description") or [], "to_Description")
        names = {str(row.get("ProductDescription")) for row in texts}
        return all(str(row.get("ProductDescription")) in names for row in written.get("to_Description", ()))


CREATE = Keyed(entity=PRODUCTS, gives={"id": "Product"}).operation(
    name="product.create",
    title="Create a product under its number, with descriptions and sales organisations",
    input={"$ref": SCHEMA},
    said={"id": "number of the product"},
)
EXTEND = Keyed(
    entity=entity_set("API_PRODUCT_SRV", "A_ProductSalesDelivery"),
    gives={"id": "Product", "organisation": "ProductSalesOrg"},
).operation(
    name="product.extend",
    title="Let a product be sold in one more sales organisation",
    input={"$ref": "s4hana.product_sales@1"},
    said={"id": "number of the product", "organisation": "where it is sold from now on"},
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
FIND = find_one(
    name="product.find",
    title="Find a product by its number or its number elsewhere, or nothing",
    entity=PRODUCTS,
    query="s4hana.product_query@1",
    schema=SCHEMA,
    called={"id": "Product", "old_id": "ProductOldID"},
)
