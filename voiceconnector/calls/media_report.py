"""What the relay sees, in words and figures, where a user will look for it: notes, facts and counters of the call."""

from voiceconnector.media.dtmf import Digit
from voiceconnector.media.negotiation import Leg
from voiceconnector.media.offer_answer import private_range
from voiceconnector.media.plan import UNENCRYPTED, Address
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import (
    AudioHeard,
    CallStats,
    ClockDrift,
    DigitReceived,
    FirstPacket,
    Flooded,
    MediaStopped,
    MinuteStats,
    NoMedia,
    PortUnavailable,
    ProtectionFailed,
    RelayDied,
    RelayEvent,
    SilentAudio,
    SinkFailed,
    SourceFinished,
    ToneDigit,
    WrongPayloadType,
    WrongSource,
)
from voiceconnector.sip.hop import host_port
from voiceconnector.trunk.profile import Profile

from . import media_verdict
from .call import Call
from .events import MediaFinding
from .history import DIGITS, CallHistory, MediaFact
from .media_quality import LegQuality, media_quality
from .switch import Switch

_PAYLOAD_NAMES = {0: "PCMU", 3: "GSM", 4: "G723", 8: "PCMA", 9: "G722", 13: "comfort noise", 15: "G728", 18: "G729"}
"""Static payload types that PBXs are seen to send (RFC 3551 table 4)."""


def take(switch: Switch, event: RelayEvent, now: float) -> None:
    """Hand one event of the relay to the call it belongs to."""
    if isinstance(event, RelayDied):
        for key in event.calls:
            if call := switch.call(key):
                call.hang_up(now, "the media relay ended unexpectedly", cause=500)
        switch.forget_counters()
        return
    if isinstance(event, CallStats | MinuteStats):
        final = isinstance(event, CallStats) and event.final
        history = switch.history_of(event.call, forget=final)
        if history:
            _count(switch, history, event, now)
        return
    call = switch.call(event.call)
    if call is None:
        return
    fact = _fact(call, event, now)
    if isinstance(event, DigitReceived):
        _take_digit(switch, call.history, event, now)
    elif fact is None:
        _tell(switch, call.history, _sentence(call, event), now)
    elif media_verdict.put(call.history, fact):
        _tell_fact(switch, call.history, fact, now)
    if isinstance(event, MediaStopped):
        call.audit(_leg(event.leg), now)


def _tell(switch: Switch, history: CallHistory, sentence: str, now: float) -> None:
    if sentence:
        history.note(now, sentence)
        switch.events.append(MediaFinding(history.aws_transaction_id, now + switch.epoch, sentence))


def _tell_fact(switch: Switch, history: CallHistory, fact: MediaFact, now: float) -> None:
    sentence = f"{fact.text} {fact.check}" if fact.check else fact.text
    history.note(now, sentence)
    time = now + switch.epoch
    switch.events.append(MediaFinding(history.aws_transaction_id, time, sentence, fact.severity, fact.kind))


# -- events


def _take_digit(switch: Switch, history: CallHistory, event: DigitReceived, now: float) -> None:
    """Digits are remembered apart from the notes, which they would fill."""
    digits = history.digits.setdefault(event.leg, [])
    if len(digits) < DIGITS:
        digits.append(Digit(event.digit, event.duration_ms))
        party = _beginning(history.roles.party[event.leg])
        sentence = f"{party} sent the digit {event.digit} as an event, {event.duration_ms} ms long."
        time = now + switch.epoch
        switch.events.append(MediaFinding(history.aws_transaction_id, time, sentence, "info", "digits"))


def _fact(call: Call, event: RelayEvent, now: float) -> MediaFact | None:
    """What an event says of the call's media for as long as it lasts, if it does."""
    party = call.history.roles.party
    if isinstance(event, FirstPacket):
        media_verdict.end(call.history, "no audio", event.leg, now)
        return _other_source(call, event, now)
    if isinstance(event, NoMedia):
        plan = media_verdict.plan_of(call.history, event.leg)
        assert plan, "it was told of one"
        text = f"No RTP from {party[event.leg]} for {event.seconds:g} s; {media_verdict.told_where(plan)}."
        check = media_verdict.where_to_look(plan)
        return MediaFact("no audio", event.leg, "problem", now - event.seconds, text, check)
    if isinstance(event, SilentAudio):
        return MediaFact(
            "silent audio",
            event.leg,
            "warning",
            now - event.seconds,
            f"{_beginning(party[event.leg])} sends audio without any sound, below -60 dBm0, for {event.seconds:.0f} s.",
            "Look at whether it is muted or on hold there, and at its microphone or the call it bridges.",
        )
    if isinstance(event, WrongPayloadType):
        return _wrong_payload_type(call, event, now)
    if isinstance(event, ClockDrift):
        return MediaFact(
            "clock drift",
            event.leg,
            "warning",
            now,
            f"The audio clock of {party[event.leg]} runs {abs(event.ppm)} ppm {'fast' if event.ppm > 0 else 'slow'}: "
            f"a packet too {'many' if event.ppm > 0 else 'few'} every {20_000 / abs(event.ppm):.0f} s.",
            "Look at the timing source of the device, or of the virtual machine that it runs on.",
        )
    if isinstance(event, ToneDigit):
        return _tones(call, event, now)
    return None


