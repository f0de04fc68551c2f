"""Refusals in SAP's words: a business or framework code, a message, and details, rendered for v2 and v4."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.s4hana.sandbox.odata.exchange import Reply, json_reply

#: Codes of Gateway's framework. Those of the parser and of conversions are not documented; these are the sandbox's.
NO_SERVICE = "/IWFND/MED/170"
NOT_FOUND = "/IWBEP/CM_MGW_RT/020"
BAD_REQUEST = "/IWBEP/CM_MGW_RT/021"
NO_METHOD = "/IWFND/CM_MGW/088"
CHANGED_MEANWHILE = "/IWBEP/CM_MGW_RT/190"
PRECONDITION = "/IWBEP/CM_MGW_RT/194"
PRECONDITION_V4 = "/IWBEP/CM_V4_APPS/017"
CHANGED_MEANWHILE_V4 = "/IWBEP/CM_V4_RUNTIME/047"
FORBIDDEN = "/IWFND/CM_CONSUMER/101"
NO_FILTER = "/IWBEP/CM_MGW_RT/176"
NO_PROPERTY = "/IWBEP/CM_MGW_RT/177"
NO_SEGMENT = "005056A509B11EE1B9A8FEC11C21578E"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One line of a log: T100 class and number, the text, its severity and what it is about."""

    code: str
    text: str
    severity: str = "error"
    target: str = ""

    def in_v2(self) -> dict[str, str]:
        """Give the line of `errordetails`, or of the header `sap-message`."""
        shown = {"code": self.code, "message": self.text, "propertyref": "", "severity": self.severity}
        return {**shown, "target": self.target}


class Refusal(Exception):
    """A request that is not executed; `messages` come before the generic last detail."""

    def __init__(
        self, text: str, *, code: str = BAD_REQUEST, status: int = 400, target: str = "", more: tuple[Message, ...] = ()
    ) -> None:
        """Take the message, its code and the HTTP status."""
        super().__init__(text)
        self.text = text
        self.code = code
        self.status = status
        self.target = target
        self.more = more
        self.headers: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Where something went wrong: service, component, transaction id and the time as Gateway writes it."""

    service: str = ""
    component: str = ""
    transaction: str = ""
    timestamp: str = ""


def in_v2(refusal: Refusal, scene: Scene) -> Reply:
    """Answer as Gateway does in OData v2; business errors end with the generic exception class."""
    first = Message(code=refusal.code, text=refusal.text, target=refusal.target)
    details = [each.in_v2() for each in (first, *refusal.more)]
    if not refusal.code.startswith("/IW"):
        generic = Message(code="/IWBEP/CX_MGW_BUSI_EXCEPTION", text="An exception was raised")
        details.append(generic.in_v2())
    body = {
        "error": {
            "code": refusal.code,
            "message": {"lang": "en", "value": refusal.text},
            "innererror": {
                "application": {
                    "component_id": scene.component,
                    "service_namespace": "/SAP/",
                    "service_id": scene.service,
                    "service_version": "0001",
                },
                "transactionid": scene.transaction,
                "timestamp": scene.timestamp,
                "Error_Resolution": {
                    "SAP_Transaction": "Run transaction /IWFND/ERROR_LOG on SAP Gateway hub system",
                    "SAP_Note": "See SAP Note 1797736 for error analysis",
                },
                "errordetails": details,
            },
        }
    }
    return json_reply(body, status=refusal.status, headers={"dataserviceversion": "1.0", **refusal.headers})


def in_v4(refusal: Refusal, scene: Scene) -> Reply:
    """Answer as Gateway does in OData v4; the message is a plain text there."""
    error: dict[str, Any] = {
        "code": refusal.code,
        "message": refusal.text,
        **({"target": refusal.target} if refusal.target else {}),
        "@SAP__common.ExceptionCategory": "Client_Error" if refusal.status < 500 else "Server_Error",
    }
    if refusal.more:
        error["details"] = [
            {"code": each.code, "message": each.text, "target": each.target, "@SAP__common.numericSeverity": 4}
            for each in refusal.more
        ]
    error["innererror"] = {
        "ErrorDetails": {
            "@SAP__common.Application": {"ComponentId": scene.component, "ServiceId": scene.service},
            "@SAP__common.TransactionId": scene.transaction,
            "@SAP__common.Timestamp": scene.timestamp,
        }
    }
    return json_reply({"error": error}, status=refusal.status, headers={"odata-version": "4.0", **refusal.headers})


def page(status: int, title: str, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with the HTML page of the server in front: what it sends for logons that fail, and when it breaks."""
    body = (
        f"<!DOCTYPE html>\n<html><head><title>{html.escape(title)}</title></head>"
        f"<body><h1>{status} {html.escape(title)}</h1><p>{html.escape(text)}</p></body></html>"
    )
    return Reply(
        status=status, headers={"content-type": "text/html; charset=utf-8", **(headers or {})}, body=body.encode()
    )


def plain(status: int, text: str, headers: Mapping[str, str]) -> Reply:
    """Answer with plain text."""
    return Reply(status=status, headers={"content-type": "text/plain; charset=utf-8", **headers}, body=text.encode())
