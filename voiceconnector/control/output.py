"""What an operation returns, as its model has it in JSON: members it does not know and None are left out."""

from datetime import UTC, datetime
from typing import Any

from .service import Shape

_PLAIN = frozenset({"string", "integer", "boolean", "float"})


def shaped(shape: Shape, value: Any) -> Any:
    """A value as JSON has it; times, in Unix seconds, become ISO 8601 with milliseconds."""
    if shape.kind in _PLAIN:
        return value
    if shape.kind == "structure":
        return _structure(shape, value)
    if shape.kind == "timestamp":
        return iso_8601(value)
    assert shape.item
    if shape.kind == "list":
        return [shaped(shape.item, item) for item in value]
    return {key: shaped(shape.item, item) for key, item in value.items()}


def _structure(shape: Shape, fields: dict[str, Any]) -> dict[str, Any]:
    written = {}
    for name, value in fields.items():
        if value is not None and (member := shape.members.get(name)):
            inner = member.shape
            written[name] = value if inner.kind in _PLAIN else shaped(inner, value)
    return written


def iso_8601(time: float) -> str:
    """A Unix time as AWS writes it: 2019-12-12T19:05:24.803Z."""
    return f"{datetime.fromtimestamp(time, UTC).isoformat(timespec='milliseconds')[:23]}Z"
