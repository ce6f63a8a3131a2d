"""A call in plain words, and as plain data: what was decided, by which check, because of which setting.

Pure functions over a `CallHistory`; nothing here costs a call anything.
"""

import re
from textwrap import fill
from typing import Any

from voiceconnector.media.plan import StreamPlan
from voiceconnector.sip.hop import host_port
from voiceconnector.sip.lint import Anomaly, Level, anomalies
from voiceconnector.trunk.admission import Finding, explain_checks
from voiceconnector.trunk.checks import CHECKS
from voiceconnector.trunk.decisions import Decision, Outcome, shown
from voiceconnector.trunk.profile import Profile
from voiceconnector.trunk.routing import explain_inbound

from . import media_verdict
from .history import CallHistory, MediaFact, Try
from .refusals import REASON_PHRASES
from .roles import INBOUND
from .route_set import departures

_CHECKS = {"", *(check.name for check in CHECKS)}
"""Names of the admission checks, and that of an admission."""
_MARKS = {"passed": "ok ", "admitted": "ok ", "challenged": "?  ", "rejected": "NO ", "dropped": "NO "}
_SEVERITIES = {"problem": "NO ", "warning": "?  ", "info": "ok "}
_DIRECTIONS = {
    "cust2vc": "PBX to trunk",
    "vc2cust": "trunk to PBX",
    "rem2vc": "PSTN to trunk",
    "vc2rem": "trunk to PSTN",
}
_BOTH_VIAS = "a response that still has 2 Vias"
_LINE_NUMBER = re.compile(r" \(line \d+\)")


def state_of(call: CallHistory) -> str:
    """One word for where a call is: ringing, answered, completed, failed, refused or challenged."""
    if call.ended:
        return "completed" if call.ended.completed else "failed"
    if call.started:
        return "answered" if call.answered_at is not None else "ringing"
    return "challenged" if call.admission.decision.outcome is Outcome.CHALLENGE else "refused"


def summary(call: CallHistory, epoch: float) -> dict[str, Any]:
    """A call as a JSON object: one entry of the list of calls. Times are seconds since 1970."""
    connector = call.admission.connector
    started, ended = call.started, call.ended
    return {
        "TransactionId": call.aws_transaction_id,
        "CallId": call.call_id,
        "Method": call.method,
        "State": state_of(call),
        "VoiceConnectorId": connector.voice_connector_id if connector else None,
        "Direction": call.roles.direction,
        "From": started.source_phone_number if started else call.attempt.from_user,
        "To": started.destination_phone_number if started else call.attempt.called_user,
        "SourceAddress": call.attempt.source_address,
        "StartTime": call.started_at + epoch,
        "AnswerTime": None if call.answered_at is None else call.answered_at + epoch,
        "EndTime": ended.end_time if ended else None,
        "StatusCode": _status_code(call),
        "StatusMessage": ended.status_message if ended else call.admission.decision.reason_phrase or None,
        "Audio": media_verdict.in_brief(call) or None,
    }


def _status_code(call: CallHistory) -> int | None:
    """What the caller's INVITE was answered with; None where it was not yet, or the call broke down."""
    if call.answered_at is not None:
        return 200
    if call.ended and call.ended.status_message == REASON_PHRASES[487]:
        return 487  # The caller gave up.
    refusal = call.refusal or call.admission.decision
    return None if refusal.outcome is Outcome.ADMIT else refusal.status_code or None


def details(call: CallHistory, profile: Profile, epoch: float) -> dict[str, Any]:
    """A call as a JSON object with its decisions, notes and media counters."""
    return summary(call, epoch) | {
        "Transport": call.attempt.transport,
        "Region": call.attempt.region,
        "SipAuthUser": call.admission.sip_auth_user,
        "Decisions": [finding._asdict() for finding in findings_of(call, profile)],
        "Notes": [{"Time": time + epoch, "Text": text} for time, text in _events(call)],
        "Attempts": [_attempt(one, epoch) for one in call.tries],
        "Codec": call.codec or None,
        "MediaProtection": _protection(call),
        "Capturing": call.keeping.capture and not call.ended,
        "Recording": call.keeping.record and not call.ended,
        "Streams": _places(call),
        "Media": {} if call.counting else call.media,
        "MediaVerdict": None if call.counting else media_verdict.verdict(call) or None,
        "MediaFindings": [media_verdict.as_json(fact, call, epoch) for fact in media_verdict.facts(call)],
        "Digits": {
            "customer": media_verdict.digits(call, call.roles.customer),
            "remote": media_verdict.digits(call, call.roles.pstn),
        },
    }


