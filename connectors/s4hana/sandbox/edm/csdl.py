"""`$metadata` of OData v4: the description of a service as a CSDL document."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from connectors.s4hana.sandbox.edm.model import EntitySet, Navigation, Property, Service

_TYPES = {"Time": "TimeOfDay"}
_MESSAGE = (
    ("code", "Edm.String", False),
    ("message", "Edm.String", False),
    ("target", "Edm.String", True),
    ("additionalTargets", "Collection(Edm.String)", False),
    ("transition", "Edm.Boolean", False),
    ("numericSeverity", "Edm.Byte", False),
    ("longtextUrl", "Edm.String", True),
)


def csdl(service: Service) -> str:
    """Write the document."""
    return "".join(_document(service))


def _document(service: Service) -> Iterator[str]:
    namespace = service.namespace
    yield (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx" '
        'xmlns="http://docs.oasis-open.org/odata/ns/edm"><edmx:DataServices>'
        f'<Schema Namespace={quoteattr(namespace)} Alias="SAP__self">'
    )
    for each in service.sets.values():
        yield from _type(each, service)
    yield '<ComplexType Name="SAP__Message">'
    yield from (
        f'<Property Name="{name}" Type="{kind}"{"" if nullable else chr(32) + _REQUIRED}/>'
        for name, kind, nullable in _MESSAGE
    )
    yield '</ComplexType><EntityContainer Name="Container">'
    for each in service.sets.values():
        yield f'<EntitySet Name="{each.name}" EntityType="{namespace}.{each.type}">'
        yield from (
            f'<NavigationPropertyBinding Path="{navigation.name}" Target="{navigation.target}"/>'
            for navigation in each.navigations.values()
        )
        yield "</EntitySet>"
    yield "</EntityContainer>"
    for each in service.sets.values():
        yield from _annotations(each)
    yield "</Schema></edmx:DataServices></edmx:Edmx>"


_REQUIRED = 'Nullable="false"'


def _type(entity_set: EntitySet, service: Service) -> Iterator[str]:
    yield f'<EntityType Name="{entity_set.type}"><Key>'
    yield from (f'<PropertyRef Name="{each.name}"/>' for each in entity_set.keys)
    yield "</Key>"
    yield from (_property(each) for each in entity_set.properties.values())
    if entity_set.messages:
        yield f'<Property Name="SAP__Messages" Type="Collection({service.namespace}.SAP__Message)" {_REQUIRED}/>'
    for navigation in entity_set.navigations.values():
        yield from _navigation(navigation, service)
    yield "</EntityType>"


def _property(property_: Property) -> str:
    parts = [f'<Property Name="{property_.name}" Type="Edm.{_TYPES.get(property_.type, property_.type)}"']
    if property_.key or property_.type in ("String", "Boolean"):
        parts.append(_REQUIRED)
    if property_.length is not None:
        parts.append(f'MaxLength="{property_.length}"')
    if property_.precision is not None:
        parts.append(f'Precision="{property_.precision}"')
    if property_.type == "Decimal" and property_.scale != 0:
        parts.append(f'Scale="{"variable" if property_.scale is None else property_.scale}"')
    return " ".join(parts) + "/>"


def _navigation(navigation: Navigation, service: Service) -> Iterator[str]:
    kind = f"{service.namespace}.{service.sets[navigation.target].type}"
    if navigation.many:
        yield f'<NavigationProperty Name="{navigation.name}" Type="Collection({kind})"/>'
        return
    required = f" {_REQUIRED}" if navigation.required else ""
    yield f'<NavigationProperty Name="{navigation.name}" Type="{kind}"{required}>'
    yield from (
        f'<ReferentialConstraint Property="{name}" ReferencedProperty="{name}"/>' for name in navigation.columns
    )
    yield "</NavigationProperty>"


def _annotations(entity_set: EntitySet) -> Iterator[str]:
    """Tell what an ETag is made of."""
    own = entity_set.concurrency
    path = own.name if own is not None else "_SalesOrder/LastChangeDateTime"
    if own is None and "_SalesOrder" not in entity_set.navigations:
        return
    yield (
        f'<Annotations Target="SAP__self.Container/{entity_set.name}">'
        '<Annotation Term="Org.OData.Core.V1.OptimisticConcurrency"><Collection>'
        f"<PropertyPath>{path}</PropertyPath></Collection></Annotation></Annotations>"
    )
