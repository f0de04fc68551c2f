"""What a certification finds does not depend on how much else the machine has to do."""

from __future__ import annotations

import pytest

from connectors.helloworld.connector import CONNECTOR
from connectors.helloworld.samples import SAMPLES
from hub.errors import HubError
from hub.proof.certification.calls import flow_of
from hub.proof.certification.stand import stand
from hub.sdk.connector import ReadOperation
from hub.sdk.testing.sending import Connected


async def test_what_is_looked_at_beside_a_trial_is_not_hurried() -> None:
    """An answer may well take longer than the trial of one that never comes waits."""
    (sample,) = SAMPLES.reads
    read = CONNECTOR.operation(sample.operation)
    assert isinstance(read, ReadOperation)
    async with stand(CONNECTOR, SAMPLES, flow_of(CONNECTOR, SAMPLES, sample), patience=0.0001) as hub:
        beside, within = Connected(CONNECTOR, hub.beside), Connected(CONNECTOR, hub.account.settings)
        assert (await read.read(beside, sample.input))["id"] == sample.input["id"]
        with pytest.raises(HubError, match="in time"):
            await read.read(within, sample.input)
        await beside.close()
        await within.close()
