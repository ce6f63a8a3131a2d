"""Calls that do not come about: refused by the trunk or by the callee, or given up by the PBX."""

from dataclasses import dataclass

import pytest

from tests.interop.emulator import Transport
from tests.interop.peers import Message, Sipp
from tests.interop.stage import DIGEST, ECHO, ELSEWHERE, OPEN, OWN_CALLEE, SLOW, Stage

pytestmark = pytest.mark.interop
both_transports = pytest.mark.parametrize("transport", ["udp", "tcp"])


def refusal(caller: Sipp) -> Message:
    """The final answer to the PBX's last INVITE."""
    answers = [m for m in caller.received() if m.header("CSeq").endswith("INVITE") and m.status[:1] in "3456"]
    return answers[-1]


def failed(stage: Stage, caller: Sipp, status_message: str) -> None:
    """The call must have exactly one record, of a failure with this reason, which explain gives too."""
    record = stage.record(caller)
    assert (record["Status"], record["StatusMessage"]) == ("Failed", status_message), record
    assert (record["BillableDurationSeconds"], record["BillableDurationMinutes"]) == (0, 0.0)
    assert status_message in stage.call(caller).explain()


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that the trunk refuses, and what it must say."""

    called: str
    status: str
    """Code and reason of the answer."""
    setting: str
    """The setting that decided, as the Warning and explain name it."""
    trunk: str = OPEN
    caller: str = ""
    recorded: bool = True


REFUSALS = {
    "source address not allowed": Refused(
        ECHO,
        "403 Source Address {host} Is Not Allowed",
        "Termination.CidrAllowedList",
        ELSEWHERE,
        recorded=False,
    ),
    "Canada, with the US only in the calling plan": Refused(
        "+14165550199", "403 Country CA Is Not in the Calling Plan", "Termination.CallingRegions"
    ),
    "Germany, with the US only in the calling plan": Refused(
        "+493012345678", "403 Country DE Is Not in the Calling Plan", "Termination.CallingRegions"
    ),
    "caller ID not owned": Refused(
        ECHO, "403 Caller Id +12065559999 is not valid", "PhoneNumbers", caller="+12065559999"
    ),
    "without + and country code": Refused("2065550199", "484 2065550199 Is Not an E.164 Number", "not_e164_status"),
    "with an access code": Refused("011493012345678", "484 011493012345678 Is Not an E.164 Number", "not_e164_status"),
}  # fmt: skip


@both_transports
@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_the_trunk_refuses_and_says_which_setting_decided(stage: Stage, case: Refused, transport: Transport) -> None:
    """Codes and reasons: profile; "Caller Id … is not valid" was seen on the real service."""
    caller = stage.pbx("refused", case.called, trunk=case.trunk, caller=case.caller, transport=transport).finish()
    answer = refusal(caller)
    status = case.status.format(host=stage.emulator.place.host)
    assert answer.status == status
    assert answer.header("Warning").startswith("399 ")
    assert case.setting in answer.header("Warning")
    assert case.setting in stage.call(caller).explain()
    if case.recorded:
        failed(stage, caller, status.partition(" ")[2])


@both_transports
def test_a_call_beyond_the_calls_per_second_is_told_when_to_try_again(stage: Stage, transport: Transport) -> None:
    """RFC 3261 21.5.4: 503 with Retry-After. The call before it is not affected."""
    with stage.emulator.halted():
        first = stage.pbx("call", ECHO, trunk=SLOW, transport=transport)
        first.wait_for_invite()
        second = stage.pbx("refused", ECHO, trunk=SLOW, transport=transport)
        second.wait_for_invite()
    answer = refusal(second.finish())
    assert answer.status == "503 Calls per Second Above the Limit of 1"
    assert int(answer.header("Retry-After")) >= 1
    assert "Termination.CpsLimit" in stage.call(second).explain()
    failed(stage, second, "Calls per Second Above the Limit of 1")
    first.finish()
    assert stage.record(first)["Status"] == "Completed"


@both_transports
def test_a_pbx_with_the_right_password_gets_through(stage: Stage, transport: Transport) -> None:
    """RFC 3261 22.3, RFC 7616: challenge and answer are one call, recorded with its user."""
    caller = stage.pbx("call_authenticated", ECHO, *PASSWORD, trunk=DIGEST, transport=transport).finish()
    assert [status[:3] for status in caller.statuses()].count("407") == 1
    record = stage.record(caller)
    assert (record["Status"], record["SipAuthUser"]) == ("Completed", "pbx")


PASSWORD = ("-au", "pbx", "-ap", "secret")


@both_transports
def test_an_expired_nonce_is_replaced_and_the_call_gets_through(stage: Stage, transport: Transport) -> None:
    """RFC 7616 3.3: stale=true, the password need not be asked for again."""
    caller = stage.pbx("stale_nonce", ECHO, *PASSWORD, trunk=DIGEST, transport=transport, talk_ms=1500).finish()
    assert [status[:3] for status in caller.statuses()].count("407") == 2
    assert stage.record(caller)["Status"] == "Completed"


@both_transports
@pytest.mark.parametrize("credentials", [("-au", "pbx", "-ap", "guess"), ("-au", "nobody", "-ap", "secret")])
def test_a_wrong_password_or_user_is_asked_again_and_never_admitted(
    stage: Stage, credentials: tuple[str, ...], transport: Transport
) -> None:
    """RFC 3261 22.1: a new challenge, not stale, as the nonce was good."""
    caller = stage.pbx("wrong_password", ECHO, *credentials, trunk=DIGEST, transport=transport).finish()
    challenges = [m for m in caller.received() if m.status.startswith("407")]
    assert len(challenges) == 2
    assert "stale=true" not in challenges[1].header("Proxy-Authenticate")
    explanation = stage.call(caller).explain()
    assert "Credentials" in explanation
    assert credentials[1] in explanation
    assert "secret" not in explanation
    assert not [record for record in stage.emulator.records() if record["CallId"] == caller.call_id]


@both_transports
@pytest.mark.parametrize("status", [
    "404 Not Found", "480 Temporarily Unavailable", "486 Busy Here", "500 Server Internal Error",
    "503 Service Unavailable", "600 Busy Everywhere", "603 Decline",
])  # fmt: skip
def test_a_refusal_of_the_callee_reaches_the_pbx(stage: Stage, status: str, transport: Transport) -> None:
    """RFC 3261 21.4-21.6, RFC 3665 3.10: the trunk passes on what the callee said."""
    callee = stage.pstn("refuse", "-key", "answer", f"SIP/2.0 {status}", transport=transport)
    caller = stage.pbx("refused", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert refusal(caller).status == status
    failed(stage, caller, status.partition(" ")[2])


def test_a_callee_that_moved_is_not_followed(stage: Stage) -> None:
    """RFC 3261 8.1.3.4: a trunk calls numbers, not other people's addresses; nor does it ask the PBX to."""
    callee = stage.pstn("refuse", "-key", "answer", "SIP/2.0 302 Moved Temporarily")
    caller = stage.pbx("refused", OWN_CALLEE["udp"]).finish()
    callee.finish()
    assert callee.requests() == ["INVITE", "ACK"]
    assert refusal(caller).status.startswith("502 ")
    assert "302 Moved Temporarily" in stage.call(caller).explain()
    assert stage.record(caller)["Status"] == "Failed"


