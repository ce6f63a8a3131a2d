"""What is remembered of a call for those who ask later: `explain`, the ladder, the list of calls.

Live calls are all here; of ended calls, refused attempts and other refused requests the latest are kept, a fixed
number of each, so that a flood of one kind cannot push out the one that somebody is looking for.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from voiceconnector.media.dtmf import Digit
from voiceconnector.media.plan import MediaPlan
from voiceconnector.media.quality import StreamStats
from voiceconnector.sip.transaction import LogEntry
from voiceconnector.trunk.attempts import Admission, CallAttempt
from voiceconnector.trunk.decisions import Decision
from voiceconnector.trunk.model import OriginationRoute

from .events import CallEnded, CallStarted, Severity
from .keeping import NOTHING, Keeping
from .roles import OUTBOUND, Roles

ENDED_CALLS = 1_000
REFUSED_ATTEMPTS = 500
REFUSED_REQUESTS = 50
"""Of OPTIONS, REGISTER and the like, which come again and again: the latest of each kind from each source."""
CHALLENGED_ATTEMPTS = 500
NOTES = 200
"""Sentences kept of one call; of more, the beginning and the end are."""
DIGITS = 200
"""Digits of each side that are remembered."""


@dataclass(slots=True)
class Try:
    """One attempt to reach a PBX: a route, and one of the addresses it leads to."""

    voice_connector_id: str
    region: str
    route: OriginationRoute
    target: str
    """Where the INVITE went, "UDP 192.0.2.10:5080"; "" where the route led to no address."""
    started_at: float
    """Monotonic seconds."""
    ended_at: float | None = None
    outcome: str = ""
    """What became of it, in words that go on from "…: "."""


@dataclass(slots=True)
class MediaFact:
    """Something that was found in the media of one side."""

    kind: str
    """ "no audio", "silent audio" …: a side has one of each at most."""
    leg: str
    severity: Severity
    since: float
    """Monotonic seconds."""
    text: str
    """What it is, as a sentence."""
    check: str = ""
    """What to look at; "" for nothing."""
    until: float | None = None
    """None while it lasts."""


@dataclass(slots=True)
class CallHistory:
    """One call attempt, from its first message to whatever became of it."""

    aws_transaction_id: str
    call_id: str
    attempt: CallAttempt
    admission: Admission
    log: list[LogEntry]
    """Messages of both legs in the order they were seen, and those of the challenge before."""
    started_at: float
    """Monotonic seconds, as `log` and `notes`."""
    method: str = "INVITE"
    """What was asked for; anything but INVITE was refused."""
    peers: dict[str, str] = field(default_factory=dict)
    """Who is at an address: "UDP 127.0.0.1:5080" -> "PBX"."""
    notes: list[tuple[float, str]] = field(default_factory=list)
    """What happened, in sentences."""
    started: CallStarted | None = None
    answered_at: float | None = None
    refusal: Decision | None = None
    """Why an admitted call was not answered; None where it was, or its caller gave up."""
    ended: CallEnded | None = None
    media: dict[str, dict[str, int | float | str | None]] = field(default_factory=dict)
    """The relay's counters by direction, "cust2vc" and so on; the final ones once the call is over."""
    media_facts: dict[tuple[str, str], MediaFact] = field(default_factory=dict)
    """By kind and leg."""
    digits: dict[str, list[Digit]] = field(default_factory=dict)
    """DTMF events that came from a leg, where any did."""
    tones: dict[str, str] = field(default_factory=dict)
    """DTMF digits that came from a leg as tones in the audio, where any did."""
    counting: bool = False
    """Whether the call is over and its final counters are yet to come."""
    counted: int = 0
    """How many times the relay has told its counters."""
    minute: tuple[float, dict[str, StreamStats]] | None = None
    """When the latest whole minute ended, and the counters then."""
    plan: MediaPlan | None = None
    """What the relay was last told; None for a call without media."""
    keeping: Keeping = NOTHING
    """What is kept of its media while it lasts."""
    codec: str = ""
    """Encoding name of the audio, as the caller prefers it."""
    roles: Roles = OUTBOUND
    tries: list[Try] = field(default_factory=list)
    """Of an inbound call, in order."""
    pstn_call_id: str = ""
    """Of an inbound call: the Call-ID on the PSTN's side."""

    def note(self, now: float, sentence: str) -> None:
        """Remember something that a user may want to know."""
        self.notes.append((now, sentence))
        if len(self.notes) > NOTES:
            del self.notes[NOTES // 2]


class History:
    """The calls there are and the latest there were, by TransactionId."""

    def __init__(self) -> None:
        self.live: dict[str, CallHistory] = {}
        self._ended: OrderedDict[str, CallHistory] = OrderedDict()
        self._refused: OrderedDict[str, CallHistory] = OrderedDict()
        self._refused_requests: OrderedDict[str, CallHistory] = OrderedDict()
        self._challenged: OrderedDict[str, CallHistory] = OrderedDict()
        self.added = 0
        """How many calls were over, or attempts refused, since whoever reads this set it to 0."""

    @property
    def over(self) -> tuple[OrderedDict[str, CallHistory], ...]:
        """All that is remembered and will not change any more."""
        return self._ended, self._refused, self._refused_requests, self._challenged

    def find(self, aws_transaction_id: str) -> CallHistory | None:
        for calls in (self.live, self._ended, self._refused):
            if aws_transaction_id in calls:
                return calls[aws_transaction_id]
        others = (*self._challenged.values(), *self._refused_requests.values())
        return next((call for call in others if call.aws_transaction_id == aws_transaction_id), None)

    def from_pstn(self, call_id: str) -> CallHistory | None:
        """The inbound call, or attempt of one, that has this Call-ID on the PSTN's side."""
        known = (call for calls in (self.live, self._refused, self._ended) for call in reversed(calls.values()))
        return next((call for call in known if call.pstn_call_id == call_id), None)

    def all(self) -> list[CallHistory]:
        """Every call and attempt that is remembered, the latest first."""
        kept = (self.live, self._ended, self._refused, self._refused_requests, self._challenged)
        return sorted((call for calls in kept for call in calls.values()), key=lambda call: -call.started_at)

    def end(self, call: CallHistory) -> None:
        """A live call is over."""
        self.live.pop(call.aws_transaction_id, None)
        self._keep(self._ended, call.aws_transaction_id, call, ENDED_CALLS)

    def refuse(self, call: CallHistory) -> None:
        """An attempt was refused, or another request."""
        if call.method == "INVITE":
            self._keep(self._refused, call.aws_transaction_id, call, REFUSED_ATTEMPTS)
        else:
            kind = f"{call.method} {call.attempt.source_address} {call.admission.decision.check}"
            self._refused_requests.pop(kind, None)
            self._keep(self._refused_requests, kind, call, REFUSED_REQUESTS)

    def challenge(self, call: CallHistory) -> None:
        """An attempt was challenged: the next one with its Call-ID from the same address goes on from there."""
        key = f"{call.call_id} {call.attempt.source_address}"
        self._challenged.pop(key, None)
        self._keep(self._challenged, key, call, CHALLENGED_ATTEMPTS)

    def take_challenged(self, call_id: str, source_address: str) -> CallHistory | None:
        """The challenged attempt that an INVITE with this Call-ID continues."""
        return self._challenged.pop(f"{call_id} {source_address}", None)

    def _keep(self, calls: OrderedDict[str, CallHistory], key: str, call: CallHistory, limit: int) -> None:
        self.added += 1
        calls[key] = call
        if len(calls) > limit:
            # Transactions that linger share the list: clearing it lets go of the messages at once.
            calls.popitem(last=False)[1].log.clear()
