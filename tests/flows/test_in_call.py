"""What happens in a call that is up: hold, codecs, glare, requests that pass through, and its ends."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.flows.stage import CALLED, FAR, FAR_SDP, PBX, TRUNK, Stage, sdp
from tests.phone import SDP, Phone
from tests.wire import body_of, header, headers_of, start_line
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.sip.message import Request
from voiceconnector.sip.session import Session
from voiceconnector.sip.transaction import ServerTransaction
from voiceconnector.trunk.profile import AWS, LAB

AWS_AT_HOME = replace(AWS, private_addresses_allowed=True, default_cps_limit=None)
"""The profile of the real service, without its quotas."""


def answering(body: bytes) -> Callable[[Session, ServerTransaction, Request, float], None]:
    """Answers a re-INVITE or UPDATE with this description."""

    def agree(session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "INVITE":
            session.accept(now, SDP if body else "", body)
        else:
            session.answer(transaction, 200, "OK", now, SDP if body else "", body)

    return agree


def refusing(status_code: int, reason: str, lines: str = "") -> Callable[..., None]:
    def refuse(session: Session, transaction: ServerTransaction, request: Request, now: float) -> None:
        if request.method == "INVITE":
            session.refuse(status_code, reason, now, lines)
        else:
            session.answer(transaction, status_code, reason, now, lines)

    return refuse


def sides(stage: Stage, who: str) -> tuple[Phone, Phone, int]:
    """Who asks, who is asked, and the index of the asker's stream in the plan."""
    return (stage.pbx, stage.far, 0) if who == "pbx" else (stage.far, stage.pbx, 1)


# -- offers and answers


@pytest.mark.parametrize("who", ["pbx", "far"])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_either_side_holds_and_resumes(who: str, method: str) -> None:
    """RFC 3264 8.4, RFC 6337 5.3: sendonly is answered recvonly, and the relay stops one direction."""
    stage = Stage()
    stage.answered()
    asker, asked, index = sides(stage, who)
    address, port = (PBX, 4000) if who == "pbx" else (FAR, 6000)
    other, other_port = (FAR, 6000) if who == "pbx" else (PBX, 4000)
    asked.when_asked = answering(sdp(other, other_port, direction="recvonly", version=2))
    asker.session.send(method, stage.now, SDP, sdp(address, port, direction="sendonly", version=2))
    stage.run()
    assert asker.heard[-1] == f"200 {method}"
    assert b"a=sendonly" in asked.bodies[-1]
    assert b"a=recvonly" in asker.bodies[-1]
    held, holding = stage.plan.streams[1 - index], stage.plan.streams[index]
    assert (holding.receive, holding.send, held.receive, held.send) == (True, False, False, True)
    assert held.no_media_seconds == held.vanish_seconds == 0, "who is on hold may be silent"
    asked.when_asked = answering(sdp(other, other_port, version=3))
    asker.session.send(method, stage.now, SDP, sdp(address, port, version=3))
    stage.run()
    assert all(stream.send and stream.receive for stream in stage.plan.streams)
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


