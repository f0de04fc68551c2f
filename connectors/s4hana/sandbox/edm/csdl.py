"""`$metadata` of OData v4: the description of a service as a CSDL document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import quoteattr

from connectors.s4hana.sandbox.edm.model import EntitySet, Navigation, Property, Service

_TYPES = {"Time": "TimeOfDay"}
_CORE, _CAPABILITIES = "Org.OData.Core.V1", "Org.OData.Capabilities.V1"
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
    yield from (_property(each, service) for each in entity_set.properties.values())
    if entity_set.messages:
        yield f'<Property Name="SAP__Messages" Type="Collection({service.namespace}.SAP__Message)" {_REQUIRED}/>'
    for navigation in entity_set.navigations.values():
        yield from _navigation(navigation, service)
    yield "</EntityType>"


def _property(property_: Property, service: Service) -> str:
    parts = [f'<Property Name="{property_.name}" Type="Edm.{_TYPES.get(property_.type, property_.type)}"']
    if not service.nullable(property_):
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
    """Tell what may be done with a set and its properties, and what an ETag is made of."""
    for each in entity_set.properties.values():
        if not each.updatable:
            term = "Immutable" if each.creatable else "Computed"
            yield (
                f'<Annotations Target="SAP__self.{entity_set.type}/{each.name}">'
                f'<Annotation Term="{_CORE}.{term}"/></Annotations>'
            )
    yield f'<Annotations Target="SAP__self.Container/{entity_set.name}">'
    yield from _restrictions(entity_set)
    own = entity_set.concurrency
    if own is not None or (entity_set.versioned and "_SalesOrder" in entity_set.navigations):
        path = own.name if own is not None else "_SalesOrder/LastChangeDateTime"
        yield f'<Annotation Term="{_CORE}.OptimisticConcurrency">{_paths([path])}</Annotation>'
    yield "</Annotations>"


def _restrictions(entity_set: EntitySet) -> Iterator[str]:
    every = entity_set.properties.values()
    by_value = "".join(
        f'<Record><PropertyValue Property="Property" PropertyPath="{each.name}"/>'
        '<PropertyValue Property="AllowedExpressions" String="MultiValue"/></Record>'
        for each in every
        if each.by_value
    )
    told = {
        "Insert": [
            _may("Insertable", entity_set.creatable),
            _of("RequiredProperties", _paths([each.name for each in every if each.required])),
        ],
        "Update": [
            _may("Updatable", entity_set.updatable),
            _of("NonUpdatableNavigationProperties", _paths(list(entity_set.navigations))),
        ],
        "Delete": [_may("Deletable", entity_set.deletable)],
        "Filter": [
            _of("NonFilterableProperties", _paths([each.name for each in every if not each.filterable])),
            _of("FilterExpressionRestrictions", f"<Collection>{by_value}</Collection>" if by_value else ""),
        ],
        "Sort": [_of("NonSortableProperties", _paths([each.name for each in every if not each.sortable]))],
    }
    made = "".join(
        f'<Record><PropertyValue Property="NavigationProperty" NavigationPropertyPath="{each.name}"/>'
        '<PropertyValue Property="InsertRestrictions"><Record><PropertyValue Property="Insertable" Bool="true"/>'
        "</Record></PropertyValue></Record>"
        for each in entity_set.navigations.values()
        if each.insertable
    )
    told["Navigation"] = [_of("RestrictedProperties", f"<Collection>{made}</Collection>" if made else "")]
    for name, values in told.items():
        if any(values):
            record = f"<Record>{''.join(values)}</Record>"
            yield f'<Annotation Term="{_CAPABILITIES}.{name}Restrictions">{record}</Annotation>'


def _may(name: str, value: object) -> str:
    return "" if value else f'<PropertyValue Property="{name}" Bool="false"/>'


def _of(name: str, collection: str) -> str:
    return f'<PropertyValue Property="{name}">{collection}</PropertyValue>' if collection else ""


def _paths(names: Sequence[str]) -> str:
    paths = "".join(f"<PropertyPath>{name}</PropertyPath>" for name in names)
    return f"<Collection>{paths}</Collection>" if names else ""
