"""Calls that turn into fax by T.38, and back: passed on, refused, and sent by the fax machines of the emulated PSTN."""

from dataclasses import replace

import pytest

from tests.flows.stage import CALLED, FAR, FAR_SDP, PBX, TRUNK, Stage, sdp
from tests.flows.test_encryption import encrypted, secure
from tests.flows.test_in_call import answering, refusing, sides
from tests.phone import SDP
from tests.wire import body_of, header
from voiceconnector.media.plan import Echo, Forward, StreamPlan
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.trunk.profile import LAB

T38 = "a=T38FaxVersion:0\r\na=T38FaxRateManagement:transferredTCF\r\na=t38faxUdpEC:t38UDPRedundancy\r\n"


def fax(address: str = PBX, port: int = 4010, version: int = 2, before: str = "") -> bytes:
    """A description of one fax line, perhaps after others."""
    head = f"v=0\r\no=- 1 {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
    return f"{head}{before}m=image {port} udptl t38\r\n{T38}".encode()


def remotes(stage: Stage) -> list[tuple[str, tuple[str, int] | None]]:
    return [(stream.protocol, stream.remote) for stream in stage.plan.streams]


@pytest.mark.parametrize("who", ["pbx", "far"])
@pytest.mark.parametrize("before", ["", "m=audio 0 RTP/AVP 0\r\n", "audio"])
def test_either_side_turns_the_call_into_fax_and_back(who: str, before: str) -> None:
    """RFC 3362, RFC 3264 8.3.3: alone, beside the audio at port 0, and beside the audio."""
    stage = Stage()
    stage.answered()
    asker, asked, index = sides(stage, who)
    own, other = (PBX, FAR) if who == "pbx" else (FAR, PBX)
    before = "m=audio 4000 RTP/AVP 0\r\n" if before == "audio" else before
    asked.when_asked = answering(fax(other, 6010))
    asker.session.send("INVITE", stage.now, SDP, fax(own, before=before))
    stage.run()
    assert asker.heard[-1] == "200 INVITE"
    for body in (asked.bodies[-1], asker.bodies[-1]):
        assert T38.encode() in body
        assert f"c=IN IP4 {TRUNK}".encode() in body
        assert b" udptl t38\r\n" in body
    streams = stage.plan.streams
    assert [stream.protocol for stream in streams] == ["UDPTL", "UDPTL"]
    assert (streams[index].remote, streams[1 - index].remote) == ((own, 4010), (other, 6010))
    assert [stream.sinks for stream in streams] == [(Forward("b"),), (Forward("a"),)]
    assert all(stream.receive and stream.send and not stream.no_media_seconds for stream in streams)
    assert "T.38 fax over UDPTL" in stage.explained()
    asked.when_asked = answering(sdp(other, 6000, version=3))
    asker.session.send("INVITE", stage.now, SDP, sdp(own, 4000, version=3))
    stage.run()
    assert asker.heard[-1] == "200 INVITE"
    assert [stream.protocol for stream in stage.plan.streams] == ["RTP", "RTP"]
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_a_refused_fax_leaves_the_audio_as_it_was(who: str) -> None:
    """RFC 3261 14.1: the 488 of the other side is passed on, with its words."""
    stage = Stage()
    stage.answered()
    before = stage.plan
    asker, asked, _ = sides(stage, who)
    asked.when_asked = refusing(488, "No Fax Here")
    asker.session.send("INVITE", stage.now, SDP, fax(PBX if who == "pbx" else FAR))
    stage.run()
    assert asker.heard[-1] == "488 INVITE"
    assert stage.plan == before
    asked.when_asked = answering(FAR_SDP if who == "pbx" else sdp())
    asker.session.send("INVITE", stage.now, SDP, sdp(version=3) if who == "pbx" else FAR_SDP)
    stage.run()
    assert asker.heard[-1] == "200 INVITE"
    asker.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_call_may_be_a_fax_from_its_first_offer() -> None:
    stage = Stage()
    stage.pbx.dial(body=fax(version=1))
    stage.run()
    stage.far.pick_up(body=fax(FAR, 6010, 1))
    stage.run()
    assert remotes(stage) == [("UDPTL", (PBX, 4010)), ("UDPTL", (FAR, 6010))]
    assert stage.history.codec == "T.38"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


