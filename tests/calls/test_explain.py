"""Explanations, read as somebody who wants to know why a call went as it did."""

from dataclasses import replace

import pytest

from tests.flows.stage import CALLED, CALLED_FAR, CALLER, CONNECTOR, EPOCH, FAR, PBX, TERMINATION, Stage, sdp
from tests.wire import request
from voiceconnector.calls import explain
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.trunk.profile import LAB

GOOD = f"""\
Outbound call {{identity}}: the PBX calls the PSTN side
{CALLER} -> {CALLED_FAR}, from UDP {PBX}, through Voice Connector {CONNECTOR.voice_connector_id} (us-east-1)
Answered, 0.1 s long.

What was decided
  ok  host name         the Request-URI names Voice Connector abcdef1ghij2klmno3pqr4 ("stage")
  ok  transport         the request came over UDP, and RequireEncryption is off
  ok  source address    192.0.2.10 is in the allowed network 192.0.2.0/24
  ok  termination       termination is enabled
  ok  digest            the connector has no credentials, so no password was asked for
  ok  calls per second  calls per second are not limited
  ok  active calls      active calls are not limited
  ok  called number     +442079460123 is an E.164 number
  ok  caller ID         the caller +12065550100 (From) is a number of the connector
  ok  calling plan      +442079460123 is in GB, which the calling plan has

What happened
     +0.100 s  The called side answered.
     +0.200 s  The caller hung up.

Media
  the PBX was told to send to 203.0.113.1:20000; it is at 192.0.2.10:4000 by its SDP (plain RTP)
  the PSTN side was told to send to 203.0.113.1:20002; it is at 198.51.100.7:6000 by its SDP (plain RTP)
"""


def section(text: str, title: str) -> list[str]:
    """The lines below a title."""
    for part in text.split("\n\n"):
        head, *lines = part.strip("\n").split("\n")
        if head == title:
            return lines
    return []


def test_a_good_call_is_told_without_noise() -> None:
    stage = Stage()
    stage.answered()
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    assert stage.explained() == GOOD.format(identity=stage.history.aws_transaction_id)


def test_in_brief_a_call_is_told_up_to_what_decided_it() -> None:
    stage = Stage()
    stage.answered()
    title, rest = GOOD.split("\n", 1)
    assert title.startswith("Outbound")
    assert (
        explain.in_brief(stage.history, LAB)
        == rest.partition("\n\nWhat happened")[0].replace("Answered, 0.1 s long.", "In progress: answered.") + "\n"
    )


def test_on_a_narrow_terminal_lines_go_on_indented() -> None:
    text = "Title\n\n  ok  host name  the Request-URI names it\n"
    assert explain.wrapped(text, 30) == "Title\n\n  ok  host name  the\n      Request-URI names it\n"
    assert explain.wrapped(GOOD, 200) == GOOD


@pytest.mark.parametrize(
    ("pbx", "pstn", "verdict"),
    [
        (75, 74, "Audio went both ways: the trunk received 75 RTP packets from the PBX, 74 from the PSTN."),
        (0, 74, "No audio came from the PBX: the trunk received 0 RTP packets from the PBX, 74 from the PSTN."),
        (
            0,
            0,
            "No audio came from the PBX or the PSTN: the trunk received 0 RTP packets from the PBX, 0 from the PSTN.",
        ),
    ],
)
def test_the_verdict_on_media_says_who_was_silent(pbx: int, pstn: int, verdict: str) -> None:
    stage = Stage()
    stage.answered()
    stage.history.media = {"cust2vc": {"packets": pbx}, "rem2vc": {"packets": pstn}}
    assert section(stage.explained(), "Media")[0] == f"  {verdict}"
    assert explain.details(stage.history, LAB, EPOCH)["MediaVerdict"] == verdict


def test_a_refused_call_says_what_to_change_and_where() -> None:
    stage = Stage()
    stage.pbx.dial(caller="+13125550199")
    stage.run()
    text = stage.explained()
    assert "Refused with 403 Caller Id +13125550199 is not valid." in text
    assert section(text, "What was decided")[-1].startswith('  NO  caller ID         the caller "+13125550199" (From)')
    remedy, setting = section(text, "What to change")
    assert remedy.startswith("  Set the outbound caller ID of the trunk to +12065550100 on the PBX")
    assert setting == (
        "  Setting: PhoneNumbers, Termination.DefaultPhoneNumber. Source of the rule: seen on the real service."
    )


def test_a_call_that_media_stopped_says_so_as_the_last_check() -> None:
    stage = Stage()
    stage.pbx.dial(body=sdp(formats="18"))
    stage.run()
    text = stage.explained()
    assert section(text, "What was decided")[-1].startswith("  NO  media             the caller offers G729")
    assert section(text, "What to change") == [
        "  Allow PCMA or PCMU on the side that offers.",
        "  Setting: profile.codecs. Source of the rule: RFC 3264 6.",
    ]


def test_a_call_that_the_called_side_refused_says_who_it_was() -> None:
    stage = Stage(behaviour=behaviour("busy"))
    stage.pbx.dial(CALLED)
    stage.run()
    text = stage.explained()
    assert "Not answered: the PBX was told 486 Busy Here." in text
    assert section(text, "What was decided")[-1] == "  NO  called side       it answered 486 Busy Here"


def test_a_cancelled_call_says_that_the_caller_gave_up() -> None:
    stage = Stage()
    session = stage.pbx.dial()
    stage.run()
    stage.far.ring()
    stage.run(5)
    session.hang_up(stage.now)
    stage.run()
    text = stage.explained()
    assert "Not answered: Request Terminated." in text
    assert section(text, "What happened") == [
        "     +0.100 s  The called side rings.",
        "     +5.100 s  The caller cancelled the call before the answer.",
    ]


