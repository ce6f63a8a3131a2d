"""What a PBX may answer to a call from the PSTN, odd as it may be, and the route set that it has to keep to.

Each answer has the outcome that the RFC gives it, one record, and leaves nothing open.
"""

import pytest

from tests.flows.inbound import LIKE_AWS, NUMBER, ONE, TWO, Inbound
from tests.flows.stage import FAR, FAR_SDP, sdp
from tests.phone import SDP
from tests.wire import answer, header, headers_of, start_line
from voiceconnector.sip.session import ENDED


def ringing(**more: object) -> Inbound:
    """A call that the PBX has got."""
    stage = Inbound(**more)  # type: ignore[arg-type]  # a profile, at most
    stage.ring()
    stage.run()
    return stage


@pytest.mark.parametrize("status_code", [404, 480, 486, 487, 488, 501, 505, 600, 603])
def test_a_refusal_is_everybodys_refusal(status_code: int) -> None:
    """Acceptance case 23: 486 and its like go to the caller, and no other route is tried."""
    stage = ringing()
    stage.one.refuse(status_code, "Because", 'Reason: Q.850;cause=17;text="busy"\r\n')
    stage.run()
    assert start_line(stage.sent(f"trunk>far {status_code} INVITE")) == f"SIP/2.0 {status_code} Because"
    assert header(stage.sent(f"trunk>far {status_code} INVITE"), "Reason").startswith("Q.850")
    assert not stage.two.sessions
    stage.end(completed=0, explained=[f"it answered {status_code} Because", "the PSTN side was told"])


@pytest.mark.parametrize("status_code", [300, 302, 305, 401, 407, 420])
def test_what_is_meant_for_the_trunk_is_not_followed(status_code: int) -> None:
    """RFC 3261 8.1.3.4 lets a client decide; the trunk follows no redirection and answers no challenge."""
    stage = ringing()
    stage.one.refuse(status_code, "Elsewhere", f"Contact: <sip:{NUMBER}@{TWO}>\r\n")
    stage.run()
    assert stage.far.heard == ["failed 502"]
    assert not stage.two.sessions
    stage.end(completed=0, explained=[f"it answered {status_code} Elsewhere"])


def test_early_media_of_the_pbx_is_heard_outside() -> None:
    """RFC 3960 3.2."""
    stage = ringing()
    stage.one.early_media(stage.one.answer)
    stage.run()
    assert stage.far.heard == ["183"]
    assert b"m=audio" in stage.far.bodies[-1]
    assert [stream.remote for stream in stage.plan.streams] == [(FAR, 6000), (ONE, 7000)]
    stage.one.pick_up()
    stage.run()
    stage.one.session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_caller_gives_up_while_it_rings() -> None:
    """Acceptance case 27: CANCEL, 487 and ACK; the record is Failed and costs nothing."""
    stage = ringing()
    stage.one.ring()
    stage.run()
    stage.far.session.cancel(stage.now, "SIP;cause=487")
    stage.end(completed=0, explained=["The caller cancelled the call before the answer."])
    assert stage.world.told("trunk", "one")[-4:] == [
        "trunk>one CANCEL",
        "one>trunk 200 CANCEL",
        "one>trunk 487 INVITE",
        "trunk>one ACK",
    ]
    assert stage.ended()[0].answer_time is None


@pytest.mark.parametrize(("late", "completed"), [("one>trunk 200 INVITE", 0), ("far>trunk CANCEL", 1)])
def test_an_answer_that_crosses_the_cancel_is_acknowledged_and_released(late: str, completed: int) -> None:
    """RFC 3261 9.1, 13.2.2.4: by the trunk where the answer is late, by the caller where its CANCEL is."""
    stage = ringing()
    stage.one.ring()
    stage.run()
    stage.world.delay(late, 0.05)
    stage.one.pick_up()
    stage.far.session.cancel(stage.now)
    stage.end(completed=completed)
    assert stage.one.heard == ["INVITE", "ACK", "BYE"]
    assert stage.one.session.state == ENDED


def test_nobody_picks_up_for_as_long_as_it_may_ring() -> None:
    stage = ringing()
    stage.one.ring()
    stage.run(61)
    assert stage.far.heard == ["180", "failed 480"]
    assert stage.one.heard == ["INVITE", "CANCEL"]
    assert not stage.two.sessions
    stage.end(completed=0, explained=["nobody answered within 60 s"])


def test_an_answer_without_sdp_ends_the_call() -> None:
    """RFC 3261 13.2.1: the offer was in the INVITE, so the 200 has to answer it."""
    stage = ringing()
    stage.one.pick_up(body=b"")
    stage.end(completed=0, explained=["accepts an offer without ever answering it with SDP"])
    assert stage.far.heard == ["failed 502"]
    assert stage.one.heard == ["INVITE", "ACK", "BYE"]


