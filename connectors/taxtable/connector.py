"""The table engine, put together."""

from __future__ import annotations

from connectors.taxtable.documents import answer
from connectors.taxtable.failures import classify
from connectors.taxtable.operations import OPERATIONS, ping
from connectors.taxtable.settings import TaxtableSettings
from connectors.taxtable.tables import FOLDER, flaws, read
from hub.sdk.auth import Authorizer, FixedHeaders
from hub.sdk.connector import Connector
from hub.sdk.embedded import Embedded
from hub.sdk.tax import SCHEMAS


def _nobody(_settings: TaxtableSettings) -> Authorizer:
    """Sign nothing: nobody else is asked."""
    return FixedHeaders({})


CONNECTOR = Connector(
    name="taxtable",
    title="Tax tables",
    settings=TaxtableSettings,
    operations=OPERATIONS,
    authorizer=_nobody,
    classify=classify,
    ping=ping,
    schemas=SCHEMAS,
    embedded=Embedded(folder=FOLDER, flaws=flaws, read=read, answer=answer),
)
