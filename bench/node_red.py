"""Node-RED with the same work: HTTP in, a function that checks and maps, an HTTP request to the target, the answer."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.peers import node_red

_FUNCTION = """
const event = msg.payload;
const invoice = event && event.data;
const wanted = ["id", "number", "currency", "customer", "total", "status_transitions", "lines"];
if (!invoice || wanted.some(name => invoice[name] === undefined)) { msg.statusCode = 400; return [null, msg]; }
const terms = { charge_automatically: "NET0", send_invoice: "NET30" };
const currency = invoice.currency.toUpperCase();
const lines = invoice.lines.data;
msg.payload = {
  id: invoice.id,
  number: invoice.number,
  currency: currency,
  customer_id: invoice.customer,
  customer_name: invoice.customer_name || "unnamed",
  city: invoice.customer_address.city,
  country: invoice.customer_address.country,
  issued_on: new Date(invoice.status_transitions.finalized_at * 1000).toISOString().slice(0, 10),
  terms: terms[invoice.collection_method] || "NET60",
  total: { minor: invoice.total, currency: currency },
  tax_total: { minor: invoice.total_taxes.reduce((sum, tax) => sum + tax.amount, 0), currency: currency },
  products: lines.map(line => line.pricing.price_details.product),
  taxed: lines.filter(line => line.taxes[0].amount > 0).map(line => line.id),
  label: invoice.number + " / " + invoice.metadata.order,
  lines: lines.map(line => ({
    id: line.id,
    product_id: line.pricing.price_details.product,
    quantity: line.quantity || 1,
    amount: { minor: line.amount, currency: currency },
  })),
};
msg.headers = { "content-type": "application/json", "idempotency-key": event.id };
return [msg, null];
"""
_SETTINGS = """
module.exports = {
  uiHost: "127.0.0.1", uiPort: %d, flowFile: "flows.json", httpAdminRoot: false, httpNodeRoot: "/",
  diagnostics: { enabled: false }, telemetry: { enabled: false }, functionExternalModules: false,
  logging: { console: { level: "error", metrics: false, audit: false } },
};
"""


@contextmanager
def serving(folder: Path, sink: str, port: int, *, kept: bool) -> Iterator[str]:
    """Start Node-RED with the flow; gives the address that webhooks go to. Raises `Missing` where it cannot be had.

    With `kept` its requests keep their connections, which somebody has to choose in the editor.
    """
    node, script = node_red()
    folder.mkdir(parents=True, exist_ok=True)
    flow = [
        {"id": "tab", "type": "tab", "label": "deliver"},
        {"id": "in", "z": "tab", "type": "http in", "url": "/hook", "method": "post", "wires": [["map"]]},
        {"id": "map", "z": "tab", "type": "function", "func": _FUNCTION, "outputs": 2, "wires": [["send"], ["out"]]},
        {
            "id": "send",
            "z": "tab",
            "type": "http request",
            "method": "POST",
            "ret": "obj",
            "url": f"{sink}/documents",
            "persist": kept,
            "wires": [["out"]],
        },
        {"id": "out", "z": "tab", "type": "http response", "statusCode": "", "wires": []},
    ]
    (folder / "flows.json").write_text(json.dumps(flow), encoding="utf-8")
    (folder / "settings.js").write_text(_SETTINGS % port, encoding="utf-8")
    process = subprocess.Popen(
        [str(node), str(script), "--userDir", str(folder), "--settings", str(folder / "settings.js")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/hook"
    try:
        _wait(process, url)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        try:
            request = urllib.request.Request(url, data=b"{}", headers={"content-type": "application/json"})  # noqa: S310
            urllib.request.urlopen(request, timeout=2)  # noqa: S310 - its own address
        except urllib.error.HTTPError as refused:
            if refused.code == 400:
                # It refuses an empty event: the flow is there.
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("Node-RED did not start.")
