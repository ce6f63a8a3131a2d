"""What is noticed when nothing arrives, or far too much: silences and floods of one leg. Runs twice a second."""

from collections.abc import Callable

from voiceconnector.media.plan import StreamPlan
from voiceconnector.media.quality import Reception

FLOOD_PACKETS_PER_SECOND = 2000
"""Forty times what audio needs: packets running in a circle between parties that forward, or an attack."""
FLOOD_OVER_PACKETS_PER_SECOND = 200
"""A flood lasts until no more than this come: of what is sent, a relay that is short of time takes a part only."""

Tell = Callable[..., None]
"""Called with an event's name and what follows call and leg in it."""


class Watch:
    """Looks at one leg's reception and tells of silences and floods, each once for each plan or occurrence."""

    __slots__ = ("_flood_told", "_flooded", "_packets", "_reception", "_silence_told", "_since_us", "_tell")

    def __init__(self, reception: Reception, tell: Tell) -> None:
        self._reception = reception
        self._tell = tell
        self._since_us = self._packets = 0
        self._flood_told = self._flooded = self._silence_told = False

    def replan(self, now_us: int) -> None:
        """A new plan: time for media to come begins again."""
        self._since_us = now_us
        self._flood_told = self._silence_told = False

    def quiet_us(self, now_us: int) -> int:
        """For how long nothing has come, since the plan at most."""
        return now_us - max(self._reception.last_us, self._since_us)

    def look_for_silence(self, plan: StreamPlan, now_us: int) -> None:
        """Tells when media has not come, or has stopped, for as long as the plan says."""
        came = self._reception.packets
        limit = plan.vanish_seconds if came else plan.no_media_seconds
        if not limit or not plan.receive or self.quiet_us(now_us) < limit * 1_000_000:
            self._silence_told = False
        elif not self._silence_told:
            self._silence_told = True
            self._tell("MediaStopped" if came else "NoMedia", limit)

    def flooded(self, elapsed_us: int) -> bool:
        """Whether far more comes than any audio needs. To be asked once for each interval, at its end."""
        came = self._reception.packets - self._packets
        self._packets += came
        limit = FLOOD_OVER_PACKETS_PER_SECOND if self._flooded else FLOOD_PACKETS_PER_SECOND
        self._flooded = came * 1_000_000 > limit * elapsed_us
        if self._flooded and not self._flood_told:
            self._flood_told = True
            self._tell("Flooded", came * 1_000_000 // elapsed_us)
        return self._flooded
