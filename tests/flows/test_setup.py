"""How a call through the trunk comes about, or does not: from the INVITE to the answer or the refusal."""

from dataclasses import replace

import pytest

from tests.flows.stage import CALLED, CALLED_FAR, CALLER, EPOCH, FAR, FAR_SDP, PBX, PSTN, TERMINATION, TRUNK, Stage, sdp
from tests.phone import SDP
from tests.wire import body_of, header, headers_of, start_line
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.trunk.model import PhoneNumber
from voiceconnector.trunk.profile import LAB


def test_a_call_is_answered_and_the_caller_hangs_up() -> None:
    """RFC 3665 3.1, with a B2BUA between Alice and Bob."""
    stage = Stage(behaviour=behaviour("answer", ring_seconds=1))
    session = stage.pbx.dial(CALLED)
    stage.run(2)
    assert stage.pbx.heard == ["180", "answered"]
    session.hang_up(stage.now)
    stage.end(completed=1, explained=["Answered, 1.0 s long.", "The caller hung up."])
    assert stage.world.told() == [
        "pbx>trunk INVITE",
        "trunk>pbx 100 INVITE",
        "trunk>pstn INVITE",
        "pstn>trunk 180 INVITE",
        "trunk>pbx 180 INVITE",
        "pstn>trunk 200 INVITE",
        "trunk>pstn ACK",
        "trunk>pbx 200 INVITE",
        "pbx>trunk ACK",
        "pbx>trunk BYE",
        "trunk>pbx 200 BYE",
        "trunk>pstn BYE",
        "pstn>trunk 200 BYE",
    ]
    (record,) = stage.ended()
    assert (record.started.source_phone_number, record.started.destination_phone_number) == (CALLER, CALLED)
    assert record.status_message == "OK"


def test_the_called_side_hangs_up() -> None:
    stage = Stage(behaviour=behaviour("answer", ring_seconds=0, hang_up_after=3))
    stage.pbx.dial(CALLED)
    stage.run(5)
    assert stage.pbx.heard == ["answered", "BYE"]
    stage.end(completed=1, explained=["The called side hung up."])


def test_both_sides_hang_up_at_once() -> None:
    """RFC 3261 15.1: each BYE is answered, although the dialog has ended."""
    stage = Stage()
    caller, called = stage.answered()
    caller.hang_up(stage.now)
    called.hang_up(stage.now)
    stage.run()
    assert stage.world.told("trunk", "pbx")[-2:] == ["pbx>trunk BYE", "trunk>pbx 200 BYE"]
    stage.end(completed=1)


def test_a_call_over_tcp_is_answered_over_tcp() -> None:
    stage = Stage()
    session = stage.pbx.dial(transport="TCP")
    stage.run()
    stage.far.pick_up()
    stage.run()
    session.hang_up(stage.now)
    stage.end(completed=1, explained=["from TCP 192.0.2.10"])
    assert {packet.transport for packet, _ in stage.world.ladder if "pbx" in str(packet)} == {"TCP"}
    assert {packet.transport for packet, _ in stage.world.ladder if "far" in str(packet)} == {"UDP"}


# -- who is told what


def test_the_far_side_sees_the_trunk_and_the_caller_it_presents() -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    invite = stage.sent("trunk>far INVITE")
    assert start_line(invite) == f"INVITE sip:{CALLED_FAR}@{FAR} SIP/2.0"
    assert header(invite, "From").startswith(f'"Reception" <sip:{CALLER}@{TRUNK}>;tag=')
    assert header(invite, "To") == f"<sip:{CALLED_FAR}@{FAR}>"
    assert header(invite, "Contact") == f"<sip:{CALLER}@{TRUNK}:5060>"
    assert header(invite, "Max-Forwards") == "69"
    assert header(invite, "Call-ID") != stage.pbx.session.dialog.call_id
    assert PBX.encode() not in invite, "the far side sees the PBX's address"
    stage.far.session.refuse(486, "Busy Here", stage.now)
    stage.end()


