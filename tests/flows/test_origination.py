"""Calls from the PSTN to a PBX: the INVITE it gets, the answers it may give, and the calls that reach nobody."""

from dataclasses import replace

import pytest

from tests.flows.inbound import LIKE_AWS, NUMBER, ONE, OUTSIDE, TWO, Inbound, dialled, route
from tests.flows.stage import CALLED, CONNECTOR, FAR, FAR_SDP, PBX, TERMINATION, TRUNK, sdp
from tests.phone import SDP
from tests.wire import answer, body_of, header, headers_of, request, start_line
from voiceconnector.sip.session import CONFIRMED
from voiceconnector.trunk.model import Origination, PhoneNumber, Snapshot
from voiceconnector.trunk.profile import LAB


def test_the_pbx_answers_and_the_outside_hangs_up() -> None:
    """RFC 3665 3.1, with a B2BUA between Alice and Bob."""
    stage = Inbound()
    caller = stage.ring()
    stage.run()
    stage.one.ring()
    stage.run()
    stage.one.pick_up()
    stage.run(3)
    caller.hang_up(stage.now)
    stage.end(completed=1, explained=["Answered, 3.0 s long.", "The caller hung up.", "it answered the call"])
    assert stage.world.told() == [
        "far>trunk INVITE",
        "trunk>far 100 INVITE",
        "trunk>one INVITE",
        "one>trunk 100 INVITE",
        "one>trunk 180 INVITE",
        "trunk>far 180 INVITE",
        "one>trunk 200 INVITE",
        "trunk>one ACK",
        "trunk>far 200 INVITE",
        "far>trunk ACK",
        "far>trunk BYE",
        "trunk>far 200 BYE",
        "trunk>one BYE",
        "one>trunk 200 BYE",
    ]
    (record,) = stage.ended()
    started = record.started
    assert (started.direction, started.region) == ("Inbound", "us-east-1")
    assert (started.source_phone_number, started.destination_phone_number) == (OUTSIDE, NUMBER)
    assert started.call_id == header(stage.invite(), "Call-ID"), "CallId is the one of the customer's leg"
    assert (record.completed, record.status_message, started.sip_auth_user) == (True, "OK", "")


def test_the_pbx_hangs_up() -> None:
    stage = Inbound()
    _, called = stage.talking()
    called.hang_up(stage.now)
    stage.run()
    assert stage.far.heard[-1] == "BYE"
    stage.end(completed=1, explained=["The called side hung up."])


# -- the INVITE


@pytest.mark.parametrize("profile", [LAB, LIKE_AWS])
def test_the_invite_is_as_the_service_sends_it(profile: object) -> None:
    """Acceptance case 19, and the traces it comes from."""
    stage = Inbound(profile=LAB if profile is LAB else LIKE_AWS)
    caller = stage.ring()
    stage.run()
    invite = stage.invite()
    assert start_line(invite) == f"INVITE sip:{NUMBER}@{ONE}:5060;transport=UDP SIP/2.0"
    assert header(invite, "To") == f"<sip:{NUMBER}@{ONE}:5060>;transport=UDP"
    from_, _, tag = header(invite, "From").partition(";tag=")
    assert from_ == f"<sip:{OUTSIDE}@10.0.194.162:5060>"
    edge, inner = headers_of(invite, "Via")
    assert edge.startswith(f"SIP/2.0/UDP {TRUNK}:5060;branch=z9hG4bK")
    assert inner.startswith("SIP/2.0/UDP 10.0.194.162:5060;received=10.0.194.162;rport=5060;branch=z9hG4bK")
    record_route = header(invite, "Record-Route")
    assert record_route.startswith(f"<sip:{TRUNK}:5060;lr;ftag={tag};did=")
    assert record_route.endswith(";nat=yes>")
    assert header(invite, "Max-Forwards") == "69"
    number, method = header(invite, "CSeq").split(" ")
    assert (len(number), method) == (8, "INVITE")
    assert dialled(invite) == CONNECTOR.voice_connector_id
    reachable = f"<sip:{OUTSIDE}@{TRUNK}:5060>"
    private = f"<sip:{OUTSIDE}@10.0.194.162:5060;alias=10.0.194.162~5060~1>"
    assert header(invite, "Contact") == (reachable if stage.switch.profile is LAB else private)
    for absent in ("Allow", "Supported", "Session-Expires", "P-Asserted-Identity", "Privacy", "Diversion"):
        assert headers_of(invite, absent) == []
    caller.cancel(stage.now)
    stage.end()


