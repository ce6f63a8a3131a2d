"""Faults to rehearse: Regions that are down or slow.

A Region that is down drops its signalling and its media without a word, in both directions; a slow one delays
its signalling. What is asked for comes in as plain tables and is checked here; how it is done is the business
of whoever applies it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Literal

from .trunk.tables import Reader, ShapeError, Table, choice, mapping, number, read

State = Literal["up", "down", "slow"]

DEFAULT_DELAY = 2.0
LONGEST_DELAY = 60.0
"""Seconds; no request of SIP waits as long for an answer (RFC 3261 17.1.1.2)."""

_state: Reader[State] = choice("up", "down", "slow")


class UnknownRegion(LookupError):
    """The emulator has no such Region."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a Region is."""

    state: State = "up"
    delay_seconds: float = 0.0
    """How much longer each of its signalling packets takes; 0 unless it is slow."""

    @property
    def delay(self) -> float:
        """Seconds that a signalling packet takes longer, infinity where it never arrives."""
        return inf if self.state == "down" else self.delay_seconds

    @property
    def described(self) -> str:
        """As the end of a sentence: "Region us-east-1 is …"."""
        match self.state:
            case "down":
                return "down, so its packets are dropped without a word"
            case "slow":
                return f"slow, so its signalling comes {self.delay_seconds:g} s later, both ways"
            case "up":
                return "up"


class Regions:
    """The condition of each Region."""

    def __init__(self, names: Iterable[str], apply: Callable[[str, Condition], None]) -> None:
        """`apply` is called with a Region's name and its new condition, and makes it so."""
        self._conditions = dict.fromkeys(names, Condition())
        self._apply = apply

    def available(self, name: str) -> bool:
        """Whether calls can go through a Region: it is served here and not down. A slow one is available."""
        condition = self._conditions.get(name)
        return condition is not None and condition.state != "down"

    def set(self, name: str, wanted: object) -> Condition:
        """Put a Region into a condition: a table with State and, for slow ones, DelaySeconds.

        Raises UnknownRegion, and ShapeError for what the table must not have.
        """
        if name not in self._conditions:
            raise UnknownRegion(f"there is no Region {name}; this emulator serves {', '.join(self._conditions)}")
        table = Table(read(mapping, wanted, "the condition"), "", ("State", "DelaySeconds"))
        state = table.required("State", _state)
        if state != "slow" and "DelaySeconds" in table:
            raise ShapeError("DelaySeconds", f"must not be there: a Region that is {state} delays nothing")
        delay = table.get("DelaySeconds", number(0.001, LONGEST_DELAY), DEFAULT_DELAY)
        condition = Condition(state, delay if state == "slow" else 0.0)
        self._conditions[name] = condition
        self._apply(name, condition)
        return condition

    def shown(self, dropped: Mapping[str, int]) -> dict[str, dict[str, object]]:
        """Every Region as a JSON object, by name. `dropped`: signalling packets lost so far."""
        return {
            name: {
                "State": condition.state,
                "DelaySeconds": condition.delay_seconds,
                "DroppedPackets": dropped.get(name, 0),
            }
            for name, condition in self._conditions.items()
        }
