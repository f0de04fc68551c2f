"""Node-RED beside us: HTTP in, a function that checks and maps, an HTTP request to the target, the answer.

In full it does what we do besides, with the nodes that it comes with: the signature is verified (in a function, with
Node's own `crypto`), the event compared with its schema (by the node `json`), and what came and what was answered is
appended to a file (by the node `file`), which nothing syncs.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers import node_red

#: The file that it appends its records to, in its folder.
RECORDS = "records.jsonl"
_VERIFY = """
const crypto = global.get("crypto");
const wanted = crypto.createHmac("sha256", "%s").update(msg.payload).digest();
const given = Buffer.from(msg.req.headers.signature || "", "hex");
if (given.length !== wanted.length || !crypto.timingSafeEqual(given, wanted)) {
  msg.statusCode = 400;
  return [null, msg];
}
msg.schema = %s;
return [msg, null];
"""
_KEEP = """
msg.payload = { at: new Date().toISOString(), event: msg.event, sent: msg.sent, answer: msg.payload };
return msg;
"""
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
msg.event = event;
msg.sent = msg.payload;
return [msg, null];
"""
_SETTINGS = """
module.exports = {
  uiHost: "127.0.0.1", uiPort: %d, flowFile: "flows.json", httpAdminRoot: false, httpNodeRoot: "/",
  diagnostics: { enabled: false }, telemetry: { enabled: false }, functionExternalModules: false,
  functionGlobalContext: { crypto: require("crypto") },
  logging: { console: { level: "error", metrics: false, audit: false } },
};
"""


@contextmanager
def serving(folder: Path, sink: str, port: int, *, key: bytes, schema: Mapping[str, Any] | None) -> Iterator[str]:
    """Start Node-RED with the flow; gives the address that webhooks go to. Raises `Missing` where it cannot be had.

    With the schema of an event it does all that we do. Its requests keep their connections, which is faster, and
    which somebody has to choose in the editor.
    """
    node, script = node_red()
    folder.mkdir(parents=True, exist_ok=True)
    full = schema is not None
    flow: list[dict[str, Any]] = [
        {"id": "tab", "type": "tab", "label": "deliver"},
        {
            "id": "in",
            "type": "http in",
            "url": "/hook",
            "method": "post",
            "skipBodyParsing": full,
            "wires": [["verify" if full else "map"]],
        },
        {"id": "map", "type": "function", "func": _FUNCTION, "outputs": 2, "wires": [["send"], ["out"]]},
        {
            "id": "send",
            "type": "http request",
            "method": "POST",
            "ret": "obj",
            "url": f"{sink}/documents",
            "persist": True,
            "wires": [["keep" if full else "out"]],
        },
        {"id": "out", "type": "http response", "statusCode": "", "wires": []},
    ]
    if schema is not None:
        data = {name: each for name, each in schema.items() if name != "$schema"}
        event = {"type": "object", "required": ["id", "data"], "properties": {"data": data}}
        verify = _VERIFY % (key.decode(), json.dumps(event))
        flow += [
            {"id": "verify", "type": "function", "func": verify, "outputs": 2, "wires": [["read"], ["out"]]},
            {"id": "read", "type": "json", "property": "payload", "action": "obj", "wires": [["map"]]},
            {"id": "keep", "type": "function", "func": _KEEP, "outputs": 1, "wires": [["append"]]},
            {
                "id": "append",
                "type": "file",
                "filename": str(folder / RECORDS),
                "filenameType": "str",
                "appendNewline": True,
                "overwriteFile": "false",
                "wires": [["out"]],
            },
        ]
    flow = [node if node["type"] == "tab" else {**node, "z": "tab"} for node in flow]
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