def _attempt(tried: Try, epoch: float) -> dict[str, Any]:
    """A target of an inbound call as a JSON object."""
    route = tried.route
    return {
        "VoiceConnectorId": tried.voice_connector_id,
        "Region": tried.region,
        "Host": route.host,
        "Port": route.port,
        "Protocol": route.protocol,
        "Priority": route.priority,
        "Weight": route.weight,
        "Target": tried.target or None,
        "StartTime": tried.started_at + epoch,
        "EndTime": None if tried.ended_at is None else tried.ended_at + epoch,
        "Seconds": None if tried.ended_at is None else round(tried.ended_at - tried.started_at, 3),
        "Outcome": tried.outcome or None,
    }


def findings_of(call: CallHistory, profile: Profile) -> list[Finding]:
    """What each check said, in order, and last what kept an admitted call from its answer.

    Of what was refused before any check, only that.
    """
    decision = call.admission.decision
    if call.roles is INBOUND:
        findings = explain_inbound(call.admission)
        earlier = None
    else:
        findings = explain_checks(call.attempt, call.admission, profile) if decision.check in _CHECKS else []
        earlier = decision if decision.check not in _CHECKS else None
    for refusal in (earlier, call.refusal):
        if refusal:
            findings.append(Finding(refusal.check, refusal.outcome.value, refusal.because))
    return findings


