"""A shop's part of the small workspace: schemas that say much, and a mapping between them."""

from __future__ import annotations

ORDER = """\
{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "note": { "type": ["string", "null"] },
    "currency": { "type": "string" },
    "total": { "type": "integer", "x-unit": "minor" },
    "created": { "type": "integer", "x-unit": "unix-seconds" },
    "shipped_at": { "type": "string", "format": "date-time" },
    "address": {
      "type": ["object", "null"],
      "properties": { "town": { "type": "string" }, "country": { "type": ["string", "null"] } }
    },
    "items": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": { "sku": { "type": "string" }, "price": { "type": "number", "x-unit": "major" } }
      }
    }
  },
  "required": ["id", "currency", "total", "created", "items", "note", "shipped_at"]
}
"""
SALE = """\
{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "currency": { "type": "string" },
    "total": { "$ref": "#/$defs/money" },
    "major": { "type": "number", "x-unit": "major" },
    "sold_on": { "type": "string", "format": "date" },
    "remark": { "type": "string" },
    "to": { "type": "object", "properties": { "city": { "type": "string" }, "country": { "type": "string" } } },
    "rows": {
      "type": "array",
      "items": { "type": "object", "properties": { "sku": { "type": "string" }, "price": { "$ref": "#/$defs/money" } } }
    }
  },
  "required": ["id", "total", "sold_on"],
  "$defs": {
    "money": {
      "type": "object",
      "properties": { "minor": { "type": "integer", "x-unit": "minor" }, "currency": { "type": "string" } },
      "required": ["minor", "currency"]
    }
  }
}
"""
MAPPING = """\
mapping: shop/order_to_hub
version: 1
from: shop.order@1
to: canonical.sale@1
fields:
  id: id
  currency: upper(currency)
  total: money(total, currency)
  sold_on: date(created, 'UTC')
  remark: { value: note, default: none }
  to: { use: shop/address, of: address }
rows:
  each: items
  fields:
    sku: sku
    price: money_major(price, root().currency)
"""
FRAGMENT = """\
fragment: shop/address
fields:
  city: town
  country: { value: country, default: DE }
"""
EXAMPLES = """\
- example: an order without an address
  in: { id: o1, currency: eur, total: 100, created: 1764633600, note: null, items: [] }
  expect: { id: o1, total: { minor: 100, currency: EUR }, sold_on: "2025-12-02", remark: none, rows: [] }
"""
SERIES = """\
series: canonical.sale
title: Sales
owner: team:shop
compatibility: backward
versions:
  1: { note: the first }
"""

FILES = {
    "mappings/shop/order_to_hub.yaml": MAPPING,
    "mappings/shop/address.yaml": FRAGMENT,
    "mappings/shop/order_to_hub_examples.yaml": EXAMPLES,
    "schemas/shop.order@1.json": ORDER,
    "schemas/canonical.sale@1.json": SALE,
    "schemas/canonical.sale.yaml": SERIES,
}
