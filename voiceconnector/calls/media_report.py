"""What the relay sees, in words, where a user will look for it: the call's notes and counters."""

from voiceconnector.media.negotiation import Leg
from voiceconnector.media.plan import UNENCRYPTED, Address
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import (
    CallStats,
    FirstPacket,
    Flooded,
    MediaStopped,
    NoMedia,
    PortUnavailable,
    ProtectionFailed,
    RelayDied,
    RelayEvent,
    SinkFailed,
    SourceFinished,
    WrongSource,
)
from voiceconnector.sip.hop import host_port

from .call import Call
from .events import MediaFinding
from .history import CallHistory
from .switch import Switch


def take(switch: Switch, event: RelayEvent, now: float) -> None:
    """Hand one event of the relay to the call it belongs to."""
    if isinstance(event, RelayDied):
        for key in event.calls:
            if call := switch.call(key):
                call.hang_up(now, "the media relay ended unexpectedly", cause=500)
        switch.forget_counters()
        return
    if isinstance(event, CallStats):
        history = switch.history_of(event.call, forget=event.final)
        if history:
            count(history, event.streams)
        return
    call = switch.call(event.call)
    if call is None:
        return
    sentence = _sentence(call, event)
    if sentence:
        call.history.note(now, sentence)
        switch.events.append(MediaFinding(call.history.aws_transaction_id, now + switch.epoch, sentence))
    if isinstance(event, MediaStopped):
        call.audit(_leg(event.leg), now)


def _sentence(call: Call, event: RelayEvent) -> str:
    party = call.history.roles.party
    if isinstance(event, FirstPacket):
        source = _place(event.source)
        if event.signalled in (None, event.source):
            return f"First RTP from {party[event.leg]}, from {source}."
        return (
            f"First RTP from {party[event.leg]} comes from {source}, while its SDP says "
            f"{_place(event.signalled)}; audio is sent back to where it comes from."
        )
    if isinstance(event, NoMedia):
        told = _place(call.media.ours(_leg(event.leg)))
        return (
            f"No RTP from {party[event.leg]} for {event.seconds:g} s; it was told to send to {told}. "
            "Look for a firewall or NAT that drops UDP to that address, and at the address the device uses for media."
        )
    if isinstance(event, MediaStopped):
        return f"RTP from {party[event.leg]} stopped {event.seconds:g} s ago; asking whether it is still there."
    if isinstance(event, WrongSource):
        return (
            f"RTP came from {_place(event.source)} too, which is not {party[event.leg]} "
            f"({_place(event.expected)}); it is not relayed."
        )
    if isinstance(event, Flooded):
        return f"{party[event.leg]} sends {event.packets_per_second} packets a second; they are not relayed."
    if isinstance(event, PortUnavailable):
        return f"Port {event.pair.rtp} for {party[event.leg]} is taken by another program: {event.problem}."
    if isinstance(event, SourceFinished) and event.problem:
        return f"{event.source} for {party[event.leg]}: {event.problem}."
    if isinstance(event, ProtectionFailed):
        return _protection(event, party[event.leg])
    if isinstance(event, SinkFailed):
        return f"{event.sink} of {party[event.leg]} to {event.path}: {event.problem}. The call goes on without it."
    return ""


def _protection(event: ProtectionFailed, party: str) -> str:
    if event.source is None:
        return f"No media for {party}: the keys agreed on can not be used, {event.why}."
    if event.why == UNENCRYPTED:
        return (
            f"RTP from {party}, from {_place(event.source)}, is not encrypted, though SRTP was agreed on; it is not "
            "relayed. Have the device send what its SDP says (RTP/SAVP), or agree on RTP/AVP."
        )
    return (
        f"Packets come from {_place(event.source)} but cannot be authenticated with the key in the SDP of {party}; "
        "they are not relayed. Look whether the device sends with the key and suite of its own a=crypto line whose "
        "tag was agreed on, and goes on doing so after a re-INVITE."
    )


def count(history: CallHistory, streams: tuple[StreamStats, ...]) -> None:
    """Put the relay's counters where the history shows them, by AWS's names of the directions."""
    for stats in streams:
        inward, outward = history.roles.counters[stats.leg]
        history.media[inward] = {
            "packets": stats.packets,
            "bytes": stats.bytes,
            "lost": stats.lost,
            "jitter_us": stats.jitter_us,
            "out_of_order": stats.out_of_order,
            "wrong_payload_type": stats.wrong_payload_type,
            "wrong_source": stats.wrong_source,
            "malformed": stats.malformed,
            "srtp_auth_failed": stats.srtp_auth_failed,
            "srtp_replayed": stats.srtp_replayed,
            "srtp_truncated": stats.srtp_truncated,
            "srtp_unencrypted": stats.srtp_unencrypted,
            "rtcp_packets": stats.rtcp_packets,
            "rtcp_bytes": stats.rtcp_bytes,
            "source": _place(stats.source) if stats.source else None,
        }
        history.media[outward] = {"packets": stats.sent_packets, "send_failed": stats.send_failed}


def _place(address: Address | None) -> str:
    return host_port(*address[:2]) if address else "no address yet"


def _leg(name: str) -> Leg:
    return "a" if name == "a" else "b"
