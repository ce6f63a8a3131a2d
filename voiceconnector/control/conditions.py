"""Conditions of IAM policies: the operators, what they are compared with, and when they hold.

After "IAM JSON policy elements: Condition operators" and "… multivalued context keys" of the IAM User Guide. All
operators of strings, numbers, dates, Boolean values, IP addresses and ARNs, Null, the suffix IfExists and the
prefixes ForAllValues and ForAnyValue. Left out: BinaryEquals, and policy variables such as ${aws:username}; both
are refused when a policy is read, as everything else that is not understood.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any, Literal

from ..trunk.tables import ShapeError, mapping, read

Context = Mapping[str, tuple[str, ...]]
"""What is known of a request: the values of each condition key, the key in lower case. A key that is not known is
not there."""

Quantifier = Literal["", "ForAllValues", "ForAnyValue"]


@dataclass(frozen=True, slots=True)
class Operator:
    """What is compared how."""

    of_policy: Callable[[str], Any]
    """Reads a value of the policy. Raises ValueError where it is none of this operator's."""
    of_request: Callable[[str], Any]
    """The same for a value of the request."""
    matches: Callable[[Any, Any], bool]
    """Whether the request's value, which is first, and the policy's match."""
    negated: bool = False

    def agrees(self, given: str, wanted: tuple[Any, ...]) -> bool:
        """Whether one value of the request matches one of the policy's; for a negated operator, none of them."""
        try:
            value = self.of_request(given)
        except ValueError:
            return self.negated
        return any(self.matches(value, one) for one in wanted) != self.negated


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        raise ValueError("must be a number") from None


def _date(written: str) -> float:
    """Unix time of an ISO 8601 date, or of Unix time itself."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", written):
        return float(written)
    try:
        date = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError("must be a date such as 2026-12-31T23:59:59Z or Unix time") from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _truth(written: str) -> bool:
    if written.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return written.lower() == "true"


def _network(written: str) -> Any:
    try:
        return ip_network(written, strict=False)
    except ValueError:
        raise ValueError("must be an IP address or range such as 203.0.113.0/24") from None


def _arn(written: str) -> list[re.Pattern[str]]:
    parts = _parts(written)
    return [pattern(part) for part in parts]


def _parts(arn: str) -> list[str]:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise ValueError("must be an ARN such as arn:aws:iam::111122223333:user/*")
    return parts


def pattern(*written: str) -> re.Pattern[str]:
    """What any of these stands for: `*` is any text, `?` any character, and everything else is itself."""
    translated = ("".join(_WILDCARDS.get(one) or re.escape(one) for one in each) for each in written)
    return re.compile("|".join(translated), re.DOTALL)


_WILDCARDS = {"*": ".*", "?": "."}


def _like(value: str, wanted: re.Pattern[str]) -> bool:
    return wanted.fullmatch(value) is not None


def _arn_like(value: list[str], wanted: list[re.Pattern[str]]) -> bool:
    """Part by part, so that a wildcard reaches no further than the next colon."""
    return all(map(_like, value, wanted))


def _within(value: Any, wanted: Any) -> bool:
    return value in wanted


def _operators() -> dict[str, Operator]:
    string, folded = partial(Operator, str, str), partial(Operator, str.casefold, str.casefold)
    like, arn = partial(Operator, pattern, str, _like), partial(Operator, _arn, _parts, _arn_like)
    address = partial(Operator, _network, ip_address, _within)
    known = {
        "StringEquals": string(eq),
        "StringNotEquals": string(eq, negated=True),
        "StringEqualsIgnoreCase": folded(eq),
        "StringNotEqualsIgnoreCase": folded(eq, negated=True),
        "StringLike": like(),
        "StringNotLike": like(negated=True),
        "Bool": Operator(_truth, _truth, eq),
        "IpAddress": address(),
        "NotIpAddress": address(negated=True),
        "ArnEquals": arn(),
        "ArnLike": arn(),
        "ArnNotEquals": arn(negated=True),
        "ArnNotLike": arn(negated=True),
        "Null": Operator(_truth, str, eq),
    }
    for prefix, reads in (("Numeric", _number), ("Date", _date)):
        compared = partial(Operator, reads, reads)
        known |= {
            f"{prefix}Equals": compared(eq),
            f"{prefix}NotEquals": compared(eq, negated=True),
            f"{prefix}LessThan": compared(lt),
            f"{prefix}LessThanEquals": compared(le),
            f"{prefix}GreaterThan": compared(gt),
            f"{prefix}GreaterThanEquals": compared(ge),
        }
    return known


OPERATORS: Mapping[str, Operator] = _operators()


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition key under one operator, with the values that it is compared with."""

    operator: Operator
    key: str
    """In lower case."""
    wanted: tuple[Any, ...]
    quantifier: Quantifier = ""
    if_exists: bool = False
    null: bool = False
    """Whether it asks only if the key is there."""

    def holds(self, context: Context) -> bool:
        """Whether it does for a request."""
        given = context.get(self.key, ())
        if self.null:
            return (not given) in self.wanted
        if not given:
            return self._holds_without()
        agreeing = (self.operator.agrees(one, self.wanted) for one in given)
        if self.quantifier == "ForAllValues" or (self.operator.negated and not self.quantifier):
            return all(agreeing)
        return any(agreeing)

    def _holds_without(self) -> bool:
        if self.if_exists or self.quantifier == "ForAllValues":
            return True
        return self.operator.negated and not self.quantifier


def conditions(entries: object, path: str) -> tuple[Condition, ...]:
    """The Condition element of a statement: all of them have to hold. Raises ShapeError."""
    found = []
    for name, keys in read(mapping, entries, path).items():
        at = f"{path}.{name}"
        for key, values in read(mapping, keys, at).items():
            found.append(_condition(name, key, values, at))
    return tuple(found)


def _condition(name: str, key: str, values: object, path: str) -> Condition:
    quantifier, base, if_exists = _named(name, path)
    at = f"{path}.{key!r}"
    if not re.fullmatch(r"[\w-]+:[\w/.:=+@ -]+", key):
        raise ShapeError(at, "is no condition key, which would be one such as aws:SourceIp")
    listed = values if isinstance(values, list) else [values]
    places = [f"{at}[{index}]" if listed is values else at for index in range(len(listed))]
    operator = OPERATORS[base]
    wanted = tuple(read(lambda one: operator.of_policy(_written(one)), one, at) for one, at in zip(listed, places))
    if not wanted:
        raise ShapeError(at, "must have a value")
    return Condition(operator, key.lower(), wanted, quantifier, if_exists, base == "Null")


def _named(name: str, path: str) -> tuple[Quantifier, str, bool]:
    """The parts of an operator's name, such as ForAnyValue:StringLikeIfExists."""
    found = re.fullmatch(r"(?:(ForAllValues|ForAnyValue):)?(\w+?)(IfExists)?", name)
    if not found or found[2] not in OPERATORS or (found[2] == "Null" and (found[1] or found[3])):
        raise ShapeError(path, f"is no condition operator that is emulated; these are: {', '.join(OPERATORS)}")
    quantifier: Any = found[1] or ""
    return quantifier, found[2], bool(found[3])


def _written(value: object) -> str:
    """A value as text; JSON and TOML may have it as a number, a Boolean value or a date."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    if not isinstance(value, str | int | float):
        raise ValueError("must be text, a number, a date, true or false")
    return without_variables(str(value))


def without_variables(written: str) -> str:
    """The text. Raises ValueError where it has a policy variable."""
    if "${" in written:
        raise ValueError("must not have a policy variable (${…}), as they are not emulated")
    return written