def test_default_phone_number_is_what_the_far_side_sees() -> None:
    """Acceptance case 6: an unowned caller passes, and is presented as the default number."""
    stage = Stage()
    termination = replace(TERMINATION, default_phone_number="+12065550100")
    stage.configure(termination=termination)
    session = stage.pbx.dial(caller="+13125550199")
    stage.run()
    assert header(stage.sent("trunk>far INVITE"), "From").startswith('"Reception" <sip:+12065550100@203.0.113.1>')
    session.cancel(stage.now)
    stage.end(explained=["Termination.DefaultPhoneNumber +12065550100 replaces the caller"])


@pytest.mark.parametrize(
    ("from_", "expected"),
    [
        ("<sip:+12065550100@192.0.2.10>", "<sip:+12065550100@203.0.113.1>"),
        ("sip:+12065550100@192.0.2.10", "<sip:+12065550100@203.0.113.1>"),
        ("Front Desk <sip:+12065550100@pbx>", "Front Desk <sip:+12065550100@203.0.113.1>"),
        ('"a <b> \\"c\\"" <sip:+12065550100@pbx>', '"a <b> \\"c\\"" <sip:+12065550100@203.0.113.1>'),
        ("Smith, Jo. <sip:+12065550100@pbx>", '"Smith, Jo." <sip:+12065550100@203.0.113.1>'),
        ('"esc\x1bape" <sip:+12065550100@pbx>', '"esc?ape" <sip:+12065550100@203.0.113.1>'),
        ("M\xc3\xbcller <sip:+12065550100@pbx>", '"M\xc3\xbcller" <sip:+12065550100@203.0.113.1>'),
    ],
)
def test_the_display_name_is_kept_in_a_form_that_can_be_sent(from_: str, expected: str) -> None:
    """RFC 3261 25.1: a display name is tokens or a quoted string."""
    stage = Stage()
    session = stage.pbx.dial(from_=from_)
    stage.run()
    assert header(stage.sent("trunk>far INVITE"), "From").rpartition(";tag=")[0] == expected
    session.cancel(stage.now)
    stage.end()


def test_a_calling_name_of_the_account_takes_the_place_of_the_display_name() -> None:
    """Guide p. 58: recipients of outbound calls see it, once it is updated."""
    stage = Stage()
    known = PhoneNumber(CALLER, calling_name="Example Corp", former_calling_name="Other", calling_name_due=EPOCH + 60)
    stage.snapshot = stage.snapshot.after([known])
    for expected in ('"Other" <sip:', '"Example Corp" <sip:'):
        session = stage.pbx.dial(from_=f"Front Desk <sip:{CALLER}@pbx>")
        stage.run()
        assert header(stage.sent("trunk>far INVITE"), "From").startswith(expected)
        session.cancel(stage.now)
        stage.run(60)
    stage.end(calls=2)


def test_extension_headers_pass_and_headers_of_the_trunk_do_not() -> None:
    stage = Stage()
    headers = (
        "X-CallId: 17\r\nx-order: 1\r\nX-Order: 2\r\nSubject: lunch\r\nUser-to-User: 00;encoding=hex\r\n"
        "X-Lone-CR: a\rBye: b\r\nRoute-Me: no\r\nProxy-Authorization: Digest username=x\r\n"
        "P-Asserted-Identity: <sip:+12065550100@pbx>\r\nUser-Agent: PBX 1\r\nAuthorization: Basic x\r\n"
    )
    session = stage.pbx.dial(headers=headers)
    stage.run()
    invite = stage.sent("trunk>far INVITE")
    assert header(invite, "X-CallId") == "17"
    assert headers_of(invite, "x-order") + headers_of(invite, "X-Order") == ["1", "2"]
    assert header(invite, "Subject") == "lunch"
    assert header(invite, "User-to-User") == "00;encoding=hex"
    assert header(invite, "X-Lone-CR") == "a?Bye: b"
    for name in ("Route-Me", "Proxy-Authorization", "Authorization", "P-Asserted-Identity", "User-Agent"):
        assert not headers_of(invite, name)
    session.cancel(stage.now)
    stage.end()


