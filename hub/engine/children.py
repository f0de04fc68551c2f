"""What a run starts: events of the hub's own, which other flows may want, and runs of flows that it calls."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from hub.engine.earlier import Earlier, called_differently, told_differently
from hub.engine.outputs import Output
from hub.engine.parts import Parts
from hub.engine.readings import source_of
from hub.engine.routing import Routing, route, stored_scope
from hub.engine.values import Scope, shaped
from hub.errors import FixData, WaitFor
from hub.model.ambient import to_micros
from hub.model.event import EventState, Via
from hub.model.flow import Emit, Subflow
from hub.model.run import RunState
from hub.sdk import exact_json
from hub.store import cases, children, events, runs
from hub.store.committer import Transaction, Work
from hub.store.events import Accept
from hub.store.history import Lease, child_topic, hindered
from hub.store.lineage import replayed
from hub.store.replays import highest_generation, newer_generations
from hub.workspace.bundle import Bundle

#: Who tells of the hub's own events, in the place of a connection.
OWN = "concord"
#: Gives the approvals under which a step may go on; raises when one of them does not hold.
Under = Callable[[], Awaitable[tuple[str, ...]]]
_ENDED = frozenset({RunState.SUCCEEDED, RunState.CANCELLED, RunState.COMPENSATED})


class ChildPending(WaitFor):
    """The flow that was called has not come to its end."""

    code = "child-pending"
    kind = "child"


@dataclass(frozen=True, slots=True, kw_only=True)
class Children:
    """What one run starts; named as its effects are, so that a replay neither tells nor calls anything twice."""

    parts: Parts
    run: Mapping[str, Any]
    earlier: Earlier

    async def emit(self, bundle: Bundle, path: str, action: Emit, scope: Scope, under: Under) -> Output:
        """Make the event durable with the runs that it starts, once."""
        known = self._told(path)
        if known is None:
            row = self._event(
                bundle, action, scope, name=self._name(path), type=action.type, subject=_subject(action, scope)
            )
            routing = self._route(self.parts.current(), row)
            await under()
            row["state"] = (EventState.ACCEPTED if routing.runs else EventState.UNROUTED).value
            if routing.failed:
                row["flags"] = exact_json.dumps(
                    {"flows": {flow: {"code": why.code, "detail": why.detail} for flow, why in routing.failed.items()}}
                ).decode()
            await self._accept(row, routing)
            # Another run about the same thing may have been first.
            known = self._told(path)
            assert known is not None
        self._assert_told_alike(bundle, path, action, scope, known)
        return Output(value={"id": known["external_id"]}, input={"type": action.type})

    async def call(self, bundle: Bundle, path: str, action: Subflow, scope: Scope, under: Under) -> Output:
        """Give what the called flow has given; raises `ChildPending` until its end, and `FixData` if it has none."""
        child = self._child(path, action.flow)
        if child is None:
            self.earlier.assert_none_elsewhere(path, None, bundle.flows[self.run["flow"]].steps)
            await self._begin(bundle, path, action, scope, await under())
            child = self._child(path, action.flow)
            assert child is not None
        self._assert_as_now(bundle, path, action, scope, child)
        parent = {"parent_run": child["parent_run"], "parent_path": child["parent_path"]}
        own = {"parent_run": self.run["id"], "parent_path": path}
        if parent != own and self._is_of_line(child["parent_run"]):
            await self._adopt(child["id"], path)
            parent = own
        state = RunState(child["state"])
        if state is RunState.PARKED and self._is_settled(child, path, action.flow):
            raise FixData(
                f"The exception of the flow {action.flow} was closed by hand, and it will give nothing.",
                code="child-closed",
                child=child["id"],
            )
        if state not in _ENDED:
            raise ChildPending(
                f"The flow {action.flow} has not come to its end.",
                on=child_topic(**parent),
                come=partial(children.has_ended, **parent),
                child=child["id"],
            )
        if state is not RunState.SUCCEEDED:
            code = "child-cancelled" if state is RunState.CANCELLED else "child-taken-back"
            raise FixData(f"The flow {action.flow} was {state.value}.", code=code, child=child["id"])
        given = None if child["output"] is None else exact_json.loads(child["output"])
        return Output(value=given, input={"flow": action.flow, "run": child["id"]})

    def _is_of_line(self, run_id: str) -> bool:
        """Tell whether this run replays the one that called a flow.

        What any other run has called stays its own: it alone takes that back, and this one reads what it came to.
        """
        return run_id in replayed(self.parts.database.looking, self.run["replay_of"])

    def _is_settled(self, child: Mapping[str, Any], path: str, flow: str) -> bool:
        """Tell whether a person has closed the exception of a called flow that stopped: nothing moves it any more."""
        if cases.is_open(self.parts.database.looking, child["id"]):
            return False
        # An order that has moved it since has closed the exception in the same moment.
        now = self._child(path, flow)
        return now is not None and (now["id"], now["state"]) == (child["id"], child["state"])

    def _assert_as_now(
        self, bundle: Bundle, path: str, action: Subflow, scope: Scope, child: Mapping[str, Any]
    ) -> None:
        """Raise `StandsAlready` when a flow was called with another record than it would be now.

        Where a person has edited the record of the called run, that one counts as well.
        """
        if RunState(child["state"]) is RunState.COMPENSATED:
            return
        looking = self.parts.database.looking
        told, own = self._told(path), events.find(looking, child["event_id"])
        if told is not None and not self.earlier.is_of_another(told["cause"], told["received_at"]):
            return
        hashes = {event["body_hash"] for event in (told, own) if event is not None}
        now = self._event(bundle, action, scope, name="", type="", subject=self.run["key"])
        if now["body_hash"] not in hashes:
            raise called_differently(path, action.flow, child["id"])

    def _assert_called_alike(self, path: str, action: Subflow, row: Mapping[str, Any]) -> None:
        """Raise `StandsAlready` where new effects were ordered, and the flow was called with something else before.

        What was called has effects of its own, which are recognised: nobody has ordered these anew.
        """
        if not self.earlier.differs:
            return
        looking = self.parts.database.looking
        before = children.child_of_line(looking, replayed(looking, self.run["replay_of"]), parent_path=path)
        if before is None or before["state"] == RunState.COMPENSATED:
            return
        event = events.find(looking, before["event_id"])
        if event is not None and event["body_hash"] != row["body_hash"]:
            raise called_differently(path, action.flow, before["id"])

    def _child(self, path: str, flow: str) -> Mapping[str, Any] | None:
        looking = self.parts.database.looking
        found = children.child(looking, parent_run=self.run["id"], parent_path=path)
        if found is None:
            # The run that this one replays may have called it, or another one about the same thing.
            event = self._told(path)
            found = None if event is None else children.newest_of_event(looking, event["id"], flow)
        return found

    def _told(self, path: str) -> Mapping[str, Any] | None:
        """Give the event that a step has told: that of the newest order to do it once more, in whichever run."""
        looking = self.parts.database.looking
        for generation in (*newer_generations(looking, self.run), self.run["generation"]):
            name = self._name(path, generation)
            event = events.by_name(looking, self._environment, OWN, name)
            if event is not None:
                return event
        return None

    def _assert_told_alike(
        self, bundle: Bundle, path: str, action: Emit, scope: Scope, known: Mapping[str, Any]
    ) -> None:
        """Raise `StandsAlready` when another event was told than would be now."""
        if not self.earlier.is_of_another(known["cause"], known["received_at"]):
            return
        now = self._event(bundle, action, scope, name="", type=action.type, subject=_subject(action, scope))
        if any(now[part] != known[part] for part in ("type", "subject", "body_hash")):
            raise told_differently(path, action.type, known["id"])

    async def _begin(
        self, bundle: Bundle, path: str, action: Subflow, scope: Scope, approvals: tuple[str, ...]
    ) -> None:
        row = self._event(
            bundle, action, scope, name=self._name(path), type=f"{OWN}.flow.{action.flow}", subject=self.run["key"]
        )
        self._assert_called_alike(path, action, row)
        routing = self._route(bundle, row)
        failed = routing.failed.get(action.flow)
        if failed is not None or not routing.runs:
            detail = failed.detail if failed is not None else "The flow does not exist in this revision."
            raise FixData(
                f"The flow {action.flow} could not begin: {detail}",
                code=failed.code if failed is not None else "unknown-flow",
                flow=action.flow,
            )
        for run in routing.runs:
            run |= {
                "parent_run": self.run["id"],
                "parent_path": path,
                "approvals": exact_json.dumps(list(approvals)).decode() if approvals else None,
                "priority": max(run["priority"], self.run["priority"]),
                "generation": self._generation(path, run),
            }
        await self._accept(row, routing)

    async def _accept(self, row: Mapping[str, Any], routing: Routing) -> None:
        accept = Accept(event=row, runs=routing.runs, actor=self.parts.worker, caller=self._lease)
        await self.parts.committer.commit(accept)

    def _generation(self, path: str, run: Mapping[str, Any]) -> int:
        """Give the generation of a called run: a newer one where what the run before it did was taken back."""
        looking = self.parts.database.looking
        before = children.child_of_line(looking, replayed(looking, self.run["replay_of"]), parent_path=path)
        if before is None:
            return 0
        if before["state"] == RunState.COMPENSATED:
            return highest_generation(looking, run) + 1
        return int(before["generation"])

    async def _adopt(self, child: str, path: str) -> None:
        def adopt(transaction: Transaction) -> None:
            # Who has lost the run would take the called flow from the one that waits for it by now.
            for error in hindered(transaction, [self._lease]).values():
                raise error
            before = runs.find(transaction.connection, child)
            children.adopt(transaction, child, parent_run=self.run["id"], parent_path=path)
            if before is not None and before["parent_run"] is not None:
                # Others about the same thing may wait for its end under the name of the one that had called it.
                runs.wake(transaction, [child_topic(before["parent_run"], before["parent_path"])])

        await self.parts.committer.commit(Work(adopt, patient=True))

    @property
    def _lease(self) -> Lease:
        return Lease(self.run["id"], self.run["epoch"])

    @property
    def _environment(self) -> str:
        environment: str = self.run["environment"]
        return environment

    def _name(self, path: str, generation: int | None = None) -> str:
        generation = self.run["generation"] if generation is None else generation
        return told_name(self._environment, self.run["flow"], self.run["business_key"], path, generation=generation)

    def _event(
        self, bundle: Bundle, action: Emit | Subflow, scope: Scope, *, name: str, type: str, subject: Any
    ) -> dict[str, Any]:
        if action.shape is None:
            record = action.of(scope) if action.of is not None else scope["record"]
        else:
            source = source_of(bundle, action.of, action.shape, scope)
            record = shaped(bundle, action.shape, source, action.given, scope)
        if not isinstance(subject, str):
            raise FixData("The subject of the event is not a text.", code="no-subject", value=repr(subject)[:80])
        data, now = {"record": record}, to_micros(self.parts.ambient.now())
        return {
            "id": self.parts.ambient.new_id("event"),
            "environment": self._environment,
            "connection": OWN,
            "external_id": name,
            "type": type,
            "subject": subject,
            "schema": bundle.mappings[action.shape].target if action.shape is not None else None,
            "occurred_at": now,
            "received_at": now,
            "via": Via.FLOW.value,
            "state": EventState.ACCEPTED.value,
            "deliveries": 0,
            "data": exact_json.dumps(data).decode(),
            "record_key": "record",
            "body_hash": hashlib.sha256(exact_json.canonical(data)).hexdigest(),
            "entity": self.run["entity"],
            "cause": self.run["id"],
            "reason": None,
            "flags": None,
        }

    def _route(self, bundle: Bundle, row: Mapping[str, Any]) -> Routing:
        return route(
            bundle,
            stored_scope(row),
            event_id=row["id"],
            environment=self._environment,
            now=self.parts.ambient.now(),
            new_id=lambda: self.parts.ambient.new_id("run"),
            # Who ordered this run has ordered what follows from it.
            ordered_by=self.run["ordered_by"],
        )


def _subject(action: Emit, scope: Scope) -> Any:
    return action.subject(scope) if action.subject is not None else ""


def told_name(environment: str, flow: str, business_key: str, path: str, *, generation: int) -> str:
    """Give the id of the event that a step tells, the same in every run about the same thing."""
    parts = (environment, flow, business_key, path, str(generation))
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