@pytest.mark.parametrize("who", ["pbx", "far"])
def test_fax_is_refused_where_encryption_is_required(who: str) -> None:
    """T.38 over UDPTL is not encrypted; the call stays audio, and the user is told."""
    stage = encrypted()
    stage.answered(transport="TLS", body=secure())
    before = stage.plan
    asker, asked, _ = sides(stage, who)
    asker.session.send("INVITE", stage.now, SDP, fax(PBX if who == "pbx" else FAR))
    stage.run()
    assert asker.heard[-1] == "488 INVITE"
    assert not [heard for heard in asked.heard if heard == "re-INVITE"]
    assert "(RequireEncryption)" in header(stage.sent(f"trunk>{who} 488 INVITE"), "Warning")
    assert stage.plan == before
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1, explained=["G.711 pass-through"])


def test_fax_is_refused_where_the_profile_has_none() -> None:
    stage = Stage(replace(LAB, t38=False))
    stage.answered()
    stage.pbx.session.send("INVITE", stage.now, SDP, fax())
    stage.run()
    assert stage.pbx.heard[-1] == "488 INVITE"
    assert "(profile.t38)" in header(stage.sent("trunk>pbx 488 INVITE"), "Warning")
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


# -- the emulated PSTN


def phone_plan(stage: Stage) -> StreamPlan:
    """What the relay was last told of the phone's side."""
    return stage.ports.plans[min(stage.ports.plans)][-1].streams[0]


def test_a_fax_machine_of_the_pstn_turns_to_fax_a_second_after_the_answer() -> None:
    stage = Stage(behaviour=behaviour("fax", ring_seconds=0))
    stage.pbx.when_asked = answering(fax())
    stage.pbx.dial(CALLED)
    stage.run(0.9)
    assert stage.pbx.heard == ["answered"]
    stage.run(1)
    assert stage.pbx.heard == ["answered", "re-INVITE", "ACK"]
    assert b"m=image" in stage.pbx.bodies[-1]
    assert remotes(stage)[0] == ("UDPTL", (PBX, 4010))
    phone = phone_plan(stage)
    assert (phone.protocol, phone.sinks, phone.remote) == ("UDPTL", (Echo(),), (TRUNK, stage.plan.streams[1].pair.rtp))
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_fax_machine_that_is_refused_stays_with_audio() -> None:
    stage = Stage(behaviour=behaviour("fax", ring_seconds=0))
    stage.pbx.when_asked = refusing(488, "Not Acceptable Here")
    stage.pbx.dial(CALLED)
    stage.run(2)
    assert stage.pbx.heard == ["answered", "re-INVITE"]
    assert [stream.protocol for stream in (*stage.plan.streams, phone_plan(stage))] == ["RTP", "RTP", "RTP"]
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_fax_machine_that_is_declined_with_port_0_goes_back_to_audio() -> None:
    """RFC 3264 6: the PBX took the re-INVITE, and no media in it."""
    stage = Stage(behaviour=behaviour("fax", ring_seconds=0))
    stage.pbx.when_asked = answering(fax(port=0))
    stage.pbx.dial(CALLED)
    stage.run(0.9)
    stage.world.at(1.06, lambda now: setattr(stage.pbx, "when_asked", answering(sdp(version=3))))
    stage.run(2)
    assert stage.pbx.heard == ["answered", "re-INVITE", "ACK", "re-INVITE", "ACK"]
    assert [stream.protocol for stream in (*stage.plan.streams, phone_plan(stage))] == ["RTP", "RTP", "RTP"]
    assert "declines the fax with port 0" in stage.notes
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_a_fax_machine_follows_the_caller_into_fax() -> None:
    """Whoever asks first; it does not ask again."""
    stage = Stage(behaviour=behaviour("fax", ring_seconds=0))
    stage.pbx.dial(CALLED)
    stage.run(0.5)
    stage.pbx.session.send("INVITE", stage.now, SDP, fax())
    stage.run(2)
    assert stage.pbx.heard == ["answered", "100 INVITE", "200 INVITE"]
    assert b"T38FaxUdpEC:t38UDPRedundancy" in stage.pbx.bodies[-1]
    assert phone_plan(stage).protocol == "UDPTL"
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)


def test_an_ordinary_number_refuses_fax() -> None:
    stage = Stage(behaviour=behaviour("answer", ring_seconds=0))
    stage.pbx.dial(CALLED)
    stage.run(0.5)
    stage.pbx.session.send("INVITE", stage.now, SDP, fax())
    stage.run()
    assert stage.pbx.heard == ["answered", "100 INVITE", "488 INVITE"]
    assert phone_plan(stage).protocol == "RTP"
    assert b"m=image" in body_of(stage.sent("trunk>pstn INVITE"))
    stage.pbx.session.hang_up(stage.now)
    stage.end(completed=1)