def test_of_a_multipart_body_only_the_session_description_is_replaced() -> None:
    """RFC 5621; the other part is a PIDF-LO (RFC 6442), as emergency calls carry it."""
    location = b"Content-Type: application/pidf+xml\r\nContent-ID: <here>\r\n\r\n<presence/>\r\n"
    body = b"--b1\r\nContent-Type: application/sdp\r\n\r\n" + sdp() + b"\r\n--b1\r\n" + location + b"--b1--\r\n"
    stage = Stage()
    session = stage.pbx.dial(
        body=body, content_type="multipart/mixed;boundary=b1", headers="Geolocation: <cid:here>\r\n"
    )
    stage.run()
    invite = stage.sent("trunk>far INVITE")
    assert header(invite, "Content-Type") == "multipart/mixed;boundary=b1"
    assert header(invite, "Geolocation") == "<cid:here>"
    assert header(invite, "Content-Length") == str(len(body_of(invite)))
    assert location in body_of(invite)
    assert b"c=IN IP4 203.0.113.1" in body_of(invite)
    assert PBX.encode() not in body_of(invite)
    stage.far.pick_up()
    stage.run()
    assert stage.pbx.heard == ["answered"]
    session.hang_up(stage.now)
    stage.end(completed=1)


# -- media


def test_what_both_sides_say_of_their_media_is_what_the_relay_does() -> None:
    """RFC 3264 5 and 6: each side is sent to where its own description says."""
    stage = Stage()
    stage.answered()
    a, b = stage.plan.streams
    assert (a.remote, b.remote) == ((PBX, 4000), (FAR, 6000))
    assert (a.remote_rtcp, b.remote_rtcp) == ((PBX, 4001), (FAR, 6001))
    assert a.receive
    assert a.send
    assert f"m=audio {b.pair.rtp} RTP/AVP 0 101".encode() in stage.sent("trunk>far INVITE")
    assert f"m=audio {a.pair.rtp} RTP/AVP 0 101".encode() in stage.sent("trunk>pbx 200 INVITE")
    assert a.no_media_seconds == LAB.no_media_seconds
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["the PBX was told to send to 203.0.113.1", "192.0.2.10:4000 by its SDP"])


