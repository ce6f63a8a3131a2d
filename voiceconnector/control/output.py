"""What an operation returns, as its model has it in JSON: members it does not know and None are left out."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from .service import Shape

Shaper = Callable[[Any], Any]
"""Makes of a value what JSON has."""


def shaper(shape: Shape) -> Shaper:
    """How values of a shape are written. Times, in Unix seconds, become ISO 8601 with milliseconds."""
    if shape.kind == "structure":
        return _structure({name: shaper(member.shape) for name, member in shape.members.items()})
    if shape.kind == "timestamp":
        return iso_8601
    if shape.item is None:
        return _as_it_is
    item = shaper(shape.item)
    if shape.kind == "map":
        return lambda value: {key: item(inner) for key, inner in value.items()}
    return list if item is _as_it_is else lambda value: [item(inner) for inner in value]


def _as_it_is(value: Any) -> Any:
    return value


def _structure(members: Mapping[str, Shaper]) -> Shaper:
    made = {name: member for name, member in members.items() if member is not _as_it_is}

    def shape(fields: Mapping[str, Any]) -> dict[str, Any]:
        written = {}
        for name, value in fields.items():
            if value is not None and name in members:
                written[name] = made[name](value) if name in made else value
        return written

    return shape


# A resource is shown often, with the same times.
@lru_cache(maxsize=4096)
def iso_8601(time: float) -> str:
    """A Unix time as AWS writes it: 2019-12-12T19:05:24.803Z."""
    return f"{datetime.fromtimestamp(time, UTC).isoformat(timespec='milliseconds')[:23]}Z"
