"""RFC 3261 section 25: the few productions that every header is made of.

Text is latin-1 decoded from the wire, so each character is one byte and encoding gives the bytes back
unchanged; `display` turns such text into what a person should read.
"""

import re

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
QUOTED_STRING = r'"(?:[^"\\]|\\.)*"'

_PARAMETER = re.compile(
    rf"[ \t]*;[ \t]*(?P<name>{TOKEN})(?:[ \t]*=[ \t]*(?P<value>{QUOTED_STRING}|[^\s;,\"<>=?]+))?[ \t]*"
)
_SEPARATORS = re.compile(r'["<,]')
_ANGLE_OR_QUOTE_END = {'"': re.compile(r'(?:[^"\\]|\\.)*"'), "<": re.compile(r"[^>]*>")}

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class ParseError(ValueError):
    """A message, or a part of one, is not what RFC 3261 allows and cannot be used.

    `status_code` and `reason_phrase` are the answer it deserves where it was a request; `where` names the
    header or line, `source` the RFC section.
    """

    def __init__(self, sentence: str, where: str, source: str, status_code: int = 400, reason: str = "") -> None:
        super().__init__(f"{where}: {sentence} ({source})")
        self.sentence = sentence
        self.where = where
        self.source = source
        self.status_code = status_code
        self.reason_phrase = reason or f"Bad {where}"


def split_values(text: str) -> list[str]:
    """Split a header's text at the commas that separate values, not at those within quotes or <>.

    RFC 3261 7.3.1. Empty values are an error: nothing in the grammar allows them.
    """
    if "," not in text:
        return [text]
    values = []
    start = position = 0
    while match := _SEPARATORS.search(text, position):
        position = match.end()
        if match[0] == ",":
            values.append(text[start : match.start()].strip())
            start = position
        elif end := _ANGLE_OR_QUOTE_END[match[0]].match(text, position):
            position = end.end()
        else:
            raise ParseError(f"{match[0]} without its end", "header", "RFC 3261 25.1")
    values.append(text[start:].strip())
    if not all(values):
        raise ParseError("an empty value between commas", "header", "RFC 3261 7.3.1")
    return values


def parse_parameters(text: str, where: str) -> dict[str, str | None]:
    """Read `;name=value;flag` to its end. Names in lower case; a flag's value is None; quotes are kept."""
    parameters: dict[str, str | None] = {}
    position = 0
    while position < len(text):
        match = _PARAMETER.match(text, position)
        if not match:
            raise ParseError(f"{text[position:].strip()!r} is not a parameter", where, "RFC 3261 25.1 generic-param")
        name = match["name"].lower()
        if name in parameters:
            raise ParseError(f"parameter {name} is given twice", where, "RFC 3261 7.3.1")
        parameters[name] = match["value"]
        position = match.end()
    return parameters


def read_number(text: str) -> int | None:
    """A decimal number, None where the text is none. Whatever has more than 18 digits is 10**18."""
    if not (text.isdecimal() and text.isascii()):
        return None
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18


def unquote(text: str) -> str:
    """The text of a quoted-string without quotes and escapes; a token is returned as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def quote(text: str) -> str:
    """A quoted-string, RFC 3261 25.1. Line breaks cannot be carried and become spaces."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", " ")
    return f'"{escaped}"'


def without_controls(text: str) -> str:
    """A peer's text that goes into requests of ours: what is no character of a line becomes a question mark."""
    return text if text.isprintable() else _CONTROL.sub("?", text)


def has_controls(text: str) -> bool:
    """Whether there is a character in a line that RFC 3261 25.1 has no place for."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def display(text: str) -> str:
    """Header text as a person should read it: UTF-8 where the bytes are that, else latin-1."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