def test_an_answer_with_a_codec_that_was_not_offered_ends_the_call() -> None:
    """Acceptance case 28, RFC 3264 6.1: ACK, then BYE, and a line that says why."""
    stage = ringing()
    stage.one.pick_up(body=sdp(ONE, 7000, "9"))
    stage.end(completed=0, explained=["NO  media"])
    assert stage.far.heard == ["failed 488"]
    assert stage.one.heard == ["INVITE", "ACK", "BYE"]


def fork(stage: Inbound, tag: str, status_code: int = 200, body: bytes = b"") -> None:
    """Let another device behind the PBX answer the INVITE, with a To-tag of its own."""
    headers = f"Contact: <sip:{tag}@{ONE}>\r\nRecord-Route: {header(stage.invite(), 'Record-Route')}\r\n"
    data = answer(stage.invite(), status_code, "X", tag=tag, headers=headers + (SDP if body else ""), body=body)
    stage.world.send("one", stage.world.hop("one", "trunk"), data)
    stage.run()


def test_of_two_devices_that_answer_the_second_is_released() -> None:
    """RFC 3261 13.2.2.4: each 2xx of another To-tag is acknowledged, and ended with BYE."""
    stage = ringing()
    fork(stage, "desk", 180)
    fork(stage, "mobile", 180)
    assert stage.far.heard == ["180", "180"]
    stage.one.pick_up()
    stage.run()
    fork(stage, "mobile", 200, sdp(ONE, 7100))
    released = [data for data in stage.world.sent("trunk>one BYE") if ";tag=mobile" in header(data, "To")]
    acknowledged = [data for data in stage.world.sent("trunk>one ACK") if ";tag=mobile" in header(data, "To")]
    assert len(acknowledged) == 1
    assert released
    assert "another branch answered first" in header(released[0], "Reason")
    assert [stream.remote for stream in stage.plan.streams][1] == (ONE, 7000), "audio stays with the first"
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_device_that_answers_need_not_be_the_one_that_rang_first() -> None:
    """RFC 3261 12.1.2, 13.2.2.4: the dialog is the one of the 2xx."""
    stage = ringing()
    fork(stage, "desk", 180)
    stage.one.pick_up()
    stage.run()
    assert stage.far.heard == ["180", "answered"]
    stage.far.session.hang_up(stage.now)
    stage.run()
    assert stage.one.heard == ["INVITE", "ACK", "BYE"]
    stage.end(completed=1)


def test_ringing_without_a_tag_is_passed_on_and_makes_no_dialog() -> None:
    """RFC 3261 12.1: no To-tag, no early dialog; the 200 has one."""
    stage = ringing()
    fork(stage, "", 180)
    assert stage.far.heard == ["180"]
    stage.one.pick_up()
    stage.run()
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_200_that_is_repeated_gets_its_ack_each_time() -> None:
    """RFC 3261 13.2.2.4: for as long as the PBX repeats it."""
    stage = ringing()
    stage.world.lose("trunk>one ACK", times=3)
    stage.one.pick_up()
    stage.run(10)
    assert stage.world.told("trunk", "one").count("one>trunk 200 INVITE") == 4
    assert stage.world.told("trunk", "one").count("trunk>one ACK") == 4
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_pbx_that_gets_no_ack_at_all_gives_up_and_so_does_the_call() -> None:
    """RFC 3261 13.3.1.4: 64*T1 after its 200 the PBX ends the call with BYE."""
    stage = ringing()
    stage.world.lose("trunk>one ACK", times=100)
    stage.one.pick_up()
    stage.run(40)
    assert stage.far.heard == ["answered", "BYE"]
    stage.end(completed=1)


def test_a_pbx_that_was_restarted_ends_the_call_at_the_next_request() -> None:
    """RFC 3261 12.2.1.2: 481 to a request in the dialog ends it."""
    stage = Inbound()
    stage.talking()
    stage.one.stack.dialogs.clear()
    stage.far.session.send("INVITE", stage.now, SDP, sdp(FAR, 6000, version=2))
    stage.run(1)
    assert stage.far.heard[-2:] == ["481 INVITE", "lost"]
    stage.end(completed=0, explained=["The called side is lost: the peer answered INVITE with 481."])


def test_offers_that_cross_are_refused_with_491_and_the_call_goes_on() -> None:
    """RFC 3261 14.2: glare."""
    stage = Inbound()
    caller, called = stage.talking()
    caller.send("INVITE", stage.now, SDP, sdp(FAR, 6002, version=2))
    called.send("INVITE", stage.now, SDP, sdp(ONE, 7002, version=2))
    stage.run(1)
    assert "491 INVITE" in stage.one.heard + stage.far.heard
    assert stage.switch.active_calls == 1
    caller.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("held_by", ["the outside", "the PBX"])