@pytest.mark.parametrize("repeated", [True, False], ids=["repeated in the 200", "only in the 183"])
def test_early_media_flows_both_ways_before_the_answer(repeated: bool) -> None:
    """RFC 3960 3.1; RFC 6337 3.1.1: a 200 may leave out the answer of the 183, ours must not, as 183 may be lost."""
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.early_media()
    stage.run()
    assert stage.pbx.heard == ["183"]
    a, b = stage.plan.streams
    assert (a.send, a.receive, b.send, b.receive) == (True, True, True, True)
    assert a.no_media_seconds == b.no_media_seconds == 0, "before the answer, nobody has to send"
    stage.far.pick_up(body=FAR_SDP if repeated else b"")
    stage.run()
    assert stage.pbx.heard == ["183", "answered"]
    assert body_of(stage.sent("trunk>pbx 200 INVITE")) == body_of(stage.sent("trunk>pbx 183 INVITE"))
    assert stage.plan.streams[0].no_media_seconds == LAB.no_media_seconds
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_early_media_of_the_public_network_is_a_tone_until_the_answer() -> None:
    stage = Stage(behaviour=behaviour("early-media", ring_seconds=2))
    stage.pbx.dial(CALLED)
    stage.run(5)
    assert stage.pbx.heard == ["183", "answered"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_ringing_after_early_media_is_passed_on_too() -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.early_media()
    stage.far.ring()
    stage.far.session.progress(181, "Call Is Being Forwarded", stage.now)
    stage.run()
    assert stage.pbx.heard == ["183", "180", "181"]
    stage.far.pick_up()
    stage.run()
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_early_media_that_cannot_be_used_does_not_end_the_call() -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.early_media(b"no description")
    stage.run()
    assert stage.pbx.heard == ["183"]
    assert not body_of(stage.sent("trunk>pbx 183 INVITE"))
    stage.far.pick_up()
    stage.run()
    assert stage.pbx.heard == ["183", "answered"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["Early media is not passed on"])


def test_the_offer_may_come_with_the_answer() -> None:
    """RFC 3261 13.2.1: INVITE without offer, offer in the 200, answer in the ACK."""
    stage = Stage(behaviour=behaviour("answer", ring_seconds=1))
    stage.pbx.acknowledge_with = sdp()
    stage.pbx.dial(CALLED, body=b"")
    stage.run(3)
    assert not body_of(stage.sent("trunk>pstn INVITE"))
    assert b"c=IN IP4 203.0.113.1" in body_of(stage.sent("trunk>pbx 200 INVITE"))
    assert b"c=IN IP4 203.0.113.1" in body_of(stage.sent("trunk>pstn ACK"))
    assert header(stage.sent("trunk>pstn ACK"), "Content-Type") == "application/sdp"
    assert [stream.remote and stream.remote[0] for stream in stage.plan.streams] == [PBX, PSTN]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("ack", [b"", b"no description"], ids=["nothing", "nonsense"])
def test_a_late_offer_that_is_not_answered_ends_the_call(ack: bytes) -> None:
    """RFC 3261 13.2.2.4: the answer has to be in the ACK."""
    stage = Stage()
    stage.pbx.acknowledge_with = ack
    stage.pbx.dial(body=b"")
    stage.run()
    stage.far.pick_up()
    stage.run()
    assert stage.pbx.heard == ["answered", "BYE"]
    assert header(stage.sent("trunk>pbx BYE"), "Reason").startswith("SIP;cause=488")
    assert stage.world.told("trunk", "far")[-3:] == ["trunk>far ACK", "trunk>far BYE", "far>trunk 200 BYE"]
    stage.end(completed=0)


@pytest.mark.parametrize("offer", [True, False])
def test_an_answer_without_any_session_description_is_refused(offer: bool) -> None:
    """RFC 3261 13.2.1: a 2xx carries the answer, or the offer where the INVITE had none."""
    stage = Stage()
    stage.pbx.dial(body=sdp() if offer else b"")
    stage.run()
    stage.far.pick_up(body=b"")
    stage.run()
    assert stage.pbx.heard == ["failed 502"]
    assert stage.world.told("trunk", "far")[-3:] == ["trunk>far ACK", "trunk>far BYE", "far>trunk 200 BYE"]
    stage.end(completed=0, explained=["No SDP"])


def test_an_answer_that_declines_the_audio_is_refused() -> None:
    """RFC 3264 6: port 0 declines the line."""
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.pick_up(body=sdp(FAR, 0))
    stage.run()
    assert stage.pbx.heard == ["failed 488"]
    stage.end(completed=0, explained=["Audio Declined"])


def test_an_offer_without_a_codec_of_the_trunk_is_refused_with_the_setting() -> None:
    """RFC 3261 21.4.26."""
    stage = Stage()
    stage.pbx.dial(body=sdp(formats="18"))
    stage.run()
    assert stage.pbx.heard == ["failed 488"]
    refusal = stage.sent("trunk>pbx 488 INVITE")
    assert header(refusal, "Warning").startswith('305 voiceconnector "')
    stage.end(completed=0, explained=["profile.codecs", "No Acceptable Codec"])
    assert not stage.world.told("trunk", "far")


def test_when_ports_run_out_the_call_is_refused_and_says_so() -> None:
    """RFC 3261 21.5.4; the ports of the call before come back."""
    stage = Stage(ports=2)
    stage.answered()
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["answered", "failed 503"]
    refusal = stage.sent("trunk>pbx 503 INVITE")
    assert header(refusal, "Retry-After") == "1"
    assert "all 2 port pairs on 203.0.113.1 are in use" in header(refusal, "Warning")
    assert "rtp_ports" in stage.explained()
    stage.pbx.sessions[0].hang_up(stage.now)
    stage.run()
    stage.pbx.dial()
    stage.run()
    stage.far.session.refuse(486, "Busy Here", stage.now)
    stage.end(calls=3, completed=1)


def test_one_port_pair_is_not_enough_and_is_given_back() -> None:
    stage = Stage(ports=1)
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["failed 503"]
    stage.end(completed=0, explained=["there is no port for media", "rtp_ports"])


# -- refusals of the called side


@pytest.mark.parametrize(
    ("status_code", "told"),
    [
        (301, 502),  # Redirections lead past the trunk.
        (302, 502),
        (400, 400),
        (401, 502),  # Challenges are meant for the trunk; the caller has no password for them.
        (403, 403),
        (404, 404),
        (407, 502),
        (408, 408),
        (410, 410),
        (421, 502),
        (480, 480),
        (482, 502),
        (483, 502),
        (486, 486),
        (488, 488),
        (500, 500),
        (503, 503),
        (600, 600),
        (603, 603),
        (607, 607),
    ],
)
def test_a_refusal_of_the_called_side_reaches_the_caller(status_code: int, told: int) -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.session.refuse(status_code, "As It Pleases", stage.now, "Contact: <sip:elsewhere@198.51.100.99>\r\n")
    stage.run()
    assert stage.pbx.heard == [f"failed {told}"]
    refusal = stage.sent(f"trunk>pbx {told} INVITE")
    assert "As It Pleases" in start_line(refusal)
    assert not headers_of(refusal, "Contact")
    stage.end(completed=0, explained=[f"{status_code} As It Pleases"] if told != status_code else ["As It Pleases"])
    assert stage.world.told("trunk", "far")[-2:] == [f"far>trunk {status_code} INVITE", "trunk>far ACK"]


def test_why_and_when_again_is_passed_on_with_a_refusal() -> None:
    """RFC 3326, RFC 6432: Q.850 causes tell more than status codes; RFC 3261 20.33."""
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    lines = "Reason: Q.850;cause=17\r\nRetry-After: 30\r\nServer: far\r\nX-Private: 1\r\n"
    stage.far.session.refuse(486, "Busy Here", stage.now, lines)
    stage.run()
    refusal = stage.sent("trunk>pbx 486 INVITE")
    assert header(refusal, "Reason") == "Q.850;cause=17"
    assert header(refusal, "Retry-After") == "30"
    assert not headers_of(refusal, "Server")
    assert not headers_of(refusal, "X-Private")
    stage.end(completed=0)


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Busy\rVia: SIP/2.0/UDP 192.0.2.99", "Busy?Via: SIP/2.0/UDP 192.0.2.99"),
        ("Zaj\xc4\x99te", "Zaj\xc4\x99te"),
        ("", "Rejected"),
        ("x" * 5000, "x" * 200 + "..."),
    ],
    ids=["line break", "UTF-8", "none", "endless"],
)
def test_a_reason_phrase_is_passed_on_as_one_line_of_text(reason: str, told: str) -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.session.refuse(486, reason, stage.now)
    stage.run()
    assert start_line(stage.sent("trunk>pbx 486 INVITE")) == f"SIP/2.0 486 {told}"
    stage.end(completed=0)
    (record,) = stage.ended()
    assert record.status_message == (told if reason[:3] != "Zaj" else "Zaj\N{LATIN SMALL LETTER E WITH OGONEK}te")


