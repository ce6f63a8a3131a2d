"""The AWS API as its service models describe it: shapes, operations, and which request is which.

The models of `chime-sdk-voice` and `chime` (see `models/NOTICE`) make one table of routes. Both have the same 16
operations on the same routes; a client does not say which service it means, so each of those is served as
`chime-sdk-voice` has it, with what only `chime` knows (members, values of an enumeration) added as optional.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

MODELS = Path(__file__).with_name("models")
VOICE, CHIME = "chime-sdk-voice", "chime"

Kind = Literal["structure", "list", "map", "string", "integer", "boolean", "float", "timestamp"]
Place = Literal["body", "uri", "querystring"]

LONGEST_MATCHED = 320
"""Characters of a text with a pattern whose length the models leave open; the longest e-mail address has as many.

Some of their patterns take time that grows with the square of the length.
"""

# Required today, optional in the `chime` model of 2022, whose clients leave them out.
_REQUIRED_SINCE = frozenset({("StreamingConfiguration", "Disabled")})
# No regular expression, of Java or Python.
_BROKEN_PATTERN = "^[-_a-zA-Z0-9]*${2,64}$"


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What a value may be."""

    name: str
    kind: Kind
    members: Mapping[str, "Member"] = field(default_factory=dict)
    """Of a structure, by name."""
    required: tuple[str, ...] = ()
    """The members that a structure must have."""
    item: "Shape | None" = None
    """Of a list's or a map's values."""
    key: "Shape | None" = None
    """Of a map's keys."""
    least: int | None = None
    """The lowest number, shortest text, or fewest items."""
    most: int | None = None
    """The highest number, longest text, or most items."""
    choices: tuple[str, ...] = ()
    """The values of an enumeration."""
    pattern: str = ""
    """A regular expression that the whole text matches."""
    sensitive: bool = False
    """Whether a value must never be shown: in logs, in CloudTrail, in the text of an error."""


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One member of a structure, and where a request carries it."""

    shape: Shape
    place: Place = "body"
    wire_name: str = ""
    """Its name in the URI or the query, where it is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One operation of the API."""

    name: str
    """As AWS writes it: GetVoiceConnector."""
    service: str
    """chime-sdk-voice, or chime where only that one has it."""
    method: str
    segments: tuple[str, ...]
    """Of the path: ("voice-connectors", "{voiceConnectorId}")."""
    query: tuple[tuple[str, str], ...]
    """The literals in the query: (("operation", "put"),)."""
    status: int
    """HTTP status of its answer; 204 has no body."""
    input: Shape
    output: Shape
    errors: frozenset[str]
    """The exceptions it declares."""
    literals: tuple[tuple[int, str], ...] = field(init=False)
    """The segments that are the same in each request, and where they stand."""
    labels: tuple[tuple[int, str], ...] = field(init=False)
    """The members that stand in the path, and where."""
    has_body: bool = field(init=False)
    """Whether a request of it says something in its body."""

    def __post_init__(self) -> None:
        named = {member.wire_name: name for name, member in self.input.members.items() if member.place == "uri"}
        places = tuple(enumerate(self.segments))
        labels = tuple((place, named[segment[1:-1]]) for place, segment in places if segment[0] == "{")
        object.__setattr__(self, "literals", tuple(pair for pair in places if pair[1][0] != "{"))
        object.__setattr__(self, "labels", labels)
        in_body = any(member.place == "body" for member in self.input.members.values())
        object.__setattr__(self, "has_body", in_body)


class Service:
    """All operations, by name and by route."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self.operations: Mapping[str, Operation] = {operation.name: operation for operation in operations}
        self._routes: dict[tuple[str, int, str], list[Operation]] = {}
        for operation in sorted(self.operations.values(), key=_literal_count, reverse=True):
            start = (operation.method, len(operation.segments), operation.segments[0])
            self._routes.setdefault(start, []).append(operation)

    @classmethod
    def load(cls) -> "Service":
        """The operations of both models."""
        voice, chime = _operations(VOICE), _operations(CHIME)
        for name in voice.keys() & chime.keys():
            voice[name] = _with_what_only(chime[name], voice[name])
        return cls({**chime, **voice}.values())

    def route(self, method: str, segments: Sequence[str], query: Mapping[str, str]) -> Operation | None:
        """The operation that a request asks for; of several, the one with the most literals.

        `segments` are those of the path, decoded.
        """
        for operation in self._routes.get((method, len(segments), segments[0]), ()):
            if all(segments[place] == literal for place, literal in operation.literals) and all(
                query.get(name) == value for name, value in operation.query
            ):
                return operation
        return None