def test_descriptions_of_the_trunk_count_their_versions() -> None:
    """RFC 3264 8: one o= line for the whole call, its version grows with each change."""
    stage = Stage()
    stage.answered()
    for version, direction in ((2, "sendonly"), (3, "sendrecv")):
        stage.far.when_asked = answering(
            sdp(FAR, 6000, direction="recvonly" if version == 2 else direction, version=version)
        )
        stage.pbx.session.send("INVITE", stage.now, SDP, sdp(direction=direction, version=version))
        stage.run()
    origins = [next(line for line in body.splitlines() if line[:2] == b"o=").split() for body in stage.far.bodies]
    assert len({origin[1] for origin in origins}) == 1
    assert [int(origin[2]) for origin in origins] == [1, 2, 3]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_the_codec_and_the_address_change(who: str) -> None:
    """RFC 3264 8.3.1, 8.3.2."""
    stage = Stage()
    stage.answered()
    asker, asked, index = sides(stage, who)
    other, other_port = (FAR, 6000) if who == "pbx" else (PBX, 4000)
    asked.when_asked = answering(sdp(other, other_port, "8", version=2))
    asker.session.send("INVITE", stage.now, SDP, sdp("192.0.2.55", 7000, "8", version=2))
    stage.run()
    stream = stage.plan.streams[index]
    assert stream.remote == ("192.0.2.55", 7000)
    assert stream.payload_types == (8,)
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_a_reinvite_without_offer_asks_the_other_side_for_one(who: str) -> None:
    """RFC 3261 14.2: offer in the 200, answer in the ACK, through both legs."""
    stage = Stage()
    stage.answered()
    asker, asked, index = sides(stage, who)
    other, other_port = (FAR, 6000) if who == "pbx" else (PBX, 4000)
    address = PBX if who == "pbx" else FAR
    asked.when_asked = answering(sdp(other, other_port, "0", version=2))
    asker.acknowledge_with = sdp(address, 7000, "0", version=2)
    asker.session.send("INVITE", stage.now)
    stage.run()
    assert asked.heard[-1] == "ACK"
    assert b"c=IN IP4 " + TRUNK.encode() in asked.bodies[-1]
    assert stage.plan.streams[index].remote == (address, 7000)
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_refused_reinvite_leaves_everything_as_it_was() -> None:
    """RFC 3261 14.1: "as if no re-INVITE had been issued"."""
    stage = Stage()
    stage.answered()
    before = stage.plan
    stage.far.when_asked = refusing(488, "Not Acceptable Here")
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(direction="sendonly", version=2))
    stage.run()
    assert stage.pbx.heard[-1] == "488 INVITE"
    assert stage.plan == before
    stage.far.when_asked = answering(FAR_SDP)
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=3))
    stage.run()
    assert stage.pbx.heard[-1] == "200 INVITE", "the next one passes"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize(("status_code", "told"), [(491, 491), (401, 502), (302, 502), (500, 500), (603, 603)])
def test_a_refusal_of_a_reinvite_is_told_as_one_of_an_invite(status_code: int, told: int) -> None:
    stage = Stage()
    stage.answered()
    stage.far.when_asked = refusing(status_code, "No")
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=2))
    stage.run()
    assert stage.pbx.heard[-1] == f"{told} INVITE"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_an_offer_that_cannot_be_used_is_refused_and_the_call_goes_on() -> None:
    stage = Stage()
    stage.answered()
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(formats="18", version=2))
    stage.run()
    assert stage.pbx.heard[-1] == "488 INVITE"
    stage.pbx.session.send("INVITE", stage.now, SDP, b"nonsense")
    stage.run()
    assert stage.pbx.heard[-1] == "400 INVITE"
    assert "re-INVITE" not in stage.far.heard
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["profile.codecs"])


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("answer", [b"", b"nonsense", sdp(FAR, 0)], ids=["none", "nonsense", "declined"])
def test_an_answer_that_cannot_be_used_ends_the_call(method: str, answer: bytes) -> None:
    """RFC 3261 13.2.2.4: whoever accepted has changed over; without a usable answer there is no session."""
    stage = Stage()
    stage.answered()
    stage.far.when_asked = answering(answer)
    stage.pbx.session.send(method, stage.now, SDP, sdp(version=2))
    stage.run()
    assert stage.pbx.heard[-2:] == [f"488 {method}", "BYE"] or stage.pbx.heard[-2:] == ["BYE", f"488 {method}"]
    assert header(stage.sent("trunk>far BYE"), "Reason").startswith("SIP;cause=488")
    stage.end(completed=0)