@pytest.mark.parametrize("name", ["busy", "reject-404", "reject-503", "reject-603"])
def test_a_number_of_the_public_network_refuses(name: str) -> None:
    stage = Stage(behaviour=behaviour(name))
    stage.pbx.dial(CALLED)
    stage.run()
    expected = "486" if name == "busy" else name.removeprefix("reject-")
    assert stage.pbx.heard == [f"failed {expected}"]
    stage.end(completed=0, explained=["Not answered"])


def test_nobody_at_the_called_side_ends_in_504() -> None:
    """RFC 3261 16.8, 21.5.5: the trunk gives up after 64*T1."""
    stage = Stage()
    stage.world.rules.append(lambda packet: () if packet.destination == "far" else None)
    stage.pbx.dial()
    stage.run(33)
    assert stage.pbx.heard == ["failed 504"]
    stage.end(completed=0, explained=["the called side cannot be reached: no answer from UDP 198.51.100.7:5060"])


def test_an_unreachable_called_side_ends_in_503() -> None:
    """RFC 3261 8.1.3.1: an ICMP error counts as 503."""
    stage = Stage()
    stage.reachable = False
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard == ["failed 503"]
    stage.end(completed=0, explained=["ECONNREFUSED"])


# -- cancelled, or never answered


def test_a_call_is_cancelled_before_it_rings() -> None:
    """RFC 3261 9.1: no CANCEL on leg b before there is a provisional response."""
    stage = Stage()
    stage.far.when_called = lambda session, now: None
    session = stage.pbx.dial()
    stage.run()
    session.cancel(stage.now)
    stage.run()
    assert "trunk>far CANCEL" not in stage.world.told()
    stage.far.ring()
    stage.end(completed=0, explained=["The caller cancelled the call before the answer."])
    assert stage.world.told("trunk", "far")[-4:] == [
        "trunk>far CANCEL",
        "far>trunk 200 CANCEL",
        "far>trunk 487 INVITE",
        "trunk>far ACK",
    ]
    assert stage.far.heard == ["INVITE", "CANCEL"]


