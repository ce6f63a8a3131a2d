"""What the console of the 2018 guide does, and AWS's API cannot: its routes under `/emulator/chime`, without I/O.

A route's function takes what is asked, as JSON, and returns what is answered. Where it has to know what DNS says,
it returns a `LookUp` instead, and the answer comes out of that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..trunk.shapes import key_of
from ..trunk.store import Conflict
from ..trunk.tables import ShapeError
from .account_rules import SignInRefused
from .api import ApiRequest, Call, Outcome, scope_of
from .context import Control, Fields
from .errors import ApiError
from .service import CHIME, Member, Operation, Shape


class Texts(NamedTuple):
    """The TXT records of a name."""

    records: tuple[str, ...] = ()
    because: str = ""
    """Why there are none."""


@dataclass(frozen=True, slots=True)
class LookUp:
    """A question to DNS, on which the answer depends."""

    name: str
    """Whose TXT records are wanted."""
    then: Callable[[Texts], object]
    """The answer."""


Ids = Mapping[str, str]
"""What stands in the braces of a route's path."""


@dataclass(frozen=True, slots=True)
class Route:
    """One thing that can be done."""

    method: str
    path: str
    """Below `/emulator/chime`, with names in braces."""
    function: Callable[[Control, Ids, object], object]
    """Returns JSON or a `LookUp`. The last argument is the body, as JSON; an empty one is an empty table."""
    status: int = 200
    action: str = ""
    """What IAM and CloudTrail call it (2018 guide p. 17-19); empty: no administrator's action."""


class Answer(NamedTuple):
    """What goes out."""

    status: int
    content: object
    """As JSON; nothing is sent with 204."""
    error: ApiError | None = None


def answer(route: Route, step: Callable[[], object]) -> Answer | LookUp:
    """What a step towards the answer of a route leads to: the answer, why not, or a question."""
    try:
        content = step()
    except ApiError as error:
        return _refused(error)
    except SignInRefused as error:
        return _refused(ApiError("AccessDeniedException", str(error)))
    except Conflict as error:
        return _refused(ApiError("ConflictException", str(error)))
    except ShapeError as error:
        return _refused(ApiError("BadRequestException", str(error)))
    return content if isinstance(content, LookUp) else Answer(route.status, content)


def _refused(error: ApiError) -> Answer:
    return Answer(error.status, {"message": error.message}, error)


def record(
    control: Control, route: Route, request: ApiRequest, ids: Ids, asked: object, given: Answer
) -> tuple[Call, Outcome]:
    """An administrator's action as a call of the API, which the console makes of it (2018 guide p. 20)."""
    fields = {**(asked if isinstance(asked, dict) else {}), **{key_of(name): id_ for name, id_ in ids.items()}}
    output = given.content if isinstance(given.content, dict) else {}
    operation = Operation(
        route.action, CHIME, route.method, (), (), route.status, _as_is(fields), _as_is(output), frozenset()
    )
    call = Call(operation, request, scope_of(request), fields, control.new_uuid(), control.clock())
    return call, Outcome(None if given.error else output, given.error)


def _as_is(fields: Fields) -> Shape:
    """A structure of these members, none of which is a secret."""
    plain = Member(Shape("", "string"))
    return Shape("", "structure", dict.fromkeys(fields, plain))