@pytest.mark.parametrize(("called", "status"), [("+12065550181", "486"), ("+12065550183", "404")])
def test_the_emulated_pstn_refuses_where_a_route_says_so(stage: Stage, called: str, status: str) -> None:
    """The behaviours "busy" and "reject-<code>" of routes of the emulated PSTN."""
    caller = stage.pbx("refused", called).finish()
    assert refusal(caller).status.startswith(status)
    failed(stage, caller, refusal(caller).status.partition(" ")[2])


@both_transports
def test_the_pbx_gives_up_before_the_callee_rings(stage: Stage, transport: Transport) -> None:
    """RFC 3261 9.1: the CANCEL goes out to a callee that has said 100 only."""
    callee = stage.pstn("no_answer", "-key", "answer", "SIP/2.0 100 Trying", transport=transport)
    caller = stage.pbx("cancel_before_ringing", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert callee.requests() == ["INVITE", "CANCEL", "ACK"]
    assert stage.record(caller)["Status"] == "Failed"


@both_transports
def test_the_pbx_gives_up_while_the_callee_rings(stage: Stage, transport: Transport) -> None:
    """RFC 3665 3.8: CANCEL, 487 and ACK on either side."""
    callee = stage.pstn("no_answer", "-key", "answer", "SIP/2.0 180 Ringing", transport=transport)
    caller = stage.pbx("cancel_while_ringing", OWN_CALLEE[transport], transport=transport).finish()
    callee.finish()
    assert callee.requests() == ["INVITE", "CANCEL", "ACK"]
    assert stage.record(caller)["Status"] == "Failed"


def test_the_emulated_pstn_rings_without_an_answer_until_the_pbx_gives_up(stage: Stage) -> None:
    """The behaviour "no-answer" of a route of the emulated PSTN."""
    caller = stage.pbx("cancel_while_ringing", "+12065550182").finish()
    assert refusal(caller).status.startswith("487")
    assert stage.record(caller)["Status"] == "Failed"


@both_transports
def test_a_trunk_does_not_register(stage: Stage, transport: Transport) -> None:
    """RFC 3261 21.4.6: 405 names the methods there are; the reason tells what the matter is."""
    caller = stage.pbx("register", transport=transport).finish()
    (answer,) = caller.received()
    assert answer.status == "405 This Trunk Does Not Register"
    assert "INVITE" in answer.header("Allow")
    assert "REGISTER" not in answer.header("Allow")
