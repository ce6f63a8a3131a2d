"""Whether a call's audio flowed, and how well, in plain words: what, from which side, since when, what to check.

Facts come from the relay's events as they happen (`media_report`) and from its counters, here; a side has at most
one of each kind, so that the list stays short whatever happens.
"""

from typing import Any

from voiceconnector.media.offer_answer import private_range
from voiceconnector.media.plan import StreamPlan
from voiceconnector.media.quality import StreamStats
from voiceconnector.sip.hop import host_port

from .events import DirectionQuality, Severity
from .history import CallHistory, MediaFact
from .media_quality import LegQuality

LOSS, MUCH_LOSS = 0.01, 0.05
"""Shares of packets: heard by many even where loss is concealed; hard to understand."""
JITTER_US = 30_000
"""On average; a usual jitter buffer does not hold twice as much."""
RTT_US = 300_000
"""Two ways of 150 ms, beyond which people begin to interrupt each other (ITU-T G.114)."""
LEAST_PACKETS = 100
"""Two seconds: shares of fewer packets say nothing."""
_ORDER: dict[Severity, int] = {"problem": 0, "warning": 1, "info": 2}
_LOOK_AT_NETWORK = "Look at the network on that side: a full or wireless link, a queue without priority for voice."


def judge(history: CallHistory, leg: str, quality: LegQuality, now: float) -> list[MediaFact]:
    """Compare how a leg was of late with what is good; the facts that are new."""
    party = history.roles.party[leg]
    candidates = (
        _loss(leg, "loss", quality.received, f"of what {party} sent was lost on its way here", now),
        _loss(leg, "loss there", quality.sent, f"of what it was sent was lost, {party} reports", now),
        _jitter(leg, "jitter", quality.received, f"Packets from {party} come unevenly", now),
        _jitter(leg, "jitter there", quality.sent, f"Packets come unevenly, {party} reports", now),
        _delay(leg, quality, party, now),
    )
    new = []
    for kind, fact in candidates:
        if fact is None:
            end(history, kind, leg, now)
        elif put(history, fact):
            new.append(fact)
    return new


def _loss(leg: str, kind: str, direction: DirectionQuality, what: str, now: float) -> tuple[str, MediaFact | None]:
    lost = direction.packets_lost or 0
    packets = direction.rtp_packets + (lost if kind == "loss" else 0)
    if packets < LEAST_PACKETS or lost < packets * LOSS:
        return kind, None
    severity: Severity = "problem" if lost >= packets * MUCH_LOSS else "warning"
    text = f"{lost / packets:.1%} {what}: {lost} of {packets} packets."
    return kind, MediaFact(kind, leg, severity, now, text, _LOOK_AT_NETWORK)


def _jitter(leg: str, kind: str, direction: DirectionQuality, who: str, now: float) -> tuple[str, MediaFact | None]:
    jitter = direction.jitter_us or 0
    if direction.rtp_packets < LEAST_PACKETS or jitter <= JITTER_US:
        return kind, None
    text = f"{who}: a jitter of {jitter / 1000:.0f} ms, where {JITTER_US // 1000} ms are too much."
    return kind, MediaFact(kind, leg, "warning", now, text, _LOOK_AT_NETWORK)


def _delay(leg: str, quality: LegQuality, party: str, now: float) -> tuple[str, MediaFact | None]:
    if (quality.rtt_us or 0) <= RTT_US:
        return "delay", None
    text = f"The way to {party} and back takes {(quality.rtt_us or 0) / 1000:.0f} ms; people begin to talk at once."
    return "delay", MediaFact("delay", leg, "warning", now, text, f"Look for a detour on the way to {party}.")


def absence(history: CallHistory, stats: StreamStats) -> list[MediaFact]:
    """Of a call that is over: that nothing ever came of a side that could have sent, if nobody has said so yet."""
    plan = plan_of(history, stats.leg)
    if stats.packets or history.answered_at is None or plan is None or not plan.receive:
        return []
    text = f"No RTP came from {history.roles.party[stats.leg]} in the whole call; {told_where(plan)}."
    fact = MediaFact("no audio", stats.leg, "problem", history.answered_at, text, where_to_look(plan))
    return [fact] if put(history, fact) else []


def plan_of(history: CallHistory, leg: str) -> StreamPlan | None:
    """What the relay was last told of a leg."""
    return next((stream for stream in (history.plan.streams if history.plan else ()) if stream.leg == leg), None)


