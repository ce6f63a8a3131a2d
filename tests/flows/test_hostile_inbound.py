"""Calls from the PSTN with messages from people who mean no good, on both legs; see `test_hostile`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.flows.inbound import NUMBER, ONE, OTHER, OUTSIDE, TWO, Inbound, route
from tests.flows.stage import FAR, sdp
from tests.flows.test_hostile import (
    BODIES,
    EXAMPLES,
    HEADER_NAMES,
    LINES,
    METHODS,
    TEXT,
    TYPES,
    Asked,
    ask,
    check,
    replace_header,
    typed,
)
from tests.wire import headers_of
from voiceconnector.sip.hop import Hop
from voiceconnector.trunk.model import Origination

USERS = st.sampled_from([NUMBER, NUMBER.replace("+", "%2B"), "911", "", "+", "1" * 300, f"{NUMBER};x=y", "\xe9", "%zz"])
OFFERS = st.one_of(
    BODIES,
    st.sampled_from(
        [
            sdp(formats="0 \xb2"), sdp(formats="0 " + "1" * 5000), sdp(formats="0 -1"), sdp(formats=""),
            sdp() + b"a=rtpmap:" + b"9" * 5000 + b" telephone-event/8000\r\n", sdp() + b"a=ptime:x\r\nm=audio",
            sdp() + b"a=rtpmap:101 telephone-event/8000\r\n" * 500, sdp().replace(b"\r\n", b"\n"), sdp() * 30,
        ]
    ),
)  # fmt: skip
ANSWERS = st.lists(
    st.tuples(
        st.integers(100, 699), st.sampled_from(["a", "b", "", "\0"]), TEXT, LINES, OFFERS, TYPES,
        st.tuples(HEADER_NAMES, TEXT), st.sampled_from([0.0, 0.05, 4.0, 40.0]),
    ),
    min_size=1,
    max_size=5,
)  # fmt: skip


def hunting() -> Inbound:
    """Two targets, and one in another Region."""
    stage = Inbound(route(ONE), route(TWO, 2), ports=30)
    stage.group_with(replace(OTHER, origination=Origination((route(ONE),))))
    return stage


def see_that_nothing_is_left(stage: Inbound) -> None:
    stage.run(140)
    for target in (stage.one, stage.two, stage.three):
        for session in target.sessions:
            session.hang_up(stage.now)
    check(stage)


@EXAMPLES
@given(USERS, LINES, OFFERS, TYPES, st.tuples(HEADER_NAMES, TEXT), st.booleans())
def test_an_invite_of_any_kind_from_the_pstn(
    user: str, lines: str, body: bytes, content_type: str, spoilt: tuple[str, str], taken: bool
) -> None:
    stage = hunting()
    if taken:
        stage.one.when_called = lambda session, now: stage.one.pick_up()
    head = (
        f"INVITE sip:{user}@203.0.113.1:5070 SIP/2.0\r\nVia: SIP/2.0/UDP {FAR}:5060;branch=z9hG4bKq\r\n"
        f"From: <sip:{OUTSIDE}@{FAR}>;tag=f\r\nTo: <sip:{NUMBER}@x>\r\nCall-ID: q\r\nCSeq: 1 INVITE\r\n"
        f"Max-Forwards: 70\r\nContact: <sip:far@{FAR}>\r\n{lines}{typed(content_type)}"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode("latin-1", "replace")
    way = Hop(stage.world.local("far"), ("203.0.113.1", 5070))
    stage.world.send("far", way, replace_header(head + body, *spoilt))
    stage.run(1)
    see_that_nothing_is_left(stage)


@EXAMPLES
@given(ANSWERS, st.booleans())
def test_answers_of_any_kind_from_targets(
    answers: list[tuple[int, str, str, str, bytes, str, tuple[str, str], float]], late_offer: bool
) -> None:
    """Of forks, out of order, from targets that were left, with descriptions of every kind."""
    stage = hunting()
    for target in (stage.one, stage.two):
        target.silent = True
    stage.ring(body=b"" if late_offer else sdp(FAR))
    stage.run()
    for index, (status_code, tag, reason, lines, body, content_type, spoilt, pause) in enumerate(answers):
        name = "two" if stage.two.sessions and index % 2 else "one"
        sent = [packet for packet, _ in stage.world.ladder if (packet.source, packet.destination) == ("trunk", name)]
        invite = next(packet.data for packet in reversed(sent) if packet.data.startswith(b"INVITE"))
        vias = "".join(f"Via: {via}\r\n" for via in headers_of(invite, "Via"))
        copied = "".join(f"{key}: {headers_of(invite, key)[0]}\r\n" for key in ("From", "Call-ID", "CSeq"))
        host = {"one": ONE, "two": TWO}[name]
        to = headers_of(invite, "To")[0] + (f";tag={tag}" if tag else "")
        data = (
            f"SIP/2.0 {status_code} {reason}\r\n{vias}{copied}To: {to}\r\nContact: <sip:pbx@{host}>\r\n"
            f"Record-Route: {headers_of(invite, 'Record-Route')[0]}\r\n{lines}{typed(content_type)}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode("latin-1", "replace") + body
        stage.world.send(name, stage.world.hop(name, "trunk"), replace_header(data, *spoilt))
        stage.run(pause)
    see_that_nothing_is_left(stage)


@EXAMPLES
@given(
    st.lists(st.tuples(st.booleans(), METHODS, LINES, OFFERS, TYPES), min_size=1, max_size=5),
    st.tuples(HEADER_NAMES, TEXT),
)
def test_requests_of_any_kind_in_a_call_from_the_pstn(requests: Asked, spoilt: tuple[str, str]) -> None:
    stage = hunting()
    stage.talking()
    ask(stage, stage.one, stage.far, requests, spoilt)
    see_that_nothing_is_left(stage)


@pytest.mark.parametrize("size", [100, 20_000, 60_000])
def test_answers_of_any_length_end_as_one_call(size: int) -> None:
    stage = hunting()
    stage.ring()
    stage.run()
    stage.one.pick_up("X-Long: " + "x" * size + "\r\n")
    stage.run()
    see_that_nothing_is_left(stage)
    assert len(stage.ended()) == 1
