"""Policy documents of IAM: read from what an administrator writes for AWS, and asked whether they allow a request.

After "IAM JSON policy element reference" and "Policy evaluation logic" of the IAM User Guide. A document says the
same here as it does there, or it is refused when it is read, with the path of what is wrong. Identity-based policies
only: the guide (p. 10) knows no others for this service.
"""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from ..trunk.tables import ShapeError, Table, choice, read, text
from .conditions import Condition, Context, conditions, pattern, without_variables

_STATEMENT = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
_ACTION = r"[A-Za-z0-9-]+:[A-Za-z0-9*?]+|\*"
_RESOURCE = r"arn:[^:]*:[^:]*:[^:]*:[^:]*:.+|\*"

Effect = Literal["Allow", "Deny"]


@dataclass(frozen=True, slots=True)
class Globs:
    """Patterns with `*` and `?`, or all that they do not match."""

    pattern: re.Pattern[str]
    """Of all of them."""
    inverted: bool = False

    def cover(self, value: str) -> bool:
        """Whether the value is meant."""
        return (self.pattern.fullmatch(value) is not None) != self.inverted


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy."""

    effect: Effect
    actions: Globs
    """Of actions in lower case."""
    resources: Globs
    conditions: tuple[Condition, ...] = ()
    name: str = ""
    """For refusals: its Sid, or where it stands."""

    def applies(self, action: str, resource: str, context: Context) -> bool:
        """Whether it says anything of this request."""
        return (
            self.actions.cover(action.lower())
            and self.resources.cover(resource)
            and all(condition.holds(context) for condition in self.conditions)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document."""

    name: str
    """For refusals: the ARN of a managed policy, or where an inline one is configured."""
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What policies say of a request."""

    allowed: bool
    policy: str = ""
    """The one that decided; empty where none allows it."""
    statement: str = ""


def verdict(policies: Iterable[Policy], action: str, resource: str, context: Context) -> Verdict:
    """Denied where any statement denies it, else allowed where any allows it, else not allowed."""
    found = Verdict(False)
    for one in policies:
        for statement in one.statements:
            if statement.applies(action, resource, context):
                if statement.effect == "Deny":
                    return Verdict(False, one.name, statement.name)
                found = Verdict(True, one.name, statement.name)
    return found


def policy(document: object, path: str, read_file: Callable[[str], str]) -> Policy:
    """A policy: the document as a table, as JSON text, or the path of a JSON file.

    `read_file` reads that file, or raises ValueError saying why not. Raises ShapeError.
    """
    if isinstance(document, str):
        document = read(lambda written: _parsed(written, read_file), document, path)
    table = Table(document, path, ("Version", "Id", "Statement"))
    table.get("Version", choice("2012-10-17", "2008-10-17"), None)
    table.get("Id", text, None)
    if "Statement" not in table:
        raise ShapeError(table.path_of("Statement"), "is missing")
    entries, at = table.entries["Statement"], table.path_of("Statement")
    if not isinstance(entries, list):
        return Policy(path, (_statement(entries, at),))
    return Policy(path, tuple(_statement(entry, f"{at}[{index}]") for index, entry in enumerate(entries)))


def _parsed(written: Any, read_file: Callable[[str], str]) -> object:
    if not written.lstrip().startswith("{"):
        written = read_file(written)
    try:
        document: object = json.loads(written)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(
            f"must be a policy document, as a table, JSON text or the path of a JSON file: {error}"
        ) from None
    return document


def _statement(entries: object, path: str) -> Statement:
    table = Table(entries, path, (*_STATEMENT, "Principal", "NotPrincipal"))
    for key in ("Principal", "NotPrincipal"):
        if key in table:
            raise ShapeError(table.path_of(key), "must not be there: an identity's policy is about that identity")
    condition = table.shape("Condition", conditions)
    return Statement(
        effect=table.required("Effect", choice("Allow", "Deny")),
        actions=_globs(table, "Action", _action),
        resources=_globs(table, "Resource", _resource),
        conditions=condition or (),
        name=table.get("Sid", text, path),
    )


def _globs(table: Table, key: str, reader: Callable[[object], str]) -> Globs:
    """The values of Action or NotAction, of Resource or NotResource: one of each pair must be there."""
    other = f"Not{key}"
    if (key in table) == (other in table):
        problem = f"must not come with {other}" if key in table else f"is missing, and {other} is too"
        raise ShapeError(table.path_of(key), problem)
    there = key if key in table else other
    listed = isinstance(table.entries[there], list)
    values = table.each(there, reader) if listed else (table.required(there, reader),)
    if not values:
        raise ShapeError(table.path_of(there), "must have a value")
    return Globs(pattern(*values), there == other)


def _action(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_ACTION, value):
        raise ValueError('must be an action such as chime:GetVoiceConnector or chime:List*, or "*"')
    return value.lower()


def _resource(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(_RESOURCE, value):
        raise ValueError('must be an ARN such as arn:aws:chime:us-east-1:111122223333:vc/*, or "*"')
    return without_variables(value)