@pytest.mark.parametrize("offer", [b"nonsense", sdp(FAR, 6000, "18")], ids=["nonsense", "no codec"])
def test_a_late_offer_that_cannot_be_used_ends_the_call(offer: bytes) -> None:
    """RFC 3261 14.1, 13.2.2.4: ACK, then BYE."""
    stage = Stage()
    stage.answered()
    stage.far.when_asked = answering(offer)
    stage.pbx.session.send("INVITE", stage.now)
    stage.run()
    assert stage.world.told("trunk", "far")[-3:] == ["trunk>far ACK", "trunk>far BYE", "far>trunk 200 BYE"]
    stage.end(completed=0)


def test_glare_between_the_legs_is_491_on_both() -> None:
    """RFC 3261 14.2: each side's re-INVITE meets the other's on the way; both try again later."""
    stage = Stage()
    stage.answered()
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=2))
    stage.far.session.send("INVITE", stage.now, SDP, sdp(FAR, 6000, version=2))
    stage.run()
    assert stage.pbx.heard[-1] == "491 INVITE"
    assert stage.far.heard[-1] == "491 INVITE"
    stage.far.when_asked = answering(FAR_SDP)
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=3))
    stage.run()
    assert stage.pbx.heard[-1] == "200 INVITE"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_reinvite_that_meets_one_on_the_other_leg_is_491() -> None:
    stage = Stage()
    stage.answered()
    stage.far.when_asked = lambda session, transaction, request, now: None
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=2))
    stage.run(0.015)
    stage.world.send(
        "far",
        stage.world.hop("far", "trunk"),
        _update_of(stage, sdp(FAR, 6000, version=2)),
    )
    stage.run()
    assert stage.world.told("trunk", "far")[-1] == "trunk>far 491 UPDATE"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def _update_of(stage: Stage, body: bytes) -> bytes:
    """An UPDATE that the far telephone's own rules would hold back."""
    dialog = stage.far.session.dialog
    uri, head = dialog.request_head("UPDATE", dialog.local_cseq + 1)
    dialog.local_cseq += 1
    return (
        f"UPDATE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {FAR}:5060;branch=z9hG4bKupdate\r\n{head}{SDP}"
        f"Contact: <sip:far@{FAR}>\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


@pytest.mark.parametrize("second", ["UPDATE", "INVITE"])
def test_a_second_offer_before_the_first_is_answered_is_500_with_a_time(second: str) -> None:
    """RFC 3311 5.2, RFC 3261 14.2: Retry-After between 0 and 10 seconds."""
    stage = Stage()
    stage.answered()
    held: list[ServerTransaction] = []
    stage.far.when_asked = lambda session, transaction, request, now: held.append(transaction)
    stage.pbx.session.send("UPDATE", stage.now, SDP, sdp(version=2))
    stage.run()
    stage.pbx.session.send(second, stage.now, SDP, sdp(version=3))
    stage.run()
    assert stage.pbx.heard[-1] == f"500 {second}"
    assert 0 <= int(header(stage.sent(f"trunk>pbx 500 {second}"), "Retry-After")) <= 10
    stage.far.session.answer(held[0], 200, "OK", stage.now, SDP, FAR_SDP)
    stage.run()
    assert stage.pbx.heard[-1] == "200 UPDATE"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_reinvite_is_cancelled() -> None:
    """RFC 3261 14.1: re-INVITEs can be cancelled; the call goes on as it was."""
    stage = Stage()
    stage.answered()
    before = stage.plan
    stage.far.when_asked = lambda session, transaction, request, now: session.progress(180, "Ringing", now)
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(direction="sendonly", version=2))
    stage.run()
    stage.pbx.session.withdraw(stage.now)
    stage.run()
    assert stage.pbx.heard[-1] == "487 INVITE"
    assert stage.world.told("trunk", "far")[-4:] == [
        "trunk>far CANCEL",
        "far>trunk 200 CANCEL",
        "far>trunk 487 INVITE",
        "trunk>far ACK",
    ]
    assert stage.plan == before
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_cancelling_a_reinvite_crosses_its_answer() -> None:
    """RFC 3261 9.1: the 200 is acknowledged; for the PBX, everything is as it was."""
    stage = Stage()
    stage.answered()
    before = stage.plan
    stage.far.when_asked = lambda session, transaction, request, now: session.progress(180, "Ringing", now)
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(direction="sendonly", version=2))
    stage.run()
    stage.far.pick_up(body=sdp(FAR, 6000, direction="recvonly", version=2))
    stage.pbx.session.withdraw(stage.now)
    stage.run()
    assert stage.pbx.heard[-1] == "487 INVITE"
    assert stage.far.heard[-1] == "ACK"
    assert stage.plan == before
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("ender", ["pbx", "far"])
def test_a_call_ends_while_a_reinvite_is_under_way(ender: str) -> None:
    """RFC 3261 15.1.2: what is pending is answered 487."""
    stage = Stage()
    stage.answered()
    stage.far.when_asked = lambda session, transaction, request, now: None
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=2))
    stage.run()
    (stage.pbx if ender == "pbx" else stage.far).session.hang_up(stage.now)
    stage.run()
    assert "trunk>pbx 487 INVITE" in stage.world.told()
    stage.end(completed=1)


