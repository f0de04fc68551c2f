"""What objects and fields the org has: declared as data, and altered while it runs, as administrators do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Any

from connectors.salesforce.sandbox.schema_files import begin_with

#: The types whose values are numbers with decimals.
DECIMALS = frozenset({"currency", "double", "percent"})
#: The types whose values are texts in any form.
TEXTS = frozenset({"string", "textarea", "phone", "url", "email", "picklist", "multipicklist", "combobox"})
TYPES = TEXTS | DECIMALS | {"id", "reference", "int", "boolean", "date", "datetime", "address"}
_LENGTHS = {"phone": 40, "url": 255, "email": 80, "picklist": 255, "multipicklist": 4099, "string": 255, "id": 18}
#: Parts of an address, which are fields of their own.
_OF_ADDRESSES = ("Street", "City", "State", "PostalCode", "Country")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value of a picklist."""

    value: str
    active: bool = True
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field; `relationship` is the parent's name in a path, `children` the list's name seen from the parent.

    A `computed` field is never written by callers; `places` is how many digits stand before the decimal point.
    `compound` names the address that a field is a part of.
    """

    name: str
    type: str
    label: str
    length: int = 0
    precision: int = 0
    scale: int = 0
    required: bool = False
    unique: bool = False
    external_id: bool = False
    case_sensitive: bool = False
    create: bool = True
    update: bool = True
    computed: bool = False
    auto_number: str = ""
    refers_to: tuple[str, ...] = ()
    relationship: str = ""
    children: str = ""
    cascade: bool = False
    choices: tuple[Choice, ...] = ()
    restricted: bool = False
    default: Any = None
    name_field: bool = False
    compound: str = ""

    @property
    def custom(self) -> bool:
        """Tell whether administrators made it."""
        return self.name.endswith("__c")

    @property
    def key(self) -> bool:
        """Tell whether records can be found by it (`idLookup`)."""
        return self.external_id or self.type == "id"

    @property
    def places(self) -> int:
        """Give how many digits may stand before the decimal point."""
        return self.precision - self.scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One object: its fields by name in small letters, in the order in which describe lists them."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: Mapping[str, Field]
    writable: bool = True
    deletable: bool = True
    currency: bool = True
    owned: bool = True
    record_types: tuple[str, ...] = ()

    @property
    def custom(self) -> bool:
        """Tell whether administrators made it."""
        return self.name.endswith("__c")

    def field(self, name: str) -> Field | None:
        """Find a field; Salesforce does not mind capitals."""
        return self.fields.get(name.lower())

    @property
    def name_field(self) -> Field | None:
        """Give the field that names a record."""
        return next((one for one in self.fields.values() if one.name_field), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildList:
    """The records of `kind` whose `field` names a parent, under the `name` that the parent's describe lists."""

    name: str
    kind: str
    field: str
    cascade: bool


_DECLARED = frozenset(
    {
        "name",
        "type",
        "label",
        "length",
        "precision",
        "scale",
        "required",
        "unique",
        "externalId",
        "caseSensitive",
        "createable",
        "updateable",
        "computed",
        "autoNumber",
        "referenceTo",
        "relationshipName",
        "children",
        "cascadeDelete",
        "values",
        "restricted",
        "defaultValue",
        "nameField",
        "compound",
    }
)


