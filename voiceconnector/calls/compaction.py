"""What is remembered of calls that are over, moved together in memory.

That is some hundred small objects a call, made one by one while many other calls went on. The memory of those goes
back to the system in large pieces only, and a single object that stays keeps a whole piece. So when nothing goes
on, all that stays is written out as bytes, let go of, and read in again, into as few pieces as it needs.
"""

import gc
import pickle
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from io import BytesIO
from operator import attrgetter
from typing import Any

from voiceconnector.media import negotiation, sdp
from voiceconnector.sip import hop, uri
from voiceconnector.sip.hop import Local
from voiceconnector.trunk import numbers
from voiceconnector.trunk.attempts import Admission, Authentication, CallAttempt
from voiceconnector.trunk.decisions import Decision
from voiceconnector.trunk.model import OriginationRoute

from .events import CallEnded, CallStarted
from .history import CallHistory, MediaFact, Try
from .roles import Roles

_Reduction = Callable[[Any], str | tuple[Any, ...]]


def compact(kept: Sequence[dict[Any, Any]]) -> None:
    """Fill each dictionary with an equal copy of what is in it.

    A call's connector stays the very object it is. Nothing else may refer to the calls, or to their logs.
    """
    connectors = [call.admission.connector for call in _calls(kept)]
    written = _written(kept)
    for known in kept:
        known.clear()
    gc.collect()  # Python keeps some thousand tuples for later use; it lets go of them here.
    for known, items in zip(kept, pickle.loads(written), strict=True):
        known.update(items)
    for call, connector in zip(_calls(kept), connectors, strict=True):
        call.admission = replace(call.admission, connector=connector)


def forget() -> None:
    """Let go of what texts in messages were read as: those that come again are read again."""
    uri.forget()
    hop.forget()
    sdp.forget()
    negotiation.forget()
    numbers.forget()


def _calls(kept: Sequence[dict[Any, Any]]) -> list[CallHistory]:
    return [call for known in kept for call in known.values() if isinstance(call, CallHistory)]


def _written(kept: Sequence[dict[Any, Any]]) -> bytes:
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = REDUCTIONS
    pickler.dump([list(known.items()) for known in kept])
    return buffer.getvalue()


def _by_fields(kind: type[Any]) -> _Reduction:
    """Writes a dataclass as the arguments it is made with: a compiled one that is frozen can be read no other way."""
    arguments = attrgetter(*[field.name for field in fields(kind) if field.init])
    return lambda thing: (kind, arguments(thing))


def _without_connector(admission: Admission) -> str | tuple[Any, ...]:
    return _ADMISSION(replace(admission, connector=None))


def _by_name(roles: Roles) -> str:
    """The name in `roles` of the one there is of each direction."""
    return roles.direction.upper()


_ADMISSION = _by_fields(Admission)
REDUCTIONS: dict[type[Any], _Reduction] = {
    kind: _by_fields(kind)
    for kind in (
        CallHistory, Try, MediaFact, CallAttempt, Authentication, Decision, CallStarted, CallEnded,
        OriginationRoute, Local,
    )
} | {
    Admission: _without_connector,
    Roles: _by_name,
}  # fmt: skip
"""How each class of object is written that a `CallHistory` consists of, besides named tuples and what Python knows."""