def explain(call: CallHistory, profile: Profile) -> str:
    """Why a call went as it did, for its user to read."""
    sections = [
        f"{_title(call)}\n{_headline(call)}",
        _decisions(call, profile),
        _remedy(call.refusal or call.admission.decision),
        _tried(call),
        _story(call),
        _departures(call, profile),
        _media(call),
        *_oddities(call),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def in_brief(call: CallHistory, profile: Profile) -> str:
    """Who called whom, what came of it, and what decided that: for a call from the PSTN, the targets tried."""
    return f"{_headline(call)}\n\n{_tried(call) or _decisions(call, profile)}\n"


def wrapped(text: str, width: int) -> str:
    """An explanation for a terminal of so many columns; what goes on is indented below what it belongs to."""
    lines = text.split("\n")
    return "\n".join(
        fill(line, width, subsequent_indent=" " * (len(line) - len(line.lstrip()) + 4), break_on_hyphens=False)
        for line in lines
    )


def _title(call: CallHistory) -> str:
    if call.method != "INVITE":
        return f"{shown(call.method)} {call.aws_transaction_id}"
    caller, called = (call.roles.party[leg] for leg in "ab")
    return f"{call.roles.direction} call {call.aws_transaction_id}: {caller} calls {called}"


def _headline(call: CallHistory) -> str:
    connector = call.admission.connector
    through = (
        f"Voice Connector {connector.voice_connector_id} ({connector.aws_region})" if connector else "no connector"
    )
    caller = call.started.source_phone_number if call.started else shown(call.attempt.from_user) or "(no user)"
    called = call.started.destination_phone_number if call.started else shown(call.attempt.called_user) or "(no user)"
    return (
        f"{caller} -> {called}, from {call.attempt.transport} {call.attempt.source_address}, through {through}\n"
        f"{_outcome(call)}"
    )


def _outcome(call: CallHistory) -> str:
    state = state_of(call)
    decision = call.refusal or call.admission.decision
    if call.ended and call.ended.answer_time is not None:
        length = call.ended.end_time - call.ended.answer_time
        end = "" if call.ended.completed else f", then failed: {call.ended.status_message}"
        return f"Answered, {length:.1f} s long{end}."
    if call.ended and call.refusal:
        return f"Not answered: {call.roles.party['a']} was told {decision.status_code} {call.ended.status_message}."
    if call.ended:
        return f"Not answered: {call.ended.status_message}."
    if state == "challenged":
        return f"Challenged with {decision.status_code}; the PBX has not tried again since."
    if state == "refused":
        return f"Refused with {decision.status_code} {decision.reason_phrase}." if decision.status_code else "Dropped."
    return f"In progress: {state}."


def _decisions(call: CallHistory, profile: Profile) -> str:
    findings = findings_of(call, profile)
    width = max(len(finding.check) for finding in findings)
    lines = [f"  {_MARKS[finding.verdict]} {finding.check:<{width}}  {finding.sentence}" for finding in findings]
    return "\n".join(["What was decided", *lines])


def _remedy(decision: Decision) -> str:
    if decision.outcome is Outcome.ADMIT or not (decision.remedy or decision.setting):
        return ""
    setting = f"Setting: {decision.setting}. " if decision.setting else ""
    lines = [f"{decision.remedy}."] if decision.remedy else []
    lines.append(f"{setting}Source of the rule: {decision.source}.")
    return "\n  ".join(["What to change" if decision.remedy else "Why", *lines])


def _tried(call: CallHistory) -> str:
    """Where an inbound call was sent, one target after the other."""
    lines = [_told(one, call.started_at, one is call.tries[-1]) for one in call.tries]
    return "\n".join(["What was tried", *lines]) if lines else ""


def _told(tried: Try, started_at: float, last: bool) -> str:
    route = tried.route
    named = f" ({route.host})" if tried.target and route.host not in tried.target else ""
    place = tried.target or f"{route.protocol} {route.host}"
    took = "" if tried.ended_at is None else f" ({tried.ended_at - tried.started_at:.3f} s)"
    outcome = f"{tried.outcome}{took}" if tried.outcome else "waiting for its answer"
    moved = "" if last else "; the next one's turn"
    return (
        f"  {tried.started_at - started_at:+9.3f} s  {place}{named}, priority {route.priority}, weight {route.weight}, "
        f"of {tried.voice_connector_id} ({tried.region})\n{'':15}{outcome}{moved}"
    )


def _departures(call: CallHistory, profile: Profile) -> str:
    lines = [f"  {sentence}" for sentence in departures(call, profile)]
    return "\n".join(["The PBX and the route set", *lines]) if lines else ""


def _story(call: CallHistory) -> str:
    lines = [f"  {time - call.started_at:+9.3f} s  {text}" for time, text in _events(call)]
    return "\n".join(["What happened", *lines]) if lines else ""


def _events(call: CallHistory) -> list[tuple[float, str]]:
    """The call's notes, and what its messages tell without one: that it rang, that it was answered."""
    events = [*call.notes]
    for time, _, sent, data in call.log:
        if not sent and data.startswith((b"SIP/2.0 180", b"SIP/2.0 183")):
            rings = data.startswith(b"SIP/2.0 180")
            events.append((time, "The called side rings." if rings else "The called side sends early media (183)."))
            break
    if call.answered_at is not None:
        events.append((call.answered_at, "The called side answered."))
    return sorted(events, key=lambda event: event[0])


def _media(call: CallHistory) -> str:
    verdict = media_verdict.verdict(call)
    lines = [f"  {verdict}"] if verdict else []
    lines += [f"  {_SEVERITIES[fact.severity]} {_told_of(fact, call)}" for fact in media_verdict.facts(call)]
    lines += [f"  {sentence}" for sentence in _places(call)]
    for direction, name in _DIRECTIONS.items():
        counters = call.media.get(direction)
        if counters:
            lines.append(f"  {name:<14} {_counted(counters)}")
    if not lines and call.answered_at is None:
        return ""
    return "\n".join(["Media", *(lines or ["  no packet was seen on either side"])])


def _told_of(fact: MediaFact, call: CallHistory) -> str:
    """A fact with its time, counted from the beginning of the call."""
    until = "" if fact.until is None else f" to {fact.until - call.started_at:+.1f} s"
    since = f"{fact.since - call.started_at:+.1f} s{until}"
    return f"{since}: {fact.text} {fact.check}".rstrip()


def _places(call: CallHistory) -> list[str]:
    """Where the media of each leg went."""
    return [
        f"{call.roles.party[stream.leg]} was told to send to {host_port(stream.pair.address, stream.pair.rtp)}; "
        f"it is at {host_port(*stream.remote) if stream.remote else 'no address (on hold)'} by its SDP "
        f"({_carried_as(stream)})"
        for stream in (call.plan.streams if call.plan else ())
    ]


def _protection(call: CallHistory) -> dict[str, str]:
    """How media passes on each side's leg."""
    streams = call.plan.streams if call.plan else ()
    return {"Customer" if one.leg == call.roles.customer else "Pstn": _carried_as(one) for one in streams}


def _carried_as(stream: StreamPlan) -> str:
    """How media passes on a leg: the suite of secure RTP, "plain RTP", or "T.38 fax over UDPTL"."""
    if stream.protocol == "UDPTL":
        return "T.38 fax over UDPTL"
    return stream.srtp.suite if stream.srtp else "plain RTP"


def _counted(counters: dict[str, int | float | str | None]) -> str:
    text = f"{counters['packets']} packets"
    if "bytes" in counters:
        text += f", {counters['bytes']} bytes"
    for key, name in (
        ("lost", "lost"),
        ("out_of_order", "out of order"),
        ("wrong_payload_type", "with a payload type that was not agreed"),
        ("wrong_source", "from a stranger, not relayed"),
        ("malformed", "that are no RTP"),
        ("send_failed", "that could not be sent"),
    ):
        if counters.get(key):
            text += f", {counters[key]} {name}"
    for key, name in (("jitter_us", "jitter"), ("rtt_us", "round trip")):
        if counters.get(key):
            text += f", {name} {counters[key]} us"
    if counters.get("mos"):
        text += f", MOS {counters['mos']:.1f}"
    return text


# -- the messages themselves


def _oddities(call: CallHistory) -> list[str]:
    """What is unusual in the messages that came: first what breaks a rule, then what is allowed."""
    against: list[str] = []
    allowed: list[str] = []
    for who, message, anomaly in _received_anomalies(call):
        lines = allowed if anomaly.level is Level.NOTE else against
        where = _LINE_NUMBER.sub("", anomaly.where)
        line = f"{where}: {anomaly.what} ({anomaly.source})"
        if not any(known.startswith(f"  {who}") and known.endswith(line) for known in lines):
            lines.append(f"  {who}, {message}, {line}")
    return [
        "\n".join([title, *lines])
        for title, lines in (
            ("Against the rules, in the messages received", against),
            ("Allowed, and worth knowing", allowed),
        )
        if lines
    ]


def _received_anomalies(call: CallHistory) -> list[tuple[str, str, Anomaly]]:
    """Who sent it, what it was, and what is unusual in it."""
    peers = ({str(call.log[0][1]): "PSTN" if call.roles is INBOUND else "PBX"} if call.log else {}) | call.peers
    ours = _our_own_oddities(call)
    return [
        (peers.get(str(hop), str(hop)), _name_of(data), anomaly)
        for _, hop, sent, data in call.log
        if not sent
        for anomaly in anomalies(data, transport=hop.local.transport, source_address=hop.address[0])
        if anomaly.what not in ours
    ]


def _our_own_oddities(call: CallHistory) -> set[str]:
    """What is unusual in the INVITE that a PBX gets, as the real service sends it, and comes back in its answers."""
    if call.roles is not INBOUND:
        return set()
    invites = [data for _, _, sent, data in call.log if sent and data.startswith(b"INVITE ")]
    return {_BOTH_VIAS, *(anomaly.what for data in invites for anomaly in anomalies(data))}


def _name_of(data: bytes) -> str:
    """A message as the ladder shows it: "INVITE", "200"."""
    words = data[:80].decode("latin-1").split(" ")
    return shown(words[1] if words[0].upper() == "SIP/2.0" and len(words) > 1 else words[0], 20)