def read_field(said: Mapping[str, Any]) -> Field:
    """Read the declaration of a field; raises `ValueError` with a sentence for one that makes no sense."""
    surplus = set(said) - _DECLARED
    if surplus:
        raise ValueError(f"A field does not have {', '.join(sorted(surplus))}; it may have {', '.join(_DECLARED)}.")
    name, type_ = str(said.get("name", "")), str(said.get("type", "string"))
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name of a field.")
    if type_ not in TYPES:
        raise ValueError(f"The field {name} cannot be a {type_}; known are {', '.join(sorted(TYPES))}.")
    computed = bool(said.get("computed", False) or said.get("autoNumber") or type_ == "address")
    default = said.get("defaultValue", False if type_ == "boolean" else None)
    return Field(
        name=name,
        type=type_,
        label=str(said.get("label", _label(name, type_))),
        length=int(said.get("length", _LENGTHS.get(type_, 0))),
        precision=int(said.get("precision", 18 if type_ in DECIMALS else 0)),
        scale=int(said.get("scale", 2 if type_ == "currency" else 0)),
        required=bool(said.get("required", False)),
        unique=bool(said.get("unique", False)),
        external_id=bool(said.get("externalId", False)),
        case_sensitive=bool(said.get("caseSensitive", False)),
        create=bool(said.get("createable", True)) and not computed,
        update=bool(said.get("updateable", True)) and not computed,
        computed=computed,
        auto_number=str(said.get("autoNumber", "")),
        refers_to=tuple(said.get("referenceTo", ())),
        relationship=str(said.get("relationshipName", _relationship(name) if type_ == "reference" else "")),
        children=str(said.get("children", "")),
        cascade=bool(said.get("cascadeDelete", False)),
        choices=tuple(_choice(one) for one in said.get("values", ())),
        restricted=bool(said.get("restricted", False)),
        default=Decimal(default) if type_ in DECIMALS and default is not None else default,
        name_field=bool(said.get("nameField", False)),
        compound=str(said.get("compound", "")),
    )


def _choice(said: Any) -> Choice:
    if isinstance(said, str):
        return Choice(value=said.removeprefix("*"), default=said.startswith("*"))
    return Choice(value=said["value"], active=said.get("active", True), default=said.get("default", False))


def _label(name: str, type_: str) -> str:
    plain = name.removesuffix("__c").replace("_", " ")
    if type_ == "reference":
        plain = plain.removesuffix("Id")
    spaced = "".join(
        f" {letter}" if letter.isupper() and place and plain[place - 1].islower() else letter
        for place, letter in enumerate(plain)
    )
    return f"{spaced} ID" if type_ == "reference" and not name.endswith("__c") else spaced


def _relationship(name: str) -> str:
    return f"{name[:-3]}__r" if name.endswith("__c") else name.removesuffix("Id")


def _system(*, owned: bool) -> list[Field]:
    """Give the fields that every object has beside its own."""
    user = {"type": "reference", "referenceTo": ["User"]}
    said: list[dict[str, Any]] = [
        {"name": "Id", "type": "id", "label": "Record ID", "computed": True, "required": True},
        {"name": "IsDeleted", "type": "boolean", "label": "Deleted", "computed": True},
        {"name": "CreatedDate", "type": "datetime", "computed": True, "required": True},
        {**user, "name": "CreatedById", "computed": True, "required": True},
        {"name": "LastModifiedDate", "type": "datetime", "computed": True, "required": True},
        {**user, "name": "LastModifiedById", "computed": True, "required": True},
        {"name": "SystemModstamp", "type": "datetime", "label": "System Modstamp", "computed": True, "required": True},
    ]
    if owned:
        said.append({**user, "name": "OwnerId", "label": "Owner ID", "required": True})
    return [read_field(one) for one in said]


def read_kind(name: str, said: Mapping[str, Any]) -> Kind:
    """Read the declaration of an object; raises `ValueError`."""
    if not name.isidentifier():
        raise ValueError(f"{name!r} is no name of an object.")
    owned = bool(said.get("owned", True))
    fields = [*_system(owned=owned), *(read_field(one) for one in said.get("fields", []))]
    record_types = tuple(said.get("recordTypes", ()))
    if record_types:
        target = {"referenceTo": ["RecordType"], "label": "Record Type ID"}
        fields.append(read_field({"name": "RecordTypeId", "type": "reference", **target}))
    label = str(said.get("label", _label(name, "")))
    return Kind(
        name=name,
        label=label,
        plural=str(said.get("plural", f"{label}s")),
        prefix=str(said["prefix"]),
        fields={field.name.lower(): field for field in fields},
        writable=bool(said.get("writable", True)),
        deletable=bool(said.get("deletable", True)),
        currency=bool(said.get("currency", True)),
        owned=owned,
        record_types=record_types,
    )


@cache
def _first() -> tuple[Kind, ...]:
    """Give the objects of an org that is new; nothing ever changes them, only takes their place."""
    return tuple(read_kind(name, said) for name, said in begin_with().items())


