"""Describes: what the org tells of its objects and their fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.schema import DECIMALS, Field, Kind

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
}


def brief(org: Org, kind: Kind, base: str) -> dict[str, Any]:
    """Give what the list of all objects says of one."""
    there = f"{base}/sobjects/{kind.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": kind.writable,
        "custom": kind.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": kind.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": kind.prefix,
        "label": kind.label,
        "labelPlural": kind.plural,
        "layoutable": True,
        "mergeable": kind.name in ("Account", "Contact"),
        "mruEnabled": True,
        "name": kind.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": kind.writable,
        "triggerable": kind.writable,
        "undeletable": kind.deletable,
        "updateable": kind.writable,
        "urls": {
            "rowTemplate": f"{there}/{{ID}}",
            "describe": f"{there}/describe",
            "sobject": there,
            **({"compactLayouts": f"{there}/describe/compactLayouts"} if kind.writable else {}),
        },
    }


def whole(org: Org, kind: Kind, base: str) -> dict[str, Any]:
    """Give everything of one object: its fields, the lists below it, and its record types."""
    children = [
        {
            "cascadeDelete": one.cascade,
            "childSObject": one.kind,
            "deprecatedAndHidden": False,
            "field": one.field,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
            "relationshipName": one.name,
            "restrictedDelete": not one.cascade and org.schema.get(one.kind).fields[one.field.lower()].required,
        }
        for one in org.schema.children(kind.name).values()
    ]
    return {
        "actionOverrides": [],
        **brief(org, kind, base),
        "childRelationships": sorted(children, key=lambda one: (one["childSObject"], one["field"])),
        "compactLayoutable": kind.writable,
        "fields": [field_of(kind, field) for field in kind.fields.values()],
        "namedLayoutInfos": [],
        "recordTypeInfos": [*_record_types(org, kind, base)],
        "searchLayoutable": kind.writable,
        "supportedScopes": [{"label": f"All {kind.plural.lower()}", "name": "everything"}],
    }


def _record_types(org: Org, kind: Kind, base: str) -> list[dict[str, Any]]:
    own = [
        (record.get("Name"), record.get("DeveloperName"), record.id, False)
        for record in org.store.rows("RecordType")
        if record.get("SobjectType") == kind.name
    ]
    master = ("Master", "Master", "012000000000000AAA", True)
    return [
        {
            "active": True,
            "available": True,
            "defaultRecordTypeMapping": name == "Master" if not own else place == 0,
            "developerName": developer,
            "master": is_master,
            "name": name,
            "recordTypeId": id,
            "urls": {"layout": f"{base}/sobjects/{kind.name}/describe/layouts/{id}"},
        }
        for place, (name, developer, id, is_master) in enumerate([*own, master])
    ]


def field_of(kind: Kind, field: Field) -> dict[str, Any]:
    """Give everything of one field."""
    number = field.type in DECIMALS
    long_text = field.type == "textarea" and field.length > 255
    text = not number and field.type not in ("boolean", "int", "date", "datetime", "address")
    length = field.length or (18 if field.type in ("reference", "id") else 0)
    return {
        "aggregatable": field.type not in ("boolean", "address", "multipicklist") and not long_text,
        "aiPredictionField": False,
        "autoNumber": bool(field.auto_number),
        "byteLength": length * 3 if text and field.type not in ("reference", "id") else length if text else 0,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": field.cascade,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": field.compound or None,
        "controllerName": None,
        "createable": field.create and kind.writable,
        "custom": field.custom,
        "defaultValue": field.default if not number else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": _is_set_on_create(field),
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": field.length if field.type == "int" else 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": field.external_id,
        "extraTypeInfo": None,
        "filterable": not long_text and field.type != "address",
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": not number and not long_text and field.type not in ("address", "datetime", "multipicklist"),
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": field.key,
        "inlineHelpText": None,
        "label": field.label,
        "length": length if text else 0,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": False,
        "nillable": not field.required and field.type != "boolean",
        "permissionable": not field.required and not field.computed,
        "picklistValues": [
            {
                "active": choice.active,
                "defaultValue": choice.default,
                "label": choice.value,
                "validFor": None,
                "value": choice.value,
            }
            for choice in field.choices
        ],
        "polymorphicForeignKey": False,
        "precision": field.precision if number else 0,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": list(field.refers_to),
        "relationshipName": field.relationship or None,
        "relationshipOrder": None,
        "restrictedDelete": False,
        "restrictedPicklist": field.restricted,
        "scale": field.scale if number else 0,
        "searchPrefilterable": field.type == "reference",
        "soapType": "xsd:double" if number else _SOAP.get(field.type, "xsd:string"),
        "sortable": not long_text and field.type not in ("address", "multipicklist"),
        "type": field.type,
        "unique": field.unique,
        "updateable": field.update and kind.writable,
        "writeRequiresMasterRead": False,
    }


def _is_set_on_create(field: Field) -> bool:
    return (
        field.type == "boolean"
        or (field.computed and field.required)
        or bool(field.auto_number)
        or any(choice.default for choice in field.choices)
        or field.name in ("OwnerId", "CurrencyIsoCode")
    )
