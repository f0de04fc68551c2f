"""The whole battery in one class, to be inherited by a connector's own test file; the samples are in its package.

    class TestHelloworld(ConnectorBattery):
        connector = CONNECTOR
        samples = SAMPLES

What is special about the connector is tested beside it, in further functions of the same file.
"""

from __future__ import annotations

from hub.sdk.testing.answers import AnswerChecks
from hub.sdk.testing.declaration import DeclarationChecks
from hub.sdk.testing.guards import GuardChecks
from hub.sdk.testing.writes import WriteChecks


class ConnectorBattery(DeclarationChecks, WriteChecks, AnswerChecks, GuardChecks):
    """What every connector must pass: declaration, writes, answers, webhooks, and life against its sandbox."""
