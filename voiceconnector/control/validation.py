"""What a request says, checked against the model in full, with the words that AWS's services use.

The model's patterns match from end to end. Members that the model does not know are dropped, null is as good as
absent, and every mistake is told at once, by its path: `termination.callingRegions.1.member`.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .context import Fields
from .errors import ApiError
from .service import Operation, Shape

LONGEST_SHOWN = 100
"""Characters of a wrong value that are repeated to the one who sent it."""

MOST_PROBLEMS = 50
"""Mistakes that are told of one request; no more are looked for in a list that has so many."""

_E164 = r"^\+?[1-9]\d{1,14}$"
_PHONE_NUMBER_IDS = frozenset({"PhoneNumberId", "PhoneNumberIds"})
_WHOLE_NUMBER = r"-?[0-9]{1,18}"


class _Absent:
    """In place of a value that is not there, or is none that its shape could have."""


_ABSENT = _Absent()
Problems = list[str]


def decode(
    operation: Operation, segments: Sequence[str], query: Mapping[str, str], body: bytes
) -> tuple[Fields, ApiError | None]:
    """What is asked, and what is wrong with it; of a body that is no JSON object, nothing is asked.

    `segments` are those of the path, decoded.
    """
    mistake = None
    try:
        given = _of_body(body) if operation.has_body else {}
    except ApiError as error:
        given, mistake = {}, error
    for name, member in operation.input.members.items():
        if member.place == "querystring" and (text := query.get(member.wire_name)) is not None:
            given[name] = _of_text(member.shape, text)
    for place, name in operation.labels:
        given[name] = segments[place]
    problems: Problems = []
    fields = _structure(operation.input, given, "", problems)
    return fields, mistake or (_refusal(problems) if problems else None)


def _refusal(problems: Problems) -> ApiError:
    """All of them in one sentence."""
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
    return ApiError("BadRequestException", f"{count}: {'; '.join(problems)}")


def _of_body(body: bytes) -> Fields:
    """The members in a body; none where it is empty."""
    if not body:
        return {}
    try:
        given = json.loads(body.decode(), parse_constant=_no_number)
    except RecursionError:
        raise ApiError("BadRequestException", "The body is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise ApiError("BadRequestException", f"The body is not UTF-8: byte {error.start} is wrong") from None
    except ValueError as error:
        raise ApiError("BadRequestException", f"The body is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ApiError("BadRequestException", f"The body must be a JSON object, and is {_kind_of(given)}")
    return given


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON's")


def _of_text(shape: Shape, text: str) -> object:
    """A value of the query, as JSON would have it; text that stands for none stays text, and is refused later."""
    if shape.kind == "integer" and re.fullmatch(_WHOLE_NUMBER, text, re.ASCII):
        return int(text)
    if shape.kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


# One function for each kind of shape: what is left of a value, with problems added to the list


def _read(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    if shape.kind == "string":
        return _text(shape, value, path, problems)
    return _READERS[shape.kind](shape, value, path, problems)


def _structure(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    if not isinstance(value, dict):
        return _wrong_kind(shape, value, path, problems)
    fields: Fields = {}
    for name, member in shape.members.items():
        given = value.get(name)
        if given is not None:
            here = f"{path}.{_lower(name)}" if path else _lower(name)
            if name in _PHONE_NUMBER_IDS:
                given = _phone_number_ids(given)
            if (kept := _read(member.shape, given, here, problems)) is not _ABSENT:
                fields[name] = kept
        elif name in shape.required:
            here = f"{path}.{_lower(name)}" if path else _lower(name)
            problems.append(f"Value null at '{here}' failed to satisfy constraint: Member must not be null")
    return fields


def _list(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    assert shape.item
    if not isinstance(value, list):
        return _wrong_kind(shape, value, path, problems)
    if not _check_size(shape, len(value), "length", value, path, problems):
        return []
    read = [
        _read(shape.item, item, f"{path}.{place}.member", problems)
        for place, item in enumerate(value, start=1)
        if item is not None and len(problems) < MOST_PROBLEMS
    ]
    return [item for item in read if item is not _ABSENT]


def _map(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    assert shape.key
    assert shape.item
    if not isinstance(value, dict):
        return _wrong_kind(shape, value, path, problems)
    if not _check_size(shape, len(value), "length", value, path, problems):
        return {}
    read = {}
    for place, (key, item) in enumerate(value.items(), start=1):
        if len(problems) >= MOST_PROBLEMS:
            break
        _text(shape.key, key, f"{path}.{place}.key", problems)
        if item is not None:
            read[key] = _read(shape.item, item, f"{path}.{place}.value", problems)
    return {key: item for key, item in read.items() if item is not _ABSENT}


def _text(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    if not isinstance(value, str):
        return _wrong_kind(shape, value, path, problems)
    if not (value.isascii() or _is_unicode(value)):
        problems.append(_problem(shape, value, path, "Member must be Unicode, and has half of a surrogate pair"))
        return _ABSENT
    if not _check_size(shape, len(value), "length", value, path, problems):
        return value
    if shape.choices and value not in shape.choices:
        allowed = f"Member must satisfy enum value set: [{', '.join(shape.choices)}]"
        problems.append(_problem(shape, value, path, allowed))
    if shape.pattern:
        if not re.fullmatch(shape.pattern, value, re.ASCII):
            allowed = f"Member must satisfy regular expression pattern: {shape.pattern}"
            problems.append(_problem(shape, value, path, allowed))
        elif shape.pattern == _E164 and value[0] != "+":
            return f"+{value}"
    return value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _integer(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        return _wrong_kind(shape, value, path, problems)
    _check_size(shape, value, "value", value, path, problems)
    return value


def _boolean(shape: Shape, value: object, path: str, problems: Problems) -> Any:
    return value if isinstance(value, bool) else _wrong_kind(shape, value, path, problems)


_READERS: Mapping[str, Callable[[Shape, object, str, Problems], Any]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
    "integer": _integer,
    "boolean": _boolean,
}


def _check_size(shape: Shape, size: int, what: str, value: object, path: str, problems: Problems) -> bool:
    if shape.least is not None and size < shape.least:
        allowed = f"Member must have {what} greater than or equal to {shape.least}"
    elif shape.most is not None and size > shape.most:
        allowed = f"Member must have {what} less than or equal to {shape.most}"
    else:
        return True
    problems.append(_problem(shape, value, path, allowed))
    return False


def _wrong_kind(shape: Shape, value: object, path: str, problems: Problems) -> _Absent:
    allowed = f"Member must be {_KINDS[shape.kind]}, and is {_kind_of(value)}"
    problems.append(_problem(shape, value, path, allowed))
    return _ABSENT


def _problem(shape: Shape, value: object, path: str, allowed: str) -> str:
    """One mistake; the value is shown unless it is sensitive, or may contain what is."""
    shown = "" if shape.sensitive or isinstance(value, dict | list) else f" {_shown(value)}"
    return f"Value{shown} at '{path}' failed to satisfy constraint: {allowed}"


def _shown(value: object) -> str:
    written = value if isinstance(value, str) else json.dumps(value)
    printable = "".join(character if character.isprintable() else "�" for character in written[: LONGEST_SHOWN + 1])
    return f"'{printable if len(printable) <= LONGEST_SHOWN else printable[:LONGEST_SHOWN] + '…'}'"


_KINDS = {
    "structure": "an object",
    "list": "a list",
    "map": "an object",
    "string": "a string",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _kind_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
    return "a list" if isinstance(value, list) else "an object"


def _lower(name: str) -> str:
    """A member's name as AWS's messages have it: voiceConnectorId."""
    return name[0].lower() + name[1:]


# Phone numbers: AWS's own examples have ids such as %2B12065550100, and its patterns leave out the + at will


def _phone_number_ids(given: object) -> object:
    return [_phone_number_id(item) for item in given] if isinstance(given, list) else _phone_number_id(given)


def _phone_number_id(given: object) -> object:
    if not isinstance(given, str):
        return given
    written = "+" + given[3:] if given[:3] in ("%2B", "%2b") else given
    return f"+{written}" if re.fullmatch(r"[1-9][0-9]{1,14}", written, re.ASCII) else written