def told_where(plan: StreamPlan) -> str:
    """Where a party was told to send to, as a sentence goes on."""
    return f"it was told to send to {host_port(plan.pair.address, plan.pair.rtp)}"


def where_to_look(plan: StreamPlan) -> str:
    """What may keep RTP from coming."""
    private = private_range(plan.remote[0]) if plan.remote else ""
    nat = f" Its SDP names {plan.remote[0]}, a private address ({private})." if plan.remote and private else ""
    return (
        f"Look for a firewall or NAT that drops UDP to that address, and at the address the device uses for media.{nat}"
    )


def put(history: CallHistory, fact: MediaFact) -> bool:
    """Remember a fact; whether it is new. One that lasts keeps its beginning."""
    key = fact.kind, fact.leg
    known = history.media_facts.get(key)
    lasts = known is not None and known.until is None
    if known and lasts:
        fact.since = known.since
    history.media_facts[key] = fact
    return not lasts


def end(history: CallHistory, kind: str, leg: str, now: float) -> None:
    """A fact is one no longer."""
    fact = history.media_facts.get((kind, leg))
    if fact and fact.until is None:
        fact.until = now


def facts(history: CallHistory) -> list[MediaFact]:
    """All that was found, the worst first."""
    return sorted(
        [*history.media_facts.values(), *_digits(history)], key=lambda fact: (_ORDER[fact.severity], fact.since)
    )


def digits(history: CallHistory, leg: str) -> str:
    """The digits that came from a leg as events: "12#"."""
    return "".join([digit.digit for digit in history.digits.get(leg, ())])


def _digits(history: CallHistory) -> list[MediaFact]:
    found = []
    for leg, heard in history.digits.items():
        if heard:
            lengths = sorted({digit.duration_ms for digit in heard})
            span = f"{lengths[0]} ms" if len(lengths) == 1 else f"{lengths[0]} to {lengths[-1]} ms"
            text = (
                f"{_sentence(history, leg)} sent the digits {digits(history, leg)} as events (RFC 4733), {span} each."
            )
            found.append(MediaFact("digits", leg, "info", history.answered_at or history.started_at, text))
    return found


def _sentence(history: CallHistory, leg: str) -> str:
    """The party as sentences begin with it."""
    party = history.roles.party[leg]
    return party[0].upper() + party[1:]


def verdict(history: CallHistory) -> str:
    """Whether audio went both ways, and its score, in a sentence; "" where nothing was counted."""
    if not history.media:
        return ""
    heard = {
        side: history.media.get(key, {}).get("packets", 0) for side, key in (("PBX", "cust2vc"), ("PSTN", "rem2vc"))
    }
    silent = [side for side, packets in heard.items() if not packets]
    score = "" if silent else _score(history)
    way = f"No audio came from the {' or the '.join(silent)}" if silent else f"Audio went both ways{score}"
    return f"{way}: the trunk received {heard['PBX']} RTP packets from the PBX, {heard['PSTN']} from the PSTN."


def _score(history: CallHistory) -> str:
    worst = lowest_mos(history)
    return "" if worst is None else f", MOS {worst:.1f}"


def lowest_mos(history: CallHistory) -> float | None:
    """Of all four directions, as far as they are known."""
    scores = [counters.get("mos") for counters in history.media.values()]
    known = [score for score in scores if isinstance(score, float | int)]
    return min(known) if known else None


def in_brief(history: CallHistory) -> str:
    """The audio of a call in some words, for a list; "" where nothing was counted."""
    if not history.media:
        return ""
    silent = [side for side, key in (("PBX", "cust2vc"), ("PSTN", "rem2vc")) if not _packets(history, key)]
    if len(silent) == 2:
        return "none"
    if silent:
        return f"one-way: none from {silent[0]}"
    worst = lowest_mos(history)
    return "both ways" if worst is None else f"both ways, {worst:.1f}"


def _packets(history: CallHistory, direction: str) -> bool:
    return bool(history.media.get(direction, {}).get("packets"))


def as_json(fact: MediaFact, history: CallHistory, epoch: float) -> dict[str, Any]:
    """A fact as a JSON object; times are seconds since 1970."""
    return {
        "Severity": fact.severity,
        "Kind": fact.kind,
        "Side": "customer" if fact.leg == history.roles.customer else "remote",
        "Since": fact.since + epoch,
        "Until": None if fact.until is None else fact.until + epoch,
        "Text": fact.text,
        "Check": fact.check or None,
    }