def _literal_count(operation: Operation) -> int:
    return len(operation.literals) + len(operation.query)


def _operations(service: str) -> dict[str, Operation]:
    """What one model describes."""
    model = json.loads((MODELS / f"{service}.json").read_text())
    shape_of = _shapes(model["shapes"])
    return {name: _operation(service, entries, shape_of) for name, entries in model["operations"].items()}


def _operation(service: str, entries: dict[str, Any], shape_of: Callable[[str], Shape]) -> Operation:
    path, _, query = entries["http"]["requestUri"].partition("?")
    literals = [pair.partition("=") for pair in query.split("&") if pair]
    nothing = Shape("", "structure")
    return Operation(
        name=entries["name"],
        service=service,
        method=entries["http"]["method"],
        segments=tuple(path.removeprefix("/").split("/")),
        query=tuple((name, value) for name, _, value in literals),
        status=entries["http"].get("responseCode", 200),
        input=shape_of(entries["input"]["shape"]) if "input" in entries else nothing,
        output=shape_of(entries["output"]["shape"]) if "output" in entries else nothing,
        errors=frozenset(error["shape"] for error in entries["errors"]),
    )


def _shapes(described: Mapping[str, dict[str, Any]]) -> Callable[[str], Shape]:
    """Makes each shape of a model once."""
    made: dict[str, Shape] = {}

    def shape_of(name: str) -> Shape:
        if name not in made:
            made[name] = _shape(name, described[name], shape_of)
        return made[name]

    return shape_of


def _shape(name: str, entries: dict[str, Any], shape_of: Callable[[str], Shape]) -> Shape:
    members = {
        key: Member(shape_of(member["shape"]), member.get("location", "body"), member.get("locationName", key))
        for key, member in entries.get("members", {}).items()
    }
    inner = entries.get("member") or entries.get("value")
    pattern = entries.get("pattern", "").replace(_BROKEN_PATTERN, "")
    return Shape(
        name=name,
        kind=entries["type"],
        members=members,
        required=tuple(key for key in entries.get("required", ()) if (name, key) not in _REQUIRED_SINCE),
        item=shape_of(inner["shape"]) if inner else None,
        key=shape_of(entries["key"]["shape"]) if "key" in entries else None,
        least=entries.get("min"),
        most=entries.get("max", LONGEST_MATCHED if pattern else None),
        choices=tuple(entries.get("enum", ())),
        pattern=pattern,
        sensitive=entries.get("sensitive", False),
    )


def _with_what_only(chime: Operation, voice: Operation) -> Operation:
    return replace(
        voice,
        input=_joined(voice.input, chime.input),
        output=_joined(voice.output, chime.output),
        errors=voice.errors | chime.errors,
    )


def _joined(one: Shape, other: Shape) -> Shape:
    """The first shape with what only the other one has."""
    members = {**other.members, **one.members}
    for name in one.members.keys() & other.members.keys():
        members[name] = replace(one.members[name], shape=_joined(one.members[name].shape, other.members[name].shape))
    return replace(
        one,
        members=members,
        item=_joined(one.item, other.item) if one.item and other.item else one.item,
        choices=tuple(dict.fromkeys(one.choices + other.choices)),
    )


def members_within(shape: Shape) -> Iterator[tuple[str, Shape]]:
    """Every member below a shape, of any depth, with its name."""
    for name, member in shape.members.items():
        yield name, member.shape
        yield from members_within(member.shape)
    if shape.item:
        yield from members_within(shape.item)
