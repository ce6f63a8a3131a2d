"""Reading plain tables (TOML, JSON) into typed values, with errors that say where, what and what is allowed.

A reader turns one plain value into a typed one, or raises ValueError whose text completes "<value> …": "must
be a whole number from 1 to 100". `Table` adds the path and the value, and refuses keys it does not know.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
D = TypeVar("D")
Choice = TypeVar("Choice", bound=str | int)
Reader = Callable[[object], T]

LEFT_OUT = "«left out»"
"""In place of a secret that was not exported; no reader of secrets takes it, as it is not US-ASCII."""
_BARE_KEY = re.compile("[A-Za-z0-9_-]+")
_INDEX = "[0-9]{1,4}"
_SECRET = r"([Pp]assword|SecretAccessKey|SessionToken|Credentials(\[\d+\](\.\w+)?)?|access_keys(\[\d+\])?)$"


class ShapeError(ValueError):
    """One value of a table is not what it must be."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        """Where: `voice_connectors[0].Termination.CidrAllowedList[1]`."""


@dataclass(frozen=True, slots=True)
class Given:
    """A scalar that came as text, from a command line or the environment, and was read as TOML.

    A reader that refuses `value` is offered `text`: `account_id=111122223333` needs no quotes.
    """

    value: object
    text: str


class Table:
    """One table being read. The keys it may have are given; any other is refused at once."""

    def __init__(self, entries: object, path: str, keys: tuple[str, ...]) -> None:
        """Raise ShapeError if `entries` is no table or has a key that is not in `keys`."""
        self.entries = read(mapping, entries, path)
        self.path = path
        for key in self.entries:
            if key not in keys:
                raise ShapeError(self.path_of(key), _unknown_key(key, keys))

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def path_of(self, key: str) -> str:
        """The path of one of this table's keys; a key that is not bare in TOML is quoted."""
        name = key if _BARE_KEY.fullmatch(key) else repr(key)
        return f"{self.path}.{name}" if self.path else name

    def get(self, key: str, reader: Reader[T], default: D) -> T | D:
        """The value of a key, or `default` where it is absent."""
        return read(reader, self.entries[key], self.path_of(key)) if key in self else default

    def required(self, key: str, reader: Reader[T]) -> T:
        """The value of a key that must be there."""
        if key not in self:
            raise ShapeError(self.path_of(key), "is missing")
        return read(reader, self.entries[key], self.path_of(key))

    def each(self, key: str, reader: Reader[T]) -> tuple[T, ...]:
        """The values of a list, empty where it is absent."""
        return tuple(read(reader, item, path) for item, path in self._items(key))

    def shape(self, key: str, shape: Callable[[object, str], T]) -> T | None:
        """A table within, read by a function of its entries and path; None where it is absent."""
        return shape(self.entries[key], self.path_of(key)) if key in self else None

    def shapes(self, key: str, shape: Callable[[object, str], T]) -> tuple[T, ...]:
        """The tables of a list, empty where it is absent."""
        return tuple(shape(item, path) for item, path in self._items(key))

    def _items(self, key: str) -> Iterator[tuple[object, str]]:
        path = self.path_of(key)
        for index, item in enumerate(read(sequence, self.entries.get(key, []), path)):
            yield item, f"{path}[{index}]"


def read(reader: Reader[T], value: object, path: str) -> T:
    """Read one value. Raises ShapeError with its path, the value unless it is secret, and what is allowed."""
    try:
        if not isinstance(value, Given):
            return reader(value)
        try:
            return reader(value.value)
        except ValueError:
            return reader(value.text)
    except ShapeError:
        raise
    except ValueError as error:
        if value == LEFT_OUT:
            raise ShapeError(path, "was left out of the export; put it here, or export with --with-secrets") from None
        shown = "(not shown)" if re.search(_SECRET, path) else f"= {_shown(value)}"
        raise ShapeError(path, f"{shown}: {error}") from None


def _shown(value: object) -> str:
    """A value on one line, cut to a readable length."""
    match value:
        case Given():
            written = value.text
        case bool():
            written = str(value).lower()
        case Mapping():
            return "{…}"
        case list() if any(isinstance(item, Mapping | list) for item in value):
            return "[…]"
        case int() if value.bit_length() > 256:
            return "a huge number"
        case str():
            written = repr(value)
        case _:
            written = str(value)
    printable = "".join(character if character.isprintable() else "�" for character in written)
    return printable if len(printable) <= 80 else printable[:79] + "…"


