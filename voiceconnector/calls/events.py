"""What happens to a call, as frozen values: all that records, logs and the console ever learn of it.

Times are seconds since the epoch (UTC), as floats. `aws_transaction_id` is Amazon's TransactionId, one UUID
a call; it is not a SIP transaction.
"""

from dataclasses import dataclass
from typing import Literal

from voiceconnector.trunk.decisions import Decision

Severity = Literal["problem", "warning", "info"]
"""Of what is found in a call's media: it does not work, it works badly or oddly, it is good to know."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """A call attempt got past the source checks: from here on it owes exactly one record."""

    aws_transaction_id: str
    call_id: str
    """SIP Call-ID of the customer's leg."""
    voice_connector_id: str
    region: str
    """AWS Region, "us-east-1"."""
    direction: Literal["Outbound", "Inbound"]
    """Outbound: customer to PSTN."""
    source_phone_number: str
    destination_phone_number: str
    sip_auth_user: str
    """Digest user name; empty where the connector has no credentials."""
    start_time: float


@dataclass(frozen=True, slots=True)
class CallMoved:
    """An inbound call goes on through another Voice Connector of its group: the record will be that one's."""

    started: CallStarted


@dataclass(frozen=True, slots=True)
class RouteFailed:
    """A target of an inbound call did not take it, and the next one is tried."""

    aws_transaction_id: str
    time: float
    voice_connector_id: str
    target: str
    """ "UDP 192.0.2.10:5080", or the host of a route that led to no address."""
    seconds: float
    """How long it took to find out."""
    because: str


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The far side's 2xx was passed on."""

    started: CallStarted
    answer_time: float


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The call is over, however it went. The call detail record is a pure function of this."""

    started: CallStarted
    answer_time: float | None
    """None for a call that was never answered: nothing is billable."""
    end_time: float
    completed: bool
    """The record's Status: Completed, or Failed."""
    status_message: str
    """ "OK", or the SIP reason."""
    streaming: bool = False


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """A call attempt was refused or challenged by an admission check."""

    aws_transaction_id: str
    time: float
    call_id: str
    source_address: str
    voice_connector_id: str
    """Empty where no connector could be told from the request."""
    decision: Decision


@dataclass(frozen=True, slots=True)
class MediaFinding:
    """Something a user should know about a call's audio, in words."""

    aws_transaction_id: str
    time: float
    text: str
    severity: Severity = "info"
    kind: str = ""
    """What it is about, "silent audio"; "" for what merely happened."""


@dataclass(frozen=True, slots=True)
class DirectionQuality:
    """How one direction of a call's media was, in the time that it is told of."""

    rtp_packets: int
    rtp_bytes: int
    rtcp_packets: int
    rtcp_bytes: int
    packets_lost: int | None
    """None where it is for the far side to say, and that has sent no report. As `jitter_us`."""
    jitter_us: int | None
    """Average, in microseconds."""
    mos: float | None
    """1.0 to 4.4; None where nothing was sent."""


@dataclass(frozen=True, slots=True)
class MediaQuality:
    """How a call's media was: told each minute, and at its end of what is left. Directions have AWS's names."""

    started: CallStarted
    time: float
    """When that time ended."""
    seconds: float
    """How long it was."""
    cust2vc: DirectionQuality
    vc2cust: DirectionQuality
    rem2vc: DirectionQuality
    vc2rem: DirectionQuality
    rtt_btwn_vc_and_cust: int | None
    """Average round trip in microseconds; None without a report of the far side."""
    mos_btwn_vc_and_cust: float | None
    """The worse of both directions."""
    rtt_btwn_vc_and_rem: int | None
    mos_btwn_vc_and_rem: float | None


CallEvent = (
    CallStarted | CallMoved | RouteFailed | CallAnswered | CallEnded | AttemptRefused | MediaFinding | MediaQuality
)