def _other_source(call: Call, event: FirstPacket, now: float) -> MediaFact | None:
    if event.signalled in (None, event.source):
        return None
    assert event.signalled
    private = private_range(event.signalled[0])
    same_address = event.signalled[0] == event.source[0]
    if same_address:
        kind, check = "other port", "Symmetric RTP helps; a firewall may not: let it send from the port of its SDP."
    elif private:
        kind = "private address"
        check = f"That is a private address ({private}): set the public address that its SDP is to name (NAT)."
    else:
        kind, check = "other address", "Look at the address its SDP names, and at NAT on the way."
    text = (
        f"First RTP from {call.history.roles.party[event.leg]} comes from {_place(event.source)}, while its SDP says "
        f"{_place(event.signalled)}; audio is sent back to where it comes from."
    )
    return MediaFact(kind, event.leg, "info" if same_address else "warning", now, text, check)


def _wrong_payload_type(call: Call, event: WrongPayloadType, now: float) -> MediaFact:
    plan = media_verdict.plan_of(call.history, event.leg)
    agreed = ", ".join(_payload(number) for number in sorted(set(plan.payload_types if plan else ())))
    text = (
        f"{_beginning(call.history.roles.party[event.leg])} sends payload type {_payload(event.payload_type)}, which "
        f"was not agreed ({agreed}); it is not relayed."
    )
    check = "Let it keep to its own offer or answer: look at its codecs for this trunk, and at transcoding."
    return MediaFact("wrong payload type", event.leg, "problem", now, text, check)


def _payload(number: int) -> str:
    name = _PAYLOAD_NAMES.get(number)
    return f"{number} ({name})" if name else str(number)


def _tones(call: Call, event: ToneDigit, now: float) -> MediaFact:
    history = call.history
    tones = history.tones.get(event.leg, "")
    if len(tones) < DIGITS:
        history.tones[event.leg] = tones + event.digit
    plan = media_verdict.plan_of(history, event.leg)
    agreed = plan is not None and plan.event_payload_type is not None
    why = "although telephone-event was agreed" if agreed else "as telephone-event was not offered"
    text = (
        f"{_beginning(history.roles.party[event.leg])} sends digits as tones in the audio, {why}: "
        f"{history.tones[event.leg]}."
    )
    check = "Set its DTMF mode to RFC 4733 (also called RFC 2833) for this trunk."
    return MediaFact("tones", event.leg, "warning", now, text, check)


def _sentence(call: Call, event: RelayEvent) -> str:
    """What an event says that is over with it; and what it ends."""
    history, party = call.history, call.history.roles.party
    if isinstance(event, FirstPacket):
        return f"First RTP from {party[event.leg]}, from {_place(event.source)}."
    if isinstance(event, AudioHeard):
        fact = history.media_facts.get(("silent audio", event.leg))
        if fact:
            fact.until = fact.since + event.seconds
        return f"There is sound from {party[event.leg]} again, after {event.seconds:.0f} s."
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


# -- counters


def _count(switch: Switch, history: CallHistory, event: CallStats | MinuteStats, now: float) -> None:
    """Put the counters where they are shown; at the end of a minute, and of the call, tell how it was."""
    final = isinstance(event, CallStats) and event.final
    history.counting = history.counting and not final
    count(history, event.streams, switch.profile)
    before = history.minute[1] if history.minute else {}
    legs = {stats.leg: LegQuality(stats, switch.profile, before.get(stats.leg)) for stats in event.streams}
    new = [fact for leg, quality in legs.items() for fact in media_verdict.judge(history, leg, quality, now)]
    if final:
        new += [fact for stats in event.streams for fact in media_verdict.absence(history, stats)]
    for fact in new:
        _tell_fact(switch, history, fact, now)
    if (final or isinstance(event, MinuteStats)) and len(legs) == 2:
        _tell_quality(switch, history, legs, event.streams, now)


def _tell_quality(
    switch: Switch, history: CallHistory, legs: dict[str, LegQuality], streams: tuple[StreamStats, ...], now: float
) -> None:
    """A `MediaQuality` for what came since the latest one; none for an end at which nothing more had come."""
    idle = not any(one.received.rtp_packets + one.sent.rtp_packets for one in legs.values())
    since = history.minute[0] if history.minute else history.answered_at or history.started_at
    if history.started is None or (idle and history.ended and history.minute):
        return
    history.minute = now, {stats.leg: stats for stats in streams}
    told = media_quality(history.started, history.roles, legs, now + switch.epoch, round(now - since, 3))
    switch.events.append(told)


def count(history: CallHistory, streams: tuple[StreamStats, ...], profile: Profile) -> None:
    """Put the relay's counters where the history shows them, by AWS's names of the directions."""
    history.counted += 1
    for stats in streams:
        inward, outward = history.roles.counters[stats.leg]
        quality = LegQuality(stats, profile)
        history.media[inward] = {
            "packets": stats.packets,
            "bytes": stats.bytes,
            "lost": stats.lost,
            "jitter_us": quality.received.jitter_us,
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
            "rtt_us": quality.rtt_us,
            "mos": quality.received.mos,
            "clock_drift_ppm": stats.drift_ppm,
            "source": _place(stats.source) if stats.source else None,
        }
        history.media[outward] = {
            "packets": stats.sent_packets,
            "bytes": stats.sent_bytes,
            "lost": quality.sent.packets_lost,
            "jitter_us": quality.sent.jitter_us,
            "rtcp_packets": stats.rtcp_sent_packets,
            "rtcp_bytes": stats.rtcp_sent_bytes,
            "rtt_us": quality.rtt_us,
            "mos": quality.sent.mos,
            "send_failed": stats.send_failed,
        }


def _place(address: Address | None) -> str:
    return host_port(*address[:2]) if address else "no address yet"


def _beginning(party: str) -> str:
    """A party as sentences begin with it."""
    return party[0].upper() + party[1:]


def _leg(name: str) -> Leg:
    return "a" if name == "a" else "b"
