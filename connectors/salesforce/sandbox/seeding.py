"""Seeds the org through the control API: records, schema, rules, settings, locks, users and apps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox import deleting, generating, guards
from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.org_data import as_administrator
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.schema import Field, Kind
from connectors.salesforce.sandbox.values import read_value, show_moment

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org


def seed(org: Org, wish: Mapping[str, Any]) -> Mapping[str, Any]:
    """Do what is wished, in the order of the list below; raises `ValueError` for what makes no sense.

    - `settings`: see `Settings`
    - `currencies` and `dated_rates`: the org becomes one with several currencies
    - `objects`: name → declaration of a custom object; `fields`: declarations with their `object`, which add a field
      or declare it anew; `remove_fields`: `Account.Region__c`, gone or hidden from the user; `picklist_values`:
      `object`, `field`, `values`
    - `users`: `Username`, `LastName`, `IsActive`; `apps`: `consumer_key`, `consumer_secret`, `certificate`, `run_as`
    - `generate`: how many `accounts`, `contacts`, `products`, `prices`, `opportunities`, `usage`, `orders`
    - `records`: bodies as the REST API takes them, each with its `type`; `ref` names one, and `@{ref}` means its id
    - `late_records`: the same, each with `seconds`: they were written so long ago, by a transaction that ends only now
    - `changes`: the same with an `id`, as people at the org make them; `delete`, `undelete`, `purge`: ids
    - `late_deletes`: `id` and `seconds`: deleted so long ago, by a transaction that ends only now
    - `empty_bin`: an administrator empties the whole recycle bin, and the log of deletions with it
    - `merge`: `into` an account or contact, `gone`: the ids of those that become one with it
    - `validation_rules`: `object`, `when`, `message`, `field`; `duplicate_rules`: `object`, `fields`, `name`, `block`
    - `locks`: id → for how many seconds somebody else holds the record
    - `subscriptions`: who gets outbound messages: `object`, `fields`, `url`, `on` (`insert`, `update`, `undelete`,
      `delete`), `when` (a condition), `session`
    - `calls`: how many calls of other applications count today; `revoke_sessions`
    """
    surplus = set(wish) - set(_STEPS)
    if surplus:
        raise ValueError(f"unknown wish {', '.join(sorted(surplus))}; known are {', '.join(_STEPS)}")
    answer: dict[str, Any] = {}
    org.acting = org.user_id
    try:
        with org.store.all_or_nothing():
            for name, step in _STEPS.items():
                if name in wish:
                    answer |= step(org, wish[name]) or {}
    except Refusal as refusal:
        raise ValueError(f"{refusal.code}: {refusal.message}") from refusal
    return answer


def _settings(org: Org, said: Mapping[str, Any]) -> None:
    org.settings.change(said)
    organization = org.store.get(org.organization_id)
    if organization is not None and organization.get("IsSandbox") is not org.settings.is_sandbox:
        values = {**organization.values, "IsSandbox": org.settings.is_sandbox}
        kind = org.schema.get("Organization")
        org.put(kind, organization.id, values, user=org.user_id, before=organization)


def _currency(org: Org, said: str) -> None:
    org.currencies.have_alone(str(said))


def _currencies(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    org.currencies.set_up(said)


def _dated_rates(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    org.currencies.add_dated(said)


def _objects(org: Org, said: Mapping[str, Any]) -> None:
    for name, declaration in said.items():
        org.schema.add_kind(name, declaration, now=org.now())
    if org.schema.multi_currency:
        org.currencies.spread()


def _fields(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    for declaration in said:
        own = {name: value for name, value in declaration.items() if name != "object"}
        field = org.schema.put_field(str(declaration.get("object")), own, now=org.now())
        kind = org.schema.get(str(declaration["object"]))
        _convert(org, kind, field)


def _convert(org: Org, kind: Kind, field: Field) -> None:
    """Bring what records have under a field's name into the field's new type; what does not fit is gone."""
    for record in [*org.store.rows(kind.name, deleted=True)]:
        value = record.get(field.name)
        if value is None:
            continue
        text = show_moment(value) if isinstance(value, int) and value > 10**11 else str(value)
        try:
            kept = read_value(field, text.lower() if isinstance(value, bool) else text, from_text=True)
        except Refusal:
            kept = None
        values = {**record.values, field.name: kept}
        if kept is None:
            del values[field.name]
        org.store.put(kind.name, record.id, values, deleted=record.deleted)
    # No record was changed by anybody: all of them keep their moments.
    org.store.table(kind.name).disordered()


def _remove_fields(org: Org, said: Sequence[str]) -> None:
    for path in said:
        name, _, field = path.partition(".")
        org.schema.remove_field(name, field, now=org.now())


def _picklist_values(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    for one in said:
        org.schema.put_choices(str(one["object"]), str(one["field"]), one["values"], now=org.now())


def _users(org: Org, said: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    kind, made = org.schema.get("User"), {}
    for one in said:
        standing = next((row for row in org.store.rows("User") if row.get("Username") == one["Username"]), None)
        defaults = {"IsActive": True, "Name": one.get("LastName", "User"), "Email": one["Username"]}
        values = {**(standing.values if standing else defaults), **one}
        id = standing.id if standing else org.ids.next(kind.prefix)
        made[str(one["Username"])] = org.put(kind, id, values, user=org.user_id, before=standing).id
    return {"users": made}


def _apps(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    for one in said:
        org.logins.register(one)


def _generate(org: Org, said: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"generated": generating.generate(org, said)}


def _records(org: Org, said: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    made: list[str] = []
    named: dict[str, str] = {}
    for one in said:
        body = {name: _meant(value, named) for name, value in one.items() if name not in ("type", "ref")}
        made.append(org.saver.insert(_kind(org, one), body, as_administrator(org)).id)
        if "ref" in one:
            named[str(one["ref"])] = made[-1]
    return {"records": made, "refs": named}


def _late_records(org: Org, said: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    made: list[str] = []
    for one in said:
        body = {name: value for name, value in one.items() if name not in ("type", "seconds")}
        record = org.saver.insert(_kind(org, one), body, as_administrator(org))
        org.store.backdate(record, round(float(one["seconds"])) * 1000)
        made.append(record.id)
    return {"late_records": made}


def _meant(value: Any, named: Mapping[str, str]) -> Any:
    if not isinstance(value, str) or not value.startswith("@{") or not value.endswith("}"):
        return value
    if value[2:-1] not in named:
        raise ValueError(f"records: nothing before is named {value[2:-1]!r}")
    return named[value[2:-1]]


def _changes(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    for one in said:
        body = {name: value for name, value in one.items() if name not in ("type", "id")}
        org.saver.update(_kind(org, one), str(one["id"]), body, as_administrator(org))


def _kind(org: Org, said: Mapping[str, Any]) -> Kind:
    kind = org.schema.find(str(said.get("type", "")))
    if kind is None:
        raise ValueError(f"there is no object {said.get('type')!r}")
    return kind


def _delete(org: Org, said: Sequence[str]) -> None:
    for id in said:
        kind = org.schema.of_id(read_id(id) or "")
        if kind is None:
            raise ValueError(f"delete: {id!r} is no id of a record")
        org.saver.delete(kind, id, as_administrator(org))


def _late_deletes(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    for one in said:
        _delete(org, [str(one["id"])])
        binned = org.store.in_bin(read_id(str(one["id"])) or "")
        if binned is not None:
            org.deletions.enter(org.store.backdate_deletion(binned, round(float(one["seconds"])) * 1000))


def _empty_bin(org: Org, said: bool) -> None:  # noqa: FBT001
    if not said:
        return
    for kind in org.schema:
        for record in list(org.store.table(kind.name).bin.values()):
            org.purge(record, user=org.user_id)
    org.deletions.forget()


def _merge(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    for one in said:
        for id in one["gone"]:
            into, gone = (org.store.get(read_id(str(each)) or "") for each in (one["into"], id))
            if into is None or gone is None:
                raise ValueError(f"merge: there is no record {id if gone is None else one['into']}")
            deleting.merge(org, into, gone, org.user_id)


def _undelete(org: Org, said: Sequence[str]) -> None:
    for id in said:
        org.saver.undelete(read_id(id) or "", as_administrator(org))


def _purge(org: Org, said: Sequence[str]) -> None:
    for id in said:
        record = org.store.in_bin(read_id(id) or "")
        if record is None:
            raise ValueError(f"purge: {id!r} is not in the recycle bin")
        org.purge(record, user=org.user_id)


def _validation_rules(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    org.validation_rules = [guards.read_validation_rule(org, one) for one in said]


def _duplicate_rules(org: Org, said: Sequence[Mapping[str, Any]]) -> None:
    org.duplicate_rules = [guards.read_duplicate_rule(org, one) for one in said]


def _locks(org: Org, said: Mapping[str, Any]) -> None:
    for id, seconds in said.items():
        org.locks[read_id(id) or id] = org.now() + round(float(seconds) * 1000)


def _subscriptions(org: Org, said: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {"subscriptions": [org.messages.subscribe(one).id for one in said]}


def _calls(org: Org, said: int) -> None:
    org.usage.others = int(said)


def _revoke_sessions(org: Org, said: bool) -> None:  # noqa: FBT001
    if said:
        org.logins.revoke_all()


_STEPS: dict[str, Callable[[Org, Any], Mapping[str, Any] | None]] = {
    "settings": _settings,
    "currency": _currency,
    "currencies": _currencies,
    "dated_rates": _dated_rates,
    "objects": _objects,
    "fields": _fields,
    "remove_fields": _remove_fields,
    "picklist_values": _picklist_values,
    "users": _users,
    "apps": _apps,
    "subscriptions": _subscriptions,
    "generate": _generate,
    "records": _records,
    "late_records": _late_records,
    "changes": _changes,
    "merge": _merge,
    "delete": _delete,
    "late_deletes": _late_deletes,
    "undelete": _undelete,
    "purge": _purge,
    "empty_bin": _empty_bin,
    "validation_rules": _validation_rules,
    "duplicate_rules": _duplicate_rules,
    "locks": _locks,
    "calls": _calls,
    "revoke_sessions": _revoke_sessions,
}