def _unknown_key(key: str, keys: tuple[str, ...]) -> str:
    from difflib import get_close_matches  # costs 3 ms, and only a mistake needs it

    by_lower_case = {known.lower().replace("_", ""): known for known in keys}
    close = get_close_matches(key.lower().replace("_", ""), by_lower_case, n=1, cutoff=0.6)
    hint = f"; did you mean {by_lower_case[close[0]]}?" if close else ""
    listed = f" (known here: {', '.join(keys)})" if len(keys) <= 12 or not hint else ""
    return f"is an unknown key{hint}{listed}"


# Documents: nested tables and lists, as TOML and JSON give them


def overlay(document: dict[str, Any], key: str, value: object) -> str:
    """Put a value into the document under a dotted key, and return its path as errors give it."""
    parts = [part for part in re.split(r"[.\[\]]+", key) if part]
    if not parts:
        raise ShapeError(repr(key), "is no key")
    node: Any = document
    path = ""
    for part, following in zip(parts, [*parts[1:], None]):
        place: str | int = part
        if isinstance(node, dict):
            path += f".{part}" if path else part
            node.setdefault(part, [] if following and re.fullmatch(_INDEX, following) else {})
        elif isinstance(node, list):
            path += f"[{part}]"
            if not re.fullmatch(_INDEX, part) or int(part) > len(node):
                raise ShapeError(path, f"is no item of the list; a new one would be {len(node)}")
            place = int(part)
            node += [{}] if place == len(node) else []
        else:
            raise ShapeError(path, f"is no table, so it has no {part}")
        if following is None:
            node[place] = value
        node = node[place]
    return path


def leads_to(outer: str, inner: str) -> bool:
    """Whether a path is another one, or leads to what is within it."""
    return inner == outer or inner.startswith((f"{outer}.", f"{outer}["))


def line_of(error_path: str, written: str) -> int:
    """The line of the key, or of the table it is missing from; 0 where that is not plain to see."""
    if '"""' in written or "'''" in written:
        return 0
    items: dict[str, int] = {}  # of each list of tables, the index of the current one
    table, found, longest = "", 0, 0
    for line_number, line in enumerate(written.splitlines(), start=1):
        if header := re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]", line):
            table = ""
            parts = header[2].split(".")
            for depth, part in enumerate(parts, start=1):
                table += f".{part}" if table else part
                if header[1] == "[[" and depth == len(parts):
                    items[table] = items.get(table, -1) + 1
                table += f"[{items[table]}]" if table in items else ""
            here = table
        elif key := re.match(r"\s*([\w.-]+)\s*=", line):
            here = f"{table}.{key[1]}" if table else key[1]
        else:
            continue
        if len(here) > longest and leads_to(here, error_path):
            found, longest = line_number, len(here)
    return found


# Readers


def mapping(value: object) -> Mapping[str, object]:
    """A table."""
    if not isinstance(value, Mapping):
        raise ValueError("must be a table")
    return value


def sequence(value: object) -> list[object]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError("must be a list")
    return value


def text(value: object) -> str:
    """Any string of printable characters, at least one."""
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError("must be a string of printable characters")
    return value


def boolean(value: object) -> bool:
    """True or false; no number stands for them."""
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def whole(least: int, most: int | None = None) -> Reader[int]:
    """Reads an integer from `least` to `most`, both included."""
    allowed = f"must be a whole number from {least} " + ("upwards" if most is None else f"to {most}")

    def whole_number(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(allowed)
        if value < least or (most is not None and value > most):
            raise ValueError(allowed)
        return value

    return whole_number


def number(least: float, most: float) -> Reader[float]:
    """Reads an integer or a float from `least` to `most`, both included."""

    def real_number(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"must be a number from {least:g} to {most:g}")
        return float(value)

    return real_number


def choice(*allowed: Choice) -> Reader[Choice]:
    """Reads one of the values given."""

    def one_of(value: object) -> Choice:
        for known in allowed:
            if type(value) is type(known) and value == known:
                return known
        *first, last = map(str, allowed)
        raise ValueError(f"must be {', '.join(first)} or {last}" if first else f"must be {last}")

    return one_of


def matching(pattern: str, allowed: str) -> Reader[str]:
    """Reads a string that a regular expression matches from end to end; `allowed` says so in words."""

    matches = re.compile(pattern, re.ASCII).fullmatch

    def matching_text(value: object) -> str:
        if not isinstance(value, str) or not matches(value):
            raise ValueError(f"must be {allowed}")
        return value

    return matching_text