def test_the_offer_has_the_media_address_of_the_region_and_an_explicit_rtcp_port() -> None:
    stage = Inbound()
    stage.switch.media_addresses = {"us-east-1": "203.0.113.17"}
    caller = stage.ring()
    stage.run()
    lines = body_of(stage.invite()).decode().split("\r\n")
    media = next(line for line in lines if line.startswith("m=audio"))
    port = int(media.split(" ")[1])
    assert "c=IN IP4 203.0.113.17" in lines
    assert media == f"m=audio {port} RTP/AVP 0 101"
    assert f"a=rtcp:{port + 1}" in lines
    assert {"a=sendrecv", "a=ptime:20", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-15"} <= set(lines)
    caller.cancel(stage.now)
    stage.end()


def test_an_offer_of_the_codec_alone_reaches_the_pbx_with_telephone_event() -> None:
    """The carrier's gateway has it, whoever calls; so has the trace."""
    stage = Inbound()
    caller = stage.ring(body=sdp(FAR, 6000, "0"))
    stage.run()
    assert b"RTP/AVP 0 101\r\n" in stage.invite()
    stage.one.pick_up()
    stage.run()
    assert stage.far.heard == ["answered"]
    caller.hang_up(stage.now)
    stage.end(completed=1)


def test_a_route_by_tcp_says_so_in_every_place() -> None:
    stage = Inbound(route(ONE, protocol="TCP"))
    stage.ring()
    stage.run()
    invite = stage.invite()
    assert start_line(invite) == f"INVITE sip:{NUMBER}@{ONE}:5060;transport=TCP SIP/2.0"
    assert header(invite, "Record-Route").startswith(f"<sip:{TRUNK}:5060;transport=tcp;lr;")
    assert headers_of(invite, "Via")[0].startswith("SIP/2.0/TCP")
    stage.one.pick_up()
    stage.run()
    stage.one.session.hang_up(stage.now)
    stage.end(completed=1)
    assert {packet.transport for packet, _ in stage.world.ladder if "one" in str(packet)} == {"TCP"}


@pytest.mark.parametrize(
    ("caller", "name", "expected"),
    [
        (OUTSIDE, '"Ann"', f'"Ann" <sip:{OUTSIDE}@10.0.194.162:5060>'),
        ("anonymous", "", "<sip:anonymous@10.0.194.162:5060>"),
        ("%2B442079460123", "", f"<sip:{OUTSIDE}@10.0.194.162:5060>"),
        ("sipp", "", "<sip:sipp@10.0.194.162:5060>"),
    ],
)
def test_the_caller_is_shown_as_it_comes(caller: str, name: str, expected: str) -> None:
    stage = Inbound()
    session = stage.ring(caller=caller, name=name)
    stage.run()
    assert header(stage.invite(), "From").partition(";tag=")[0] == expected
    session.cancel(stage.now)
    stage.end()


def test_a_hop_is_counted_so_that_loops_end() -> None:
    """RFC 3261 16.3: two trunks that forward to each other must not do so for ever."""
    stage = Inbound()
    session = stage.ring(headers="Max-Forwards: 7\r\n")
    stage.ring(headers="Max-Forwards: 0\r\n")
    stage.run()
    assert header(stage.invite(), "Max-Forwards") == "6"
    assert stage.far.heard == ["failed 483"]
    session.cancel(stage.now)
    stage.end()


def test_an_invite_without_offer_gets_one_from_the_pbx() -> None:
    """RFC 3261 13.2.1: the offer is in the 200, the answer in the ACK."""
    stage = Inbound()
    stage.far.acknowledge_with = FAR_SDP
    caller = stage.ring(body=b"")
    stage.run()
    assert body_of(stage.invite()) == b""
    stage.one.pick_up()
    stage.run()
    assert b"m=audio" in body_of(stage.sent("trunk>one ACK"))
    caller.hang_up(stage.now)
    stage.end(completed=1)


def test_bye_and_ack_of_the_trunk_leave_out_its_own_edge() -> None:
    """RFC 3261 16.4: the edge takes itself out of the route set; other proxies stay in it."""
    stage = Inbound()
    stage.ring()
    stage.run()
    edge = header(stage.invite(), "Record-Route")
    lines = f"Record-Route: <sip:{ONE}:5060;lr>\r\nRecord-Route: {edge}\r\nContact: <sip:phone@192.0.2.200>\r\n{SDP}"
    stage.world.send("one", stage.world.hop("one", "trunk"), answer(stage.invite(), headers=lines, body=sdp(ONE, 7000)))
    stage.run()
    ack = stage.sent("trunk>one ACK")
    assert headers_of(ack, "Route") == [f"<sip:{ONE}:5060;lr>"]
    assert start_line(ack) == "ACK sip:phone@192.0.2.200 SIP/2.0"
    stage.far.session.hang_up(stage.now)
    stage.one.session.refuse(486, "Busy", stage.now)
    stage.end()


# -- who is reached by nobody


def test_an_unassigned_number_is_not_found_and_says_what_to_do() -> None:
    stage = Inbound()
    stage.ring("+12065550999")
    stage.run()
    refusal = stage.sent("trunk>far 404 INVITE")
    assert start_line(refusal) == "SIP/2.0 404 Not Found: the number is not assigned"
    assert "+12065550999 is a number of no Voice Connector" in header(refusal, "Warning")
    assert not stage.refused()[-1].voice_connector_id
    stage.end(calls=0, explained=["Refused with 404", "NO  number", "Associate the number", "through no connector"])


@pytest.mark.parametrize("user", ["2065550100", "alice", "+0"])
def test_what_is_no_number_is_not_found(user: str) -> None:
    stage = Inbound()
    stage.ring(user)
    stage.run()
    assert stage.far.heard == ["failed 404"]
    stage.end(calls=0, explained=[f'the called number "{user}"'])


def test_a_number_in_the_deletion_queue_is_not_reachable() -> None:
    stage = Inbound()
    stage.snapshot = Snapshot.of((), phone_numbers=[PhoneNumber(NUMBER, deletion_due=0.0)])
    stage.ring()
    stage.run()
    assert "deletion queue" in header(stage.sent("trunk>far 404 INVITE"), "Warning")
    stage.end(calls=0, explained=["Restore the phone number"])


@pytest.mark.parametrize(
    ("origination", "because"),
    [
        (None, "was never configured"),
        (Origination((route(ONE),), disabled=True), "is disabled"),
        (Origination(()), "has no route"),
    ],
)
def test_a_connector_without_origination_leaves_a_failed_record(origination: Origination, because: str) -> None:
    stage = Inbound()
    stage.configure(origination=origination)
    stage.ring()
    stage.run()
    assert stage.far.heard == ["failed 480"]
    (record,) = stage.ended()
    assert (record.started.direction, record.completed, record.answer_time) == ("Inbound", False, None)
    stage.end(completed=0, explained=["NO  origination", because])


def test_a_region_that_is_down_takes_no_call() -> None:
    stage = Inbound()
    stage.regions_down.add("us-east-1")
    stage.ring()
    stage.run()
    assert "us-east-1" in header(stage.sent("trunk>far 503 INVITE"), "Warning")
    assert not stage.one.sessions
    stage.end(completed=0, explained=["NO  Region"])


def test_a_region_that_is_not_served_takes_no_call() -> None:
    stage = Inbound()
    stage.configure(aws_region="eu-west-1")
    stage.ring()
    stage.run()
    assert stage.far.heard == ["failed 503"]
    stage.end(completed=0, explained=["eu-west-1"])


def test_calls_from_both_sides_share_the_quota_of_active_calls() -> None:
    stage = Inbound(profile=replace(LIKE_AWS, active_calls_quota=2, default_cps_limit=None), ports=20)
    first, _ = stage.talking()
    out = stage.pbx.dial()
    stage.run()
    stage.ring()
    stage.run()
    refusal = stage.sent("trunk>far 503 INVITE")
    assert start_line(refusal) == "SIP/2.0 503 Active Calls Above the Quota of 2"
    assert header(refusal, "Retry-After") == "1"
    first.hang_up(stage.now)
    stage.run()
    stage.talking()
    stage.far.session.hang_up(stage.now)
    out.cancel(stage.now)
    stage.end(calls=4)


def test_a_profile_may_leave_inbound_calls_out_of_the_quota() -> None:
    stage = Inbound(profile=replace(LAB, active_calls_quota=1, inbound_calls_are_active=False), ports=20)
    stage.talking()
    stage.talking()
    for session in stage.far.sessions:
        if session.state == CONFIRMED:
            session.hang_up(stage.now)
    stage.end(calls=2, completed=2)


def test_a_shutdown_takes_no_more_calls() -> None:
    stage = Inbound()
    stage.switch.close(stage.now)
    stage.ring()
    stage.run()
    assert stage.far.heard == ["failed 503"]
    stage.end(calls=0, explained=["shutting down"])


@pytest.mark.parametrize(
    ("method", "status_code"),
    [("OPTIONS", 200), ("BYE", 481), ("REGISTER", 405), ("MESSAGE", 405), ("JUMP", 501)],
)
def test_other_requests_at_the_carriers_side(method: str, status_code: int) -> None:
    stage = Inbound()
    peer = stage.world.peer("raw", "198.51.100.20")
    data = request(method, f"sip:{NUMBER}@{TRUNK}:5070", via="SIP/2.0/UDP 198.51.100.20;branch=z9hG4bK1")
    peer.send(data, stage.switch.stack.locals["pstn", "UDP"])
    stage.run()
    assert start_line(peer.received[-1]).startswith(f"SIP/2.0 {status_code} ")
    if status_code == 405:
        assert "INVITE" in header(peer.received[-1], "Allow")
        assert "PSTN" in header(peer.received[-1], "Warning")
    stage.end(calls=0)


def test_a_regions_listener_takes_no_call_from_the_pstn() -> None:
    """There it is termination: the number is asked for, and whether the caller may use the trunk."""
    stage = Inbound()
    peer = stage.world.peer("raw", "198.51.100.20")
    data = request(uri=f"sip:{NUMBER}@{TRUNK}", via="SIP/2.0/UDP 198.51.100.20;branch=z9hG4bK1")
    peer.send(data, stage.world.local("trunk"))
    stage.run()
    assert start_line(peer.received[-1]).startswith("SIP/2.0 403 ")
    stage.end(calls=0)


# -- out and in again


def test_a_call_from_one_number_of_the_trunk_to_another_is_two_calls() -> None:
    """It goes out as an outbound call and comes in again as an inbound one: two records."""
    stage = Inbound()
    other = replace(
        CONNECTOR, voice_connector_id="otheronenopqrstuvwxyz0", name="other", phone_numbers=("+12065550200",)
    )
    stage.connectors.append(replace(other, origination=Origination((route(TWO),)), termination=TERMINATION))
    stage.snapshot = Snapshot.of(stage.connectors)
    session = stage.pbx.dial("+12065550200")
    stage.run()
    assert dialled(stage.invite("two")) == "otheronenopqrstuvwxyz0"
    stage.two.pick_up()
    stage.run(1)
    session.hang_up(stage.now)
    stage.end(calls=2, completed=2)
    out, back = sorted(
        (record.started for record in stage.ended()), key=lambda started: started.direction, reverse=True
    )
    assert (out.direction, back.direction) == ("Outbound", "Inbound")
    assert (out.voice_connector_id, back.voice_connector_id) == (CONNECTOR.voice_connector_id, other.voice_connector_id)
    assert {out.source_phone_number, back.source_phone_number} == {NUMBER}
    assert {out.destination_phone_number, back.destination_phone_number} == {"+12065550200"}
    assert PBX not in stage.invite("two").decode("latin-1")


def test_a_call_from_a_number_to_itself_finds_its_own_pbx() -> None:
    stage = Inbound()
    session = stage.pbx.dial(NUMBER)
    stage.run()
    stage.one.refuse(486, "Busy Here")
    stage.run()
    assert stage.pbx.heard[-1] == "failed 486"
    assert session.refusal
    stage.end(calls=2, completed=0)


def test_an_outbound_call_goes_to_the_pstn_as_before() -> None:
    stage = Inbound()
    session = stage.pbx.dial(CALLED)
    stage.run(2)
    assert stage.pbx.heard[-1] == "answered"
    session.hang_up(stage.now)
    stage.end(completed=1)
    assert not stage.one.sessions
