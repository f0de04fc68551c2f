"""Every function by its name: what the compiler knows, and what the documentation lists."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hub.expressions.functions import (
    amounts,
    arithmetic,
    groups,
    likeness,
    lists,
    lookups,
    periods,
    texts,
    times,
    values,
)
from hub.expressions.functions.signature import Function

FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        function.name: function
        for room in (values, lists, groups, texts, likeness, arithmetic, amounts, times, periods, lookups)
        for function in room.FUNCTIONS
    }
)