@pytest.mark.parametrize("ender", ["pbx", "far"])
@pytest.mark.parametrize("method", ["INFO", "UPDATE"])
def test_a_call_ends_while_a_request_is_under_way(ender: str, method: str) -> None:
    stage = Stage()
    stage.answered()
    stage.far.when_asked = lambda session, transaction, request, now: transaction.respond(100, "Trying", now)
    stage.pbx.session.send(method, stage.now, SDP, sdp(version=2))
    stage.run()
    (stage.pbx if ender == "pbx" else stage.far).session.hang_up(stage.now)
    stage.run()
    assert f"trunk>pbx 487 {method}" in stage.world.told()
    for transaction in list(stage.far.stack.transactions()):
        if isinstance(transaction, ServerTransaction):
            transaction.respond(487, "Request Terminated", stage.now)  # Our telephone forgets to, the trunk has not.
    stage.end(completed=1)


def test_a_reinvite_that_gets_no_answer_ends_the_call() -> None:
    """RFC 3261 14.1, 12.2.1.2: 408 ends the dialog; the PBX hears of it, and ends its own with BYE."""
    stage = Stage()
    stage.answered()
    stage.world.rules.append(lambda packet: () if packet.destination == "far" else None)
    stage.pbx.session.send("INVITE", stage.now, SDP, sdp(version=2))
    stage.run(33)
    assert stage.pbx.heard[-2:] == ["408 INVITE", "lost"]
    stage.world.rules.clear()
    stage.far.session.hang_up(stage.now)
    stage.end(completed=0, explained=["The called side is lost"])


def test_update_without_offer_is_answered_by_the_trunk() -> None:
    """RFC 3311 5.2: a refresh of the target or of the session timer."""
    stage = Stage()
    stage.answered()
    stage.pbx.session.send("UPDATE", stage.now)
    stage.run()
    assert stage.pbx.heard[-1] == "200 UPDATE"
    assert "UPDATE" not in stage.far.heard
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_body_that_is_no_description_is_415() -> None:
    """RFC 3261 8.2.3, in the dialog too."""
    stage = Stage()
    stage.answered()
    stage.pbx.session.send("INVITE", stage.now, "Content-Type: text/plain\r\n", b"hello")
    stage.run()
    assert stage.pbx.heard[-1] == "415 INVITE"
    assert (
        header(stage.sent("trunk>pbx 415 INVITE"), "Accept") == "application/sdp, multipart/mixed, application/pidf+xml"
    )
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "OPTIONS"])
def test_an_extension_that_is_not_supported_is_420_in_the_dialog_too(method: str) -> None:
    """RFC 3261 8.2.2.3."""
    stage = Stage()
    stage.answered()
    stage.pbx.session.send(method, stage.now, "Require: 100rel, timer\r\n")
    stage.run()
    assert stage.pbx.heard[-1] == f"420 {method}"
    assert header(stage.sent(f"trunk>pbx 420 {method}"), "Unsupported") == "100rel"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


