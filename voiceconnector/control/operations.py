"""Which function does which operation: the one named as AWS names the operation, in snake_case."""

import re
from collections.abc import Callable, Iterable, Mapping

from . import (
    accounts,
    connector_settings,
    groups,
    origination,
    phone_number_associations,
    phone_number_orders,
    phone_numbers,
    settings,
    sip_media_applications,
    sip_rules,
    tags,
    termination,
    users,
    voice_connectors,
)
from .context import Control, Fields

Function = Callable[[Control, Fields], Fields]
"""What it is asked was checked against the model; what it returns is shaped after it."""

MODULES = (
    voice_connectors,
    termination,
    origination,
    connector_settings,
    groups,
    tags,
    settings,
    phone_numbers,
    phone_number_associations,
    phone_number_orders,
    sip_media_applications,
    sip_rules,
    accounts,
    users,
)  # fmt: skip
"""A line for each file of operations."""


def functions(names: Iterable[str]) -> Mapping[str, Function]:
    """The function of each of these operations that has one."""
    found = {name: _function(snake_case(name)) for name in names}
    return {name: function for name, function in found.items() if function}


def snake_case(name: str) -> str:
    """get_voice_connector for GetVoiceConnector, reset_personal_pin for ResetPersonalPIN."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _function(name: str) -> Function | None:
    return next((getattr(module, name) for module in MODULES if hasattr(module, name)), None)
