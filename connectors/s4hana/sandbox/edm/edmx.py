"""`$metadata` of OData v2: the description of a service as an EDMX document with SAP's annotations."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from connectors.s4hana.sandbox.edm.model import EntitySet, Navigation, Property, Service

_TYPES = {"Date": "Edm.DateTime"}


def edmx(service: Service) -> str:
    """Write the document."""
    return "".join(_document(service))


def _document(service: Service) -> Iterator[str]:
    namespace = service.namespace
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield (
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" '
        'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" '
        'xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices m:DataServiceVersion="2.0">'
    )
    yield (
        f'<Schema Namespace={quoteattr(namespace)} xml:lang="en" sap:schema-version="1" '
        'xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
    )
    for each in service.sets.values():
        yield from _type(each, namespace)
    for name, properties in service.complexes.items():
        yield f"<ComplexType Name={quoteattr(name)}>"
        yield from (_property(each, required=True) for each in properties.values())
        yield "</ComplexType>"
    for each in service.sets.values():
        for navigation in each.navigations.values():
            yield from _association(each, service.sets[navigation.target], navigation, namespace)
    yield f'<EntityContainer Name="{namespace}_Entities" m:IsDefaultEntityContainer="true" '
    yield 'sap:supported-formats="json">'
    for each in service.sets.values():
        yield _set(each, namespace)
    for each in service.sets.values():
        for navigation in each.navigations.values():
            yield (
                f'<AssociationSet Name="{_name(each, navigation)}_Set" '
                f'Association="{namespace}.{_name(each, navigation)}">'
                f'<End EntitySet="{each.name}" Role="From_{_name(each, navigation)}"/>'
                f'<End EntitySet="{navigation.target}" Role="To_{_name(each, navigation)}"/></AssociationSet>'
            )
    yield from _functions(service)
    yield "</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"


def _type(entity_set: EntitySet, namespace: str) -> Iterator[str]:
    semantics = ' sap:semantics="aggregate"' if entity_set.aggregate else ""
    yield f'<EntityType Name="{entity_set.type}"{semantics} sap:content-version="1"><Key>'
    yield from (f'<PropertyRef Name="{each.name}"/>' for each in entity_set.keys)
    yield "</Key>"
    yield from (_property(each) for each in entity_set.properties.values())
    for navigation in entity_set.navigations.values():
        name = _name(entity_set, navigation)
        yield (
            f'<NavigationProperty Name="{navigation.name}" Relationship="{namespace}.{name}" '
            f'FromRole="From_{name}" ToRole="To_{name}"/>'
        )
    yield "</EntityType>"


def _property(property_: Property, *, required: bool = False) -> str:
    parts = [f'<Property Name="{property_.name}" Type="{_TYPES.get(property_.type, f"Edm.{property_.type}")}"']
    if property_.key or required:
        parts.append('Nullable="false"')
    if property_.length is not None:
        parts.append(f'MaxLength="{property_.length}"')
    if property_.type in ("Date", "Time"):
        parts.append('Precision="0"')
    if property_.precision is not None:
        parts.append(f'Precision="{property_.precision}"')
    if property_.type == "Decimal":
        parts.append(f'Scale="{property_.scale}"')
    if property_.concurrency:
        parts.append('ConcurrencyMode="Fixed"')
    if property_.type == "Date":
        parts.append('sap:display-format="Date"')
    elif property_.digits:
        parts.append('sap:display-format="NonNegative"')
    elif property_.alpha:
        parts.append('sap:display-format="UpperCase"')
    if property_.role:
        parts.append(f'sap:aggregation-role="{property_.role}"')
    if property_.unit:
        parts.append(f'sap:unit="{property_.unit}"')
    able = {
        "creatable": property_.creatable,
        # A key that may be given is changed by nobody, which needs no word.
        "updatable": property_.updatable or (property_.key and property_.creatable),
        "sortable": property_.sortable,
        "filterable": property_.filterable,
    }
    parts += [f'sap:{name}="false"' for name, may in able.items() if not may]
    return " ".join(parts) + "/>"


def _association(one: EntitySet, other: EntitySet, navigation: Navigation, namespace: str) -> Iterator[str]:
    name = _name(one, navigation)
    far = "*" if navigation.many else "1" if navigation.required else "0..1"
    yield f'<Association Name="{name}" sap:content-version="1">'
    yield f'<End Type="{namespace}.{one.type}" Multiplicity="{"1" if navigation.many else "*"}" Role="From_{name}"/>'
    yield f'<End Type="{namespace}.{other.type}" Multiplicity="{far}" Role="To_{name}"/>'
    yield "</Association>"


def _set(entity_set: EntitySet, namespace: str) -> str:
    abilities = (
        ("creatable", entity_set.creatable),
        ("updatable", entity_set.updatable),
        ("deletable", entity_set.deletable),
    )
    closed = "".join(f' sap:{name}="false"' for name, may in abilities if not may)
    return (
        f'<EntitySet Name="{entity_set.name}" EntityType="{namespace}.{entity_set.type}"{closed} '
        'sap:content-version="1"/>'
    )


def _functions(service: Service) -> Iterator[str]:
    for function in service.functions.values():
        kind = f"{service.namespace}.{function.returns}"
        yield (
            f'<FunctionImport Name="{function.name}" ReturnType="{f"Collection({kind})" if function.many else kind}" '
            f'm:HttpMethod="{function.method}">'
        )
        for each in function.parameters.values():
            yield f'<Parameter Name="{each.name}" Type="Edm.{each.type}" Mode="In" MaxLength="{each.length or 0}"/>'
        yield "</FunctionImport>"


def _name(entity_set: EntitySet, navigation: Navigation) -> str:
    return f"assoc_{entity_set.name}_{navigation.name}"