# -- other requests


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_info_is_passed_on_as_it_is(who: str) -> None:
    """RFC 6086, and application/dtmf-relay as PBXs send it."""
    stage = Stage()
    stage.answered()
    asker, asked, _ = sides(stage, who)
    asked.when_asked = refusing(415, "Unsupported Media Type")
    lines = "Content-Type: application/dtmf-relay\r\nInfo-Package: x\r\nX-Other: 1\r\n"
    asker.session.send("INFO", stage.now, lines, b"Signal=5\r\nDuration=160\r\n")
    stage.run()
    name = "far" if who == "pbx" else "pbx"
    info = stage.sent(f"trunk>{name} INFO")
    assert body_of(info) == b"Signal=5\r\nDuration=160\r\n"
    assert header(info, "Content-Type") == "application/dtmf-relay"
    assert header(info, "Info-Package") == "x"
    assert asker.heard[-1] == "415 INFO"
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_options_in_the_dialog_is_answered_by_the_trunk(who: str) -> None:
    """RFC 3261 11.2."""
    stage = Stage()
    stage.answered()
    asker, asked, _ = sides(stage, who)
    asker.session.send("OPTIONS", stage.now)
    stage.run()
    assert asker.heard[-1] == "200 OPTIONS"
    assert "OPTIONS" not in asked.heard
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("method", ["REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH", "PRACK", "REGISTER"])
def test_a_method_of_sip_that_the_profile_does_not_accept_is_405(method: str) -> None:
    """RFC 3261 8.2.1, 21.4.6."""
    stage = Stage()
    stage.answered()
    stage.pbx.session.send(method, stage.now, "Refer-To: <sip:+12065550199@elsewhere>\r\n")
    stage.run()
    assert stage.pbx.heard[-1] == f"405 {method}"
    assert header(stage.sent(f"trunk>pbx 405 {method}"), "Allow") == ", ".join(LAB.methods)
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=[f"{method} was refused"])


def test_a_method_that_nobody_knows_is_501() -> None:
    """RFC 3261 21.5.2."""
    stage = Stage()
    stage.answered()
    stage.pbx.session.send("JUMP", stage.now)
    stage.run()
    assert stage.pbx.heard[-1] == "501 JUMP"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("method", ["INFO", "UPDATE"])
def test_the_real_service_takes_neither_info_nor_update(method: str) -> None:
    stage = Stage(AWS_AT_HOME)
    stage.answered()
    stage.pbx.session.send(method, stage.now)
    stage.run()
    assert stage.pbx.heard[-1] == f"405 {method}"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


# -- session timers


def test_a_caller_that_asks_for_a_session_timer_and_stays_silent_loses_the_call() -> None:
    """RFC 4028 10: no refresh, so the one who waits for it sends BYE a third of the interval early, at most 32 s."""
    stage = Stage()
    stage.answered("Supported: timer\r\nSession-Expires: 300;refresher=uac\r\nMin-SE: 90\r\n")
    answer = stage.sent("trunk>pbx 200 INVITE")
    assert header(answer, "Session-Expires") == "300;refresher=uac"
    assert header(answer, "Require") == "timer"
    assert stage.pbx.session._expiry
    stage.pbx.session._expiry.stop()  # The PBX forgets what it has promised.
    stage.run(269)
    assert stage.pbx.heard[-1] == "BYE"
    stage.end(completed=0, explained=["The caller is lost: no refresh of the session within its 300 s."])
    assert stage.far.heard[-1] == "BYE"