@pytest.mark.parametrize("state", ["ringing", "answered"])
def test_a_call_in_progress_says_how_far_it_is(state: str) -> None:
    stage = Stage()
    stage.pbx.dial()
    stage.run()
    if state == "answered":
        stage.far.pick_up()
        stage.run()
    assert f"In progress: {state}." in stage.explained()


def test_a_request_that_is_no_call_is_not_called_one() -> None:
    stage = Stage()
    peer = stage.world.peer("raw", "192.0.2.20")
    peer.send(request("REGISTER", f"sip:{CONNECTOR.outbound_host_name}"), stage.world.local("trunk"))
    stage.run()
    text = stage.explained()
    assert text.startswith(f"REGISTER {stage.history.aws_transaction_id}\nalice -> (no user), from UDP 192.0.2.20")
    assert section(text, "What was decided") == [
        "  NO  method  the PBX tried to register, and a Voice Connector has no registration: it knows its PBX by the "
        "address calls come from, and by digest on each call"
    ]


def odd_call(source: str, private: str) -> Stage:
    """A call from a PBX that keeps to old rules and tells a private address."""
    stage = Stage()
    stage.configure(termination=replace(TERMINATION, cidr_allowed_list=("0.0.0.0/0",)))
    peer = stage.world.peer("raw", source)
    data = request(
        uri=f"sip:{CALLED_FAR}@{CONNECTOR.outbound_host_name}",
        via=f"SIP/2.0/UDP {private};branch=old",
        caller=f"<sip:{CALLER}@{private}:5060>;tag=r",
        called=f"<sip:{CALLED_FAR}@x>",
        headers=f"Contact: <sip:{private}>\r\n",
    )
    peer.send(data.replace(b"Call-ID:", b"i:").replace(b"Max-Forwards: 70\r\n", b""), stage.world.local("trunk"))
    stage.run()
    return stage


def test_what_breaks_a_rule_comes_before_what_is_merely_allowed() -> None:
    text = odd_call("198.51.100.20", "10.1.1.1").explained()
    assert section(text, "Against the rules, in the messages received") == [
        "  PBX, INVITE, Max-Forwards: missing, read as 70 (RFC 3261 8.1.1.6)",
        "  PBX, INVITE, Via: a branch without z9hG4bK, as before RFC 3261 (RFC 3261 8.1.1.7)",
        "  PBX, INVITE, Contact: 10.1.1.1 is an address that only the sender's own network reaches; "
        "the message came from 198.51.100.20 (RFC 1918, 3927, 4193, 6598)",
    ]
    allowed = section(text, "Allowed, and worth knowing")
    assert "  PBX, INVITE, header: compact header names: i (RFC 3261 7.3.3)" in allowed


def test_in_a_lab_private_addresses_are_what_everybody_has() -> None:
    text = odd_call("10.1.1.1", "10.1.1.1").explained() + odd_call("127.0.0.1", "10.1.1.1").explained()
    assert "own network" not in text


def test_the_same_oddity_is_told_once() -> None:
    stage = odd_call("198.51.100.20", "10.1.1.1")
    for _ in range(3):
        stage.world.peers["raw"].send(stage.world.sent("raw>trunk INVITE")[0], stage.world.local("trunk"))
        stage.run()
    assert stage.explained().count("Max-Forwards") == 1


def test_who_is_allowed_nothing_is_told_by_address() -> None:
    stage = Stage()
    peer = stage.world.peer("raw", "198.51.100.99")
    peer.send(request(uri=f"sip:{CALLED_FAR}@{CONNECTOR.outbound_host_name}"), stage.world.local("trunk"))
    stage.run()
    text = stage.explained()
    assert "Refused with 403 Source Address 198.51.100.99 Is Not Allowed." in text
    assert section(text, "What to change")[0].startswith('  Add "198.51.100.99/32" to Termination.CidrAllowedList')


def test_the_summary_is_the_same_story_as_json() -> None:
    stage = Stage()
    stage.answered()
    stage.pbx.session.hang_up(stage.now)
    stage.run()
    found = explain.summary(stage.history, EPOCH)
    assert found["State"] == "completed"
    assert found["Method"] == "INVITE"
    assert (found["From"], found["To"], found["SourceAddress"]) == (CALLER, CALLED_FAR, PBX)
    assert found["StatusMessage"] == "OK"
    assert round(found["AnswerTime"] - found["StartTime"], 3) == 0.1
    assert round(found["EndTime"] - found["AnswerTime"], 3) == 0.1
    more = explain.details(stage.history, LAB, EPOCH)
    assert [decision["verdict"] for decision in more["Decisions"]] == ["passed"] * 10
    assert [note["Text"] for note in more["Notes"]] == ["The called side answered.", "The caller hung up."]
    assert more["Streams"][1].startswith("the PSTN side was told to send to 203.0.113.1:20002; it is at " + FAR)


@pytest.mark.parametrize(
    ("called", "expected"), [("1002", "refused"), (CALLED, "failed"), (CALLED_FAR, "ringing"), ("", "answered")]
)
def test_the_state_is_one_word(called: str, expected: str) -> None:
    stage = Stage(behaviour=behaviour("busy"))
    if called:
        stage.pbx.dial(called)
        stage.run()
    else:
        stage.answered()
    assert explain.state_of(stage.history) == expected
