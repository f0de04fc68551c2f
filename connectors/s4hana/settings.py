"""What one S/4HANA Cloud tenant needs: its API host and a communication user, and how the hub marks what it makes."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import field_validator, model_validator

from hub.sdk.settings import Secret, Settings

TOKEN_PATH = "/sap/bc/sec/oauth2/token"
_USER = re.compile(r"[A-Za-z0-9_]{1,12}")


class S4HanaSettings(Settings):
    """One tenant and one communication user.

    - `base_url` is the API host (`https://my300000-api.s4hana.cloud.sap`); the host of the user interface refuses
      communication users.
    - `user` and `password` are the communication user's. With `auth: oauth2` they sign the request for a token
      (`client_credentials`), with `scope` where the arrangement names one, at `token_url` (usually derived).
    - `posting_user` stands in journal entries as who created them: at most twelve characters.
    - `order_mark` is the field of sales orders and credit memo requests that the hub may fill with its mark, by which
      it finds them again.
    - `v4_batch` is the form in which changes over OData v4 go out together: `multipart`, which every release takes, or
      `json`.
    - `rejection_reason` and `reversal_reason` stand in what takes an order or a journal entry back, where a flow names
      none.
    - `language` is the one of texts and messages.
    - `webhook_secret` is what the sender of events shows in `Authorization`, as `Bearer` and the secret.
    """

    asks: ClassVar[frozenset[str]] = frozenset({"webhook_secret"})

    auth: Literal["basic", "oauth2"] = "basic"
    user: str
    password: Secret
    token_url: str = ""
    scope: str = ""
    posting_user: str = "CONCORD"
    order_mark: Literal["PurchaseOrderByCustomer", "AssignmentReference"] = "PurchaseOrderByCustomer"
    v4_batch: Literal["multipart", "json"] = "multipart"
    rejection_reason: str = "00"
    reversal_reason: str = "01"
    language: str = "en"
    webhook_secret: Secret | None = None

    @field_validator("base_url", "token_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("posting_user")
    @classmethod
    def _short_user(cls, value: str) -> str:
        if not _USER.fullmatch(value):
            raise ValueError("posting_user has at most 12 letters, digits and underscores")
        return value

    @field_validator("language")
    @classmethod
    def _language(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z]{2}", value):
            raise ValueError("language is a code such as en")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if ":" in self.user or not self.user:
            raise ValueError("user must be given, and has no colon")
        if self.webhook_secret is not None and len(self.webhook_secret.get_secret_value()) < 16:
            raise ValueError("webhook_secret must have 16 characters at least")
        return self

    @property
    def token_endpoint(self) -> str:
        """Give the address that issues tokens."""
        return self.token_url or self.base_url + TOKEN_PATH

    @property
    def host(self) -> str:
        """Give the name of the API host."""
        return urlsplit(self.base_url).hostname or ""