def test_a_caller_that_refreshes_its_session_keeps_the_call() -> None:
    stage = Stage()
    stage.answered("Supported: timer\r\nSession-Expires: 300;refresher=uac\r\n")
    for _ in range(5):
        stage.run(140)
        stage.pbx.session.send("UPDATE", stage.now, "Supported: timer\r\n")
    stage.run(10)
    assert stage.pbx.heard[-1] == "200 UPDATE"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_trunk_refreshes_where_that_is_its_part() -> None:
    """RFC 4028 9, 7.4: refresher=uas, half of the interval, UPDATE as the PBX allows it."""
    stage = Stage()
    stage.answered(
        "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\nSupported: timer\r\nSession-Expires: 600;refresher=uas\r\n"
    )
    stage.run(700)
    assert stage.pbx.heard.count("UPDATE") == 2
    assert header(stage.sent("trunk>pbx UPDATE"), "Session-Expires") == "600;refresher=uac"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_refresh_by_reinvite_repeats_the_description_that_is_in_force() -> None:
    """RFC 4028 7.4: without a change, the same o= version; and a held call stays held."""
    stage = Stage()
    stage.answered("Allow: INVITE, ACK, BYE, CANCEL\r\nSupported: timer\r\nSession-Expires: 600;refresher=uas\r\n")
    stage.far.session.send("INVITE", stage.now, SDP, sdp(FAR, 6000, direction="sendonly", version=2))
    stage.pbx.when_asked = answering(sdp(direction="recvonly", version=2))
    stage.run()
    hold = body_of(stage.sent("trunk>pbx INVITE"))
    assert b"a=sendonly" in hold
    stage.run(400)
    refresh = stage.sent("trunk>pbx INVITE")
    assert header(refresh, "Session-Expires") == "600;refresher=uac"
    assert body_of(refresh) == hold
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_far_side_may_ask_for_a_session_timer() -> None:
    """RFC 4028 9: the INVITE says Supported: timer, so a 200 may begin one."""
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    stage.far.pick_up("Require: timer\r\nSession-Expires: 200;refresher=uac\r\n")
    stage.run(150)
    assert "re-INVITE" in stage.far.heard
    stage.world.rules.append(lambda packet: () if packet.source == "far" else None)
    stage.run(300)
    assert stage.pbx.heard[-1] == "BYE"
    stage.end(completed=0, explained=["The called side is lost"])


def test_a_session_interval_that_is_too_small_is_422() -> None:
    """RFC 4028 6."""
    stage = Stage()
    stage.pbx.dial(headers="Supported: timer\r\nSession-Expires: 60\r\n")
    stage.run()
    assert stage.pbx.heard == ["failed 422"]
    assert header(stage.sent("trunk>pbx 422 INVITE"), "Min-SE") == "90"
    stage.end(completed=0, explained=["Session Interval Too Small"])


def test_a_caller_that_supports_session_timers_gets_one() -> None:
    """RFC 4028 9: the trunk asks for profile.session_expires where that is set, the caller refreshes."""
    stage = Stage(replace(LAB, session_expires=1800))
    stage.answered("Supported: timer, replaces\r\n")
    answer = stage.sent("trunk>pbx 200 INVITE")
    assert header(answer, "Session-Expires") == "1800;refresher=uac"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_caller_that_does_not_know_session_timers_is_left_alone() -> None:
    stage = Stage()
    stage.answered()
    assert not headers_of(stage.sent("trunk>pbx 200 INVITE"), "Session-Expires")
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


# -- ends