def test_a_call_is_cancelled_while_it_rings() -> None:
    stage = Stage(behaviour=behaviour("no-answer"))
    session = stage.pbx.dial(CALLED)
    stage.run(3)
    session.cancel(stage.now, 'SIP;cause=200;text="Call completed elsewhere"')
    stage.end(completed=0)
    assert stage.world.told("pbx", "trunk")[-4:] == [
        "pbx>trunk CANCEL",
        "trunk>pbx 200 CANCEL",
        "trunk>pbx 487 INVITE",
        "pbx>trunk ACK",
    ]
    assert header(stage.sent("trunk>pstn CANCEL"), "Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert stage.ended()[0].status_message == "Request Terminated"


def test_cancel_crosses_the_answer_of_the_called_side() -> None:
    """RFC 3261 9.1, 15: the 200 of leg b is acknowledged and ended with BYE; leg a was cancelled."""
    stage = Stage()
    session = stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run()
    stage.world.delay("far>trunk 200 INVITE", 0.05)
    stage.far.pick_up()
    session.cancel(stage.now)
    stage.end(completed=0)
    assert stage.world.told("trunk", "far")[-3:] == ["trunk>far ACK", "trunk>far BYE", "far>trunk 200 BYE"]
    assert "trunk>pbx 487 INVITE" in stage.world.told()


def test_cancel_crosses_the_answer_to_the_caller() -> None:
    """RFC 3261 9.2: once the 200 is sent a CANCEL has no effect; the caller ends with BYE."""
    stage = Stage()
    session = stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run()
    stage.world.delay("trunk>pbx 200 INVITE", 0.05)
    stage.far.pick_up()
    stage.run(0.015)
    session.cancel(stage.now)
    stage.end(completed=1)
    assert stage.world.told("trunk", "pbx")[-2:] == ["pbx>trunk BYE", "trunk>pbx 200 BYE"]


def test_a_call_that_nobody_answers_ends_with_the_ring_time_out() -> None:
    stage = Stage(behaviour=behaviour("no-answer"))
    stage.pbx.dial(CALLED)
    stage.run(LAB.ring_timeout + 1)
    assert stage.pbx.heard == ["180", "failed 480"]
    assert header(stage.sent("trunk>pstn CANCEL"), "Reason").startswith("SIP;cause=408")
    stage.end(completed=0, explained=["nobody answered within 60 s", "profile.ring_timeout"])


def test_the_called_side_answers_as_the_ring_time_out_strikes() -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.world.run_until(LAB.ring_timeout + 0.005)
    stage.far.pick_up()
    stage.end(completed=0)
    assert stage.pbx.heard == ["180", "failed 480"]
    assert stage.world.told("trunk", "far")[-5:] == [
        "trunk>far CANCEL",
        "trunk>far ACK",
        "trunk>far BYE",
        "far>trunk 200 CANCEL",
        "far>trunk 200 BYE",
    ]


def test_the_caller_hangs_up_a_ringing_call_with_bye() -> None:
    """RFC 3261 15: a caller may end an early dialog with BYE; the INVITE is answered 487."""
    stage = Stage()
    session = stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run()
    assert session.dialog.remote_tag
    session.send("BYE", stage.now)
    stage.run()
    assert "trunk>pbx 487 INVITE" in stage.world.told()
    assert "trunk>far CANCEL" in stage.world.told()
    stage.end(completed=0)


def test_a_second_far_side_that_answers_is_hung_up() -> None:
    """RFC 3261 13.2.2.4: the network behind forks, two of its branches answer."""
    stage = Stage()
    stage.answered()
    other = stage.sent("far>trunk 200 INVITE").replace(
        b";tag=" + stage.far.session.dialog.local_tag.encode(), b";tag=other"
    )
    stage.world.send("far", stage.world.hop("far", "trunk"), other)
    stage.run()
    assert stage.world.told("trunk", "far")[-3:] == ["trunk>far ACK", "trunk>far BYE", "far>trunk 481 BYE"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_lost_answer_is_sent_again_and_retransmitted_invites_start_no_call() -> None:
    """Acceptance case 18; RFC 3261 13.3.1.4, 17.2.1."""
    stage = Stage()
    stage.world.lose("trunk>pbx 100 INVITE", "trunk>pbx 180 INVITE", times=9)
    stage.world.lose("trunk>pbx 200 INVITE", times=2)
    session = stage.pbx.dial()
    stage.run(2)
    stage.far.ring()
    stage.run()
    stage.far.pick_up()
    stage.run(3)
    assert stage.world.told("pbx", "trunk").count("pbx>trunk INVITE") >= 3
    assert stage.world.told("trunk", "far").count("trunk>far INVITE") == 1
    assert stage.pbx.heard == ["answered"]
    session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_headers_of_early_answers_name_the_trunk() -> None:
    """RFC 3261 12.1.1: Contact and Record-Route in what makes a dialog."""
    stage = Stage()
    stage.pbx.dial(headers="Record-Route: <sip:192.0.2.77;lr>, <sip:192.0.2.78;lr>\r\n")
    stage.run()
    stage.far.ring()
    stage.run()
    ringing = stage.sent("trunk>pbx 180 INVITE")
    assert header(ringing, "Contact") == f"<sip:{CALLED_FAR}@{TRUNK}:5060>"
    assert header(ringing, "Record-Route") == "<sip:192.0.2.77;lr>, <sip:192.0.2.78;lr>"
    stage.pbx.session.cancel(stage.now)
    stage.end(completed=0)


def test_the_timestamp_of_an_invite_comes_back_in_the_100() -> None:
    """RFC 3261 8.2.6.1."""
    stage = Stage()
    session = stage.pbx.dial(headers="Timestamp: 54.21\r\n")
    stage.run()
    assert header(stage.sent("trunk>pbx 100 INVITE"), "Timestamp") == "54.21"
    session.cancel(stage.now)
    stage.end()


def test_an_invite_expires_when_it_says_so() -> None:
    """RFC 3261 13.3.1: a final response 487 once the time in Expires is over."""
    stage = Stage()
    stage.pbx.dial(headers="Expires: 20\r\n")
    stage.run()
    stage.far.ring()
    stage.run(19.5)
    assert stage.pbx.heard == ["180"]
    stage.run(1)
    assert stage.pbx.heard == ["180", "failed 487"]
    assert "trunk>far CANCEL" in stage.world.told()
    stage.end(completed=0, explained=["within the 20 s that its INVITE was good for", "RFC 3261 13.3.1"])


@pytest.mark.parametrize("expires", ["3600", "x", "", "99999999999999999999"])
def test_an_invite_that_does_not_expire_rings_as_long_as_the_profile_says(expires: str) -> None:
    stage = Stage()
    stage.pbx.dial(headers=f"Expires: {expires}\r\n")
    stage.run()
    stage.far.ring()
    stage.run(61)
    assert stage.pbx.heard == ["180", "failed 480"]
    stage.end(completed=0)


def test_typed_bodies_carry_their_type() -> None:
    stage = Stage()
    stage.answered()
    assert SDP.encode() in stage.sent("trunk>far INVITE")
    assert SDP.encode() in stage.sent("trunk>pbx 200 INVITE")
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)
