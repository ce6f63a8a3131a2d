"""What happens to a call, as frozen values: all that records, logs and the console ever learn of it.

Times are seconds since the epoch (UTC), as floats. `aws_transaction_id` is Amazon's TransactionId, one UUID
a call; it is not a SIP transaction.
"""

from dataclasses import dataclass
from typing import Literal

from voiceconnector.trunk.decisions import Decision


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


CallEvent = CallStarted | CallMoved | RouteFailed | CallAnswered | CallEnded | AttemptRefused | MediaFinding