def test_a_lost_ack_ends_the_call_on_both_legs_after_32_seconds() -> None:
    """RFC 3261 13.3.1.4: "If the server retransmits the 2xx response for 64*T1 seconds without receiving an ACK"."""
    stage = Stage()
    stage.world.lose("pbx>trunk ACK", times=99)
    stage.answered()
    stage.run(33)
    assert stage.pbx.heard[-1] == "BYE"
    assert header(stage.sent("trunk>pbx BYE"), "Reason") == 'SIP;cause=408;text="no ACK for the 200 within 32 s"'
    assert header(stage.sent("trunk>far BYE"), "Reason") == 'SIP;cause=408;text="no ACK for the 200 within 32 s"'
    assert stage.world.told("trunk", "pbx").count("trunk>pbx 200 INVITE") == 11
    stage.end(completed=0, explained=["no ACK for the 200 within 32 s"])


def test_a_late_ack_keeps_the_call() -> None:
    stage = Stage()
    stage.world.delay("pbx>trunk ACK", 20.0)
    stage.world.lose("pbx>trunk ACK", times=99)
    stage.answered()
    stage.run(40)
    assert stage.pbx.heard == ["answered"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_call_that_ends_before_its_ack_sends_bye_after_it() -> None:
    """RFC 3261 15: "The callee's UA MUST NOT send a BYE on a confirmed dialog until it has received an ACK"."""
    stage = Stage()
    stage.world.delay("pbx>trunk ACK", 1.0)
    stage.world.lose("pbx>trunk ACK", times=9)
    stage.answered()
    stage.far.session.hang_up(stage.now)
    stage.run(0.5)
    assert "trunk>pbx BYE" not in stage.world.told()
    stage.run(3)
    assert stage.pbx.heard[-1] == "BYE"
    stage.end(completed=1)


def test_a_call_ends_at_its_maximum_duration() -> None:
    stage = Stage(replace(LAB, maximum_call_duration=100.0))
    stage.answered()
    stage.run(101)
    assert stage.pbx.heard[-1] == "BYE"
    assert stage.far.heard[-1] == "BYE"
    assert "maximum call duration" in header(stage.sent("trunk>pbx BYE"), "Reason")
    stage.end(completed=1, explained=["maximum call duration reached"])


def test_the_reason_of_a_bye_is_passed_on() -> None:
    """RFC 3326."""
    stage = Stage()
    stage.answered()
    stage.far.session.hang_up(stage.now, 'Q.850;cause=16;text="Normal\rclearing"')
    stage.run()
    assert header(stage.sent("trunk>pbx BYE"), "Reason") == 'Q.850;cause=16;text="Normal?clearing"'
    stage.end(completed=1)


def test_a_bye_that_nobody_answers_ends_the_call_all_the_same() -> None:
    stage = Stage()
    stage.answered()
    stage.world.rules.append(lambda packet: () if packet.destination == "far" else None)
    stage.pbx.session.hang_up(stage.now)
    stage.run(40)
    stage.world.rules.clear()
    stage.far.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_bye_from_a_stranger_does_not_end_the_call() -> None:
    """RFC 3261 12.2.2, 15.1.2: 481 for what matches no dialog."""
    stage = Stage()
    stage.answered()
    data = stage.sent("pbx>trunk ACK").replace(b"ACK", b"BYE").replace(b"From: ", b"From: <sip:x@y>;tag=1\r\nX: ")
    stage.world.send("pbx", stage.world.hop("pbx", "trunk"), data)
    stage.run()
    assert start_line(stage.sent("trunk>pbx 481 BYE")) == "SIP/2.0 481 Call/Transaction Does Not Exist"
    assert stage.far.heard[-1] == "ACK"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_the_public_network_holds_and_resumes_with_a_pbx() -> None:
    stage = Stage(behaviour=behaviour("answer", ring_seconds=0))
    stage.pbx.dial(CALLED)
    stage.run()
    for version, direction, answered in (
        (2, "sendonly", "recvonly"),
        (3, "inactive", "inactive"),
        (4, "sendrecv", "sendrecv"),
    ):
        stage.pbx.session.send("INVITE", stage.now, SDP, sdp(direction=direction, version=version))
        stage.run()
        assert f"a={answered}".encode() in stage.pbx.bodies[-1]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)