def test_either_side_may_hold_the_call(held_by: str) -> None:
    """RFC 3264 8.4."""
    stage = Inbound()
    caller, called = stage.talking()
    holder, held, address = (caller, stage.one, FAR) if held_by == "the outside" else (called, stage.far, ONE)
    held.when_asked = lambda session, transaction, request, now: session.accept(
        now, SDP, sdp(ONE if held is stage.one else FAR, 7000 if held is stage.one else 6000, direction="recvonly")
    )
    holder.send("INVITE", stage.now, SDP, sdp(address, 6000, direction="sendonly", version=2))
    stage.run()
    assert b"a=sendonly" in held.bodies[-1]
    caller.hang_up(stage.now)
    stage.end(completed=1)


# -- the messages of the edge


def test_answers_come_back_with_both_vias_and_with_no_more_than_those() -> None:
    """RFC 3261 8.1.3.3."""
    stage = ringing()
    foreign = answer(stage.invite(), 486, "Busy").replace(
        b"From:", b"Via: SIP/2.0/UDP 192.0.2.200;branch=x\r\nFrom:", 1
    )
    stage.world.send("one", stage.world.hop("one", "trunk"), foreign)
    stage.run()
    assert stage.far.heard == [], "that answer was another's"
    edge, inner = headers_of(stage.invite(), "Via")
    two_lines, one_line = f"{edge}\r\nVia: {inner}".encode(), f"{edge}, {inner}".encode()
    in_one_line = answer(stage.invite(), 486, "Busy").replace(two_lines, one_line)
    assert in_one_line.count(b"Via:") == 1
    stage.world.send("one", stage.world.hop("one", "trunk"), in_one_line)
    stage.run()
    assert stage.far.heard == ["failed 486"]
    stage.one.session.refuse(486, "Busy", stage.now)
    stage.end()


# -- the route set


def test_a_pbx_that_keeps_to_the_route_set_is_not_lectured() -> None:
    stage = Inbound(profile=LIKE_AWS)
    _, called = stage.talking()
    called.hang_up(stage.now)
    stage.run()
    assert stage.world.told()[-1] == "far>trunk 200 BYE"
    stage.end(completed=1)
    assert "route set" not in stage.explained()


def test_a_bye_to_the_private_contact_is_lost_and_explained_at_the_next_request() -> None:
    """Acceptance case 20."""
    stage = Inbound(profile=LIKE_AWS)
    _, called = stage.talking()
    called.dialog.route_set = ()
    called.hop = called.hop._replace(address=("10.0.194.162", 5060))
    called.hang_up(stage.now)
    stage.run(40)
    assert stage.far.heard[-1] == "answered", "the outside still talks"
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1, explained=["did not know the call any more when BYE came (481)", "private address 10.0.194"])


def test_an_ack_to_the_private_contact_ends_the_call_after_32_s_with_the_reason() -> None:
    """RFC 3261 13.3.1.4: the 200 of a re-INVITE of the PBX wants its ACK along the route set."""
    stage = Inbound(profile=LIKE_AWS)
    _, called = stage.talking()
    stage.far.when_asked = lambda session, transaction, request, now: session.accept(now, SDP, FAR_SDP)
    stage.world.lose("one>trunk ACK", times=100)
    called.send("INVITE", stage.now, SDP, sdp(ONE, 7002, version=2))
    stage.run(40)
    assert stage.far.heard[-1] == "BYE"
    stage.end(completed=0, explained=["No ACK of the PBX came for 32 s", "Let the PBX use the route set"])


def test_a_200_without_the_record_route_is_told_of_before_anything_is_lost() -> None:
    """RFC 3261 12.1.1."""
    stage = ringing(profile=LIKE_AWS)
    data = answer(stage.invite(), headers=f"Contact: <sip:{ONE}>\r\n{SDP}", body=stage.one.answer)
    stage.world.send("one", stage.world.hop("one", "trunk"), data)
    stage.run()
    assert "answered without the Record-Route of the INVITE" in stage.explained()
    stage.far.session.hang_up(stage.now)
    stage.run()
    stage.one.session.refuse(486, "Busy", stage.now)
    stage.end(completed=1)


def test_in_a_lab_a_bye_to_the_contact_arrives_and_is_still_worth_a_word() -> None:
    stage = Inbound()
    _, called = stage.talking()
    called.dialog.route_set = ()
    called.hang_up(stage.now)
    stage.end(completed=1, explained=["sent BYE without Route, straight to the Contact"])
