"""The vendors' sandboxes as the demo holds them: started, seeded, troubled, and read."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hub.proof.faults import Gust, Plan
from hub.proof.http_json import Api
from hub.proof.processes import SANDBOX, Child, Processes

VENDORS = ("stripe", "netsuite", "tax")
#: Those of the scenario with a CRM and two ERPs.
ALL_VENDORS = (*VENDORS, "salesforce", "s4hana")
#: Connection → the connector whose sandbox it leads to, where that has another name.
CONNECTORS: Mapping[str, str] = {"tax": "avatax"}
#: Entries of a request log in one answer.
LOG_PAGE = 20_000


class Sandbox:
    """One vendor's sandbox; its faults are counted over all the plans it was given."""

    def __init__(self, vendor: str, child: Child) -> None:
        """Take a process that has told its addresses."""
        self.vendor = vendor
        self.url = str(child.hello["url"])
        self.pid = child.process.pid
        self.hello: Mapping[str, Any] = child.hello
        self.control = Api(str(child.hello["control_url"]))
        self._plan: list[Mapping[str, Any]] = []
        self._counted: Counter[str] = Counter()
        self._lock = threading.Lock()

    def seed(self, wish: Mapping[str, Any], *, timeout: float = 300) -> Any:
        """Create what is wished for; gives what was made."""
        return self.control.post("/_control/seed", wish, timeout=timeout)

    def books(self) -> Any:
        """Give everything the vendor accepted."""
        return self.control.get("/_control/books", timeout=120)

    def progress(self) -> Mapping[str, Any]:
        """Give what is still to happen by itself."""
        found: Mapping[str, Any] = self.control.get("/_control/health").get("progress", {})
        return found

    def requests(self) -> list[Any]:
        """Give the whole request log, oldest first."""
        found: list[Any] = []
        while True:
            since = found[-1]["n"] if found else 0
            page = self.control.get("/_control/requests", since=since, limit=LOG_PAGE, timeout=120)
            found.extend(page)
            if len(page) < LOG_PAGE:
                return found

    def trouble(self, plan: Plan) -> None:
        """Let these faults strike from now on, in place of earlier ones."""
        with self._lock:
            self._plan = list(plan)
            self._set(self._plan)

    def begin(self, gust: Gust) -> None:
        """Let a gust strike before everything else."""
        with self._lock:
            self._set([gust.entry(), *self._plan])

    def end(self) -> None:
        """Let the gust pass; what goes wrong all the time stays, but for what strikes only so many times."""
        with self._lock:
            struck = {*self._counted, *self._struck()}
            self._plan = [entry for entry in self._plan if "times" not in entry or entry["kind"] not in struck]
            self._set(self._plan)

    def add(self, plan: Plan) -> None:
        """Add faults before the others."""
        with self._lock:
            self._plan = [*plan, *self._plan]
            self._set(self._plan)

    def note(self, kind: str, times: int) -> None:
        """Count what struck without being a fault of a plan, such as a limit of the vendor's own."""
        with self._lock:
            self._counted[kind] += times

    def injected(self) -> dict[str, int]:
        """Count by kind what has really struck."""
        with self._lock:
            return dict(self._counted + Counter(self._struck()))

    def _struck(self) -> dict[str, int]:
        return {kind: int(number) for kind, number in self.control.get("/_control/faults")["injected"].items()}

    def _set(self, plan: Plan) -> None:
        # A new plan begins to count anew.
        self._counted.update(self._struck())
        self.control.post("/_control/faults", {"faults": list(plan)})


def start(processes: Processes, seed: int, vendors: Sequence[str] = VENDORS) -> dict[str, Sandbox]:
    """Start all of them at once."""
    launched = {
        vendor: processes.launch(f"sandbox-{vendor}", (*SANDBOX, CONNECTORS.get(vendor, vendor), "--seed", str(seed)))
        for vendor in vendors
    }
    return {vendor: Sandbox(vendor, processes.wait(f"sandbox-{vendor}", child)) for vendor, child in launched.items()}