class Schema:
    """The objects of one org; `changed` is when (in milliseconds) each was altered last."""

    def __init__(self, *, now: int) -> None:
        """Begin with what every org has, in one currency."""
        self._kinds: dict[str, Kind] = {}
        self._prefixes: dict[str, Kind] = {}
        self._children: dict[str, dict[str, ChildList]] | None = None
        self._free = 0
        self.changed: dict[str, int] = {}
        #: Counts alterations, for whoever keeps something made of the schema.
        self.edition = 0
        #: In an org with several currencies every record that may have amounts has a code.
        self.multi_currency = False
        for kind in _first():
            self._put(kind, now)

    def __iter__(self) -> Iterator[Kind]:
        """Go through the objects by name."""
        return iter(sorted(self._kinds.values(), key=lambda kind: kind.name))

    def find(self, name: str) -> Kind | None:
        """Find an object; Salesforce does not mind capitals."""
        return self._kinds.get(name.lower())

    def get(self, name: str) -> Kind:
        """Give an object that is known to be there."""
        return self._kinds[name.lower()]

    def of_id(self, id: str) -> Kind | None:
        """Find the object that an id is of."""
        return self._prefixes.get(id[:3])

    def children(self, parent: str) -> Mapping[str, ChildList]:
        """Give the lists of records below an object, by their name in small letters."""
        if self._children is None:
            self._children = {}
            for kind in self._kinds.values():
                for field in kind.fields.values():
                    for target in field.refers_to if field.children else ():
                        found = ChildList(name=field.children, kind=kind.name, field=field.name, cascade=field.cascade)
                        self._children.setdefault(target.lower(), {})[field.children.lower()] = found
        return self._children.get(parent.lower(), {})

    def add_kind(self, name: str, said: Mapping[str, Any], *, now: int) -> None:
        """Add an object by its declaration; raises `ValueError`."""
        self._put(read_kind(name, {"prefix": self._free_prefix(), **said}), now)

    def put_field(self, name: str, said: Mapping[str, Any], *, now: int) -> Field:
        """Add a field to an object, or declare one anew; raises `ValueError`."""
        kind = self._known(name)
        before = kind.field(str(said.get("name", "")))
        field = read_field(said)
        if before is not None and before.computed and not field.computed:
            raise ValueError(f"{name}.{before.name} is Salesforce's own; it cannot be declared anew.")
        self._put(replace(kind, fields={**kind.fields, field.name.lower(): field}), now)
        return field

    def remove_field(self, name: str, field: str, *, now: int) -> Field:
        """Take a field out of an object, as when it is deleted or hidden from the user; raises `ValueError`."""
        kind = self._known(name)
        found = kind.field(field)
        if found is None:
            raise ValueError(f"{name} has no field {field}.")
        kept = [one for one in kind.fields.values() if one is not found]
        # An address is there as long as any part of it is.
        gone = [
            one.name
            for one in kept
            if one.type == "address"
            and not any(
                one.name.removesuffix("Address") + part in (other.name for other in kept) for part in _OF_ADDRESSES
            )
        ]
        self._put(replace(kind, fields={one.name.lower(): one for one in kept if one.name not in gone}), now)
        return found

    def put_choices(self, name: str, field: str, values: Sequence[Any], *, now: int) -> None:
        """Add values to a picklist, or change those it has; raises `ValueError`."""
        kind = self._known(name)
        found = kind.field(field)
        if found is None or found.type not in ("picklist", "multipicklist"):
            raise ValueError(f"{name} has no picklist {field}.")
        choices = {one.value: one for one in found.choices} | {one.value: one for one in map(_choice, values)}
        changed = replace(found, choices=tuple(choices.values()))
        self._put(replace(kind, fields={**kind.fields, found.name.lower(): changed}), now)

    def _known(self, name: str) -> Kind:
        kind = self.find(name)
        if kind is None:
            raise ValueError(f"The org has no object {name}.")
        return kind

    def _put(self, kind: Kind, now: int) -> None:
        self._kinds[kind.name.lower()] = self._prefixes[kind.prefix] = kind
        self._children = None
        # Each change has a second of its own, so that a caller who asks what changed since the last one hears of it.
        self.changed[kind.name] = max(now, self.changed.get(kind.name, 0) + 1000)
        self.edition += 1

    def _free_prefix(self) -> str:
        self._free += 1
        return f"a{self._free:02d}"
