"""Calls per second of each Voice Connector, and calls at a time of each Region. The time is an argument.

The rate is counted over a sliding second: with a limit of N, a call is throttled when N others were let
through less than one second before it. Memory is one number for each call of the last second, for each
connector at most.
"""

from collections import deque
from collections.abc import Container

# Unverified: how the service measures a second; that a call beyond the limit counts in `Throttles` is known.
WINDOW = 1.0
"""Seconds over which calls are counted."""


class Limits:
    """The one owner of these counts."""

    def __init__(self) -> None:
        self.throttles: dict[str, int] = {}
        """Calls refused by a limit, by Voice Connector id: the metric `Throttles`."""
        self._starts: dict[str, deque[float]] = {}
        self._active_calls: dict[str, int] = {}
        self._active_calls_in_region: dict[str, int] = {}

    def take_start(self, voice_connector_id: str, cps_limit: int, now: float) -> bool:
        """Count a call at `now` and return True, or return False where that would exceed `cps_limit`.

        A throttled call is not counted: a PBX that keeps trying still gets its rate.
        """
        starts = self._starts.get(voice_connector_id)
        if starts is None:
            starts = self._starts[voice_connector_id] = deque()
        while starts and now - starts[0] >= WINDOW:
            starts.popleft()
        if len(starts) >= cps_limit:
            return False
        starts.append(now)
        return True

    def forget_starts(self, now: float) -> None:
        """Let go of starts that count no longer. `take_start` does so too, once there is another call."""
        for starts in self._starts.values():
            while starts and now - starts[0] >= WINDOW:
                starts.popleft()

    def acquire(self, voice_connector_id: str, region: str) -> None:
        """A call exists from now on; `release` ends it."""
        self._active_calls[voice_connector_id] = self._active_calls.get(voice_connector_id, 0) + 1
        self._active_calls_in_region[region] = self._active_calls_in_region.get(region, 0) + 1

    def release(self, voice_connector_id: str, region: str) -> None:
        """A call that was acquired is over."""
        for counts, key in (
            (self._active_calls, voice_connector_id),
            (self._active_calls_in_region, region),
        ):
            assert counts.get(key, 0) > 0, f"a call of {key} was released twice"
            if counts[key] == 1:
                del counts[key]
            else:
                counts[key] -= 1

    def active_calls(self, voice_connector_id: str) -> int:
        """Calls of one Voice Connector that exist now."""
        return self._active_calls.get(voice_connector_id, 0)

    def active_calls_in_region(self, region: str) -> int:
        """Calls of all Voice Connectors of a Region that exist now; what the service's quota counts."""
        return self._active_calls_in_region.get(region, 0)

    def count_throttle(self, voice_connector_id: str) -> None:
        """A call was refused by a limit."""
        self.throttles[voice_connector_id] = self.throttles.get(voice_connector_id, 0) + 1

    def retain(self, voice_connector_ids: Container[str]) -> None:
        """Forget rates and throttles of Voice Connectors that are no longer there."""
        for counts in (self.throttles, self._starts):
            for voice_connector_id in [key for key in counts if key not in voice_connector_ids]:
                del counts[voice_connector_id]
