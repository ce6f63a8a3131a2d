"""Connectors that require encryption, and PBXs that use TLS of their own accord: who is let in, and where calls go."""

from dataclasses import replace

import pytest

from tests.flows.inbound import NUMBER, ONE, TWO, Inbound, route
from tests.flows.stage import CALLED_FAR, CALLER, CONNECTOR, FAR, PBX, REGION, TRUNK, Stage, sdp
from tests.flows.test_in_call import answering
from tests.phone import SDP
from tests.wire import header, headers_of, request, start_line, told
from voiceconnector.calls.events import RouteFailed
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.sip.locate import Located

HOST = CONNECTOR.outbound_host_name


def with_tls(stage: Stage) -> Stage:
    """Let the trunk listen on TLS, and the PBX have it too."""
    stage.world.add(stage.world.nodes["trunk"], Local(REGION, "TLS", TRUNK, 5061))
    stage.world.add(stage.world.nodes["pbx"], Local("pbx", "TLS", PBX, 5061))
    return stage


def with_tls_inbound(*routes: str) -> Inbound:
    """A connector that requires encryption, with these hosts as its routes."""
    stage = Inbound(*(route(host, rank, protocol="TCP") for rank, host in enumerate(routes, start=1)))
    with_tls(stage)
    stage.world.add(stage.world.nodes["one"], Local("one", "TLS", ONE, 5060))
    stage.configure(require_encryption=True)
    return stage


# -- calls out


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize("method", ["INVITE", "OPTIONS"])
def test_without_tls_nothing_gets_in_and_the_answer_says_what_would(transport: str, method: str) -> None:
    """Guide p. 61; acceptance case 12."""
    stage = with_tls(Stage())
    stage.configure(require_encryption=True)
    peer = stage.world.peer("raw", "192.0.2.44", transport=transport)
    peer.send(
        request(
            method,
            uri=f"sip:{CALLED_FAR}@{HOST}",
            via=f"SIP/2.0/{transport} 192.0.2.44:5060;branch=z9hG4bK1",
            caller=f"<sip:{CALLER}@192.0.2.44>;tag=1",
            headers="Contact: <sip:raw@192.0.2.44>\r\n",
        ),
        Local("trunk", transport, TRUNK, 5060),
    )
    stage.run()
    answer = peer.received[-1]
    assert start_line(answer) == f"SIP/2.0 403 Encryption Required and {transport} Has None"
    assert f"the request came over {transport} (RequireEncryption)" in header(answer, "Warning")
    assert "Let the PBX call over TLS (port 5061)" in stage.explained()
    assert stage.health == []
    stage.end(calls=0)


def test_options_over_tls_count_for_the_termination_health() -> None:
    stage = with_tls(Stage())
    stage.configure(require_encryption=True)
    peer = stage.world.peer("raw", "192.0.2.44", 5061, "TLS")
    via = "SIP/2.0/TLS 192.0.2.44:5061;branch=z9hG4bK1"
    peer.send(request("OPTIONS", uri=f"sip:{HOST}", via=via), Local("trunk", "TLS", TRUNK, 5061))
    stage.run()
    assert told(peer.received[-1]) == "200"
    assert stage.health == [(CONNECTOR.voice_connector_id, "192.0.2.44")]
    stage.end(calls=0)


def test_a_pbx_may_use_tls_where_it_need_not() -> None:
    """RFC 3261 26.2.2, 18.2: answers and requests of ours go back over TLS, and say so."""
    stage = with_tls(Stage())
    stage.pbx.dial(transport="TLS")
    stage.run()
    stage.far.pick_up()
    stage.run()
    assert stage.pbx.heard[-1] == "answered", stage.world.drawn()
    assert header(stage.sent("trunk>pbx 200 INVITE"), "Contact") == f"<sip:{CALLED_FAR}@{TRUNK}:5061;transport=tls>"
    stage.far.session.hang_up(stage.now)
    stage.run()
    assert header(stage.sent("trunk>pbx BYE"), "Via").startswith(f"SIP/2.0/TLS {TRUNK}:5061;branch=")
    stage.end(completed=1, explained=["from TLS 192.0.2.10", "RequireEncryption is off"])


@pytest.mark.parametrize("parameter", ["", ";transport=udp", ";transport=tcp", ";transport=tls"])
def test_a_dialog_over_tls_stays_there_whatever_the_contact_says(parameter: str) -> None:
    stage = with_tls(Stage())
    session = stage.pbx.dial(transport="TLS")
    session._contact = f"sip:pbx@{PBX}:5060{parameter}"
    stage.run()
    stage.far.pick_up()
    stage.run()
    trunk = next(owner for owner in stage.switch.stack.dialogs.values() if owner.hop.local.name == REGION)  # type: ignore[attr-defined]
    assert trunk.hop.local.transport == "TLS"  # type: ignore[attr-defined]
    stage.far.session.hang_up(stage.now)
    stage.run()
    assert header(stage.sent("trunk>pbx BYE"), "Via").startswith("SIP/2.0/TLS ")
    stage.end(completed=1)


def test_a_changed_setting_is_for_the_next_call() -> None:
    """The call that is up goes on over UDP to its end."""
    stage = with_tls(Stage())
    caller, _ = stage.answered()
    stage.configure(require_encryption=True)
    stage.far.when_asked = answering(sdp(FAR, 6000, direction="recvonly", version=2))
    caller.send("INVITE", stage.now, SDP, sdp(direction="sendonly", version=2))
    stage.run()
    assert len(stage.world.sent("trunk>pbx 200 INVITE")) == 2
    caller.hang_up(stage.now)
    stage.run()
    stage.pbx.dial()
    stage.run()
    assert stage.pbx.heard[-1] == "failed 403"
    stage.end(completed=1, explained=["RequireEncryption"])


# -- calls in


def test_the_invite_of_an_encrypted_connector_goes_over_tls_and_says_so() -> None:
    """Guide p. 61: TLS (TCP) for all calls; acceptance case 25."""
    stage = with_tls_inbound(ONE)
    stage.ring()
    stage.run()
    invite = stage.invite()
    assert start_line(invite) == f"INVITE sip:{NUMBER}@{ONE}:5060;transport=TLS SIP/2.0"
    assert header(invite, "To") == f"<sip:{NUMBER}@{ONE}:5060>;transport=TLS"
    assert headers_of(invite, "Via")[0].startswith(f"SIP/2.0/TLS {TRUNK}:5061;branch=")
    assert header(invite, "Record-Route").startswith(f"<sip:{TRUNK}:5061;transport=tls;lr;")
    assert header(invite, "Contact").endswith(f"@{TRUNK}:5061;transport=tls>")
    stage.one.refuse(486)
    stage.end(completed=0, explained=[f"TLS {ONE}:5060, priority 1"])


def test_who_must_be_at_the_other_end_is_the_host_of_the_route() -> None:
    """RFC 5922 7.2: not the address that DNS leads to."""
    stage = with_tls_inbound("pbx.example")
    stage.names.addresses["pbx.example"] = (ONE,)
    stage.ring()
    stage.run()
    hop = next(hop for _, hop, sent, _ in stage.history.log if sent and hop.local.transport == "TLS")
    assert hop == Hop(Local(REGION, "TLS", TRUNK, 5061), (ONE, 5060), None, "pbx.example")
    stage.one.refuse(486)
    stage.end(completed=0)


def test_a_name_without_a_port_is_looked_up_for_tls() -> None:
    """RFC 3263 4.2: _sips._tcp, then port 5061."""
    stage = with_tls_inbound(ONE)
    asked: list[tuple[str, int, str]] = []

    def locate(host: str, port: int, transport: str, done: object) -> None:
        asked.append((host, port, transport))
        done(Located(((transport, ONE, 5060),), ""), stage.now)  # type: ignore[operator]

    stage.names.locate = locate  # type: ignore[method-assign]
    routes = (route("pbx.example", protocol="TCP", port=0),)
    stage.configure(origination=replace(stage.connectors[0].origination, routes=routes))  # type: ignore[type-var]
    stage.ring()
    stage.run()
    assert asked == [("pbx.example", 0, "TLS")]
    stage.one.refuse(486)
    stage.end(completed=0)


def test_why_tls_failed_is_told_like_any_other_failure() -> None:
    stage = with_tls_inbound(ONE, TWO)
    why = f"TLS with {ONE}:5060 failed: its certificate has expired (profile.verify_tls_certificates)"
    stage.world.lose("trunk>one INVITE")
    stage.ring()
    stage.run()
    stage.switch.stack.transport_failed(Hop(Local(REGION, "TLS", TRUNK, 5061), (ONE, 5060)), why, stage.now)
    stage.run()
    assert stage.outcomes()[0] == (f"TLS {ONE}:5060", why)
    failed = [event for event in stage.events if isinstance(event, RouteFailed)]
    assert (failed[0].target, failed[0].because) == (f"TLS {ONE}:5060", why)
    stage.end(completed=0, explained=[why, "all 2 targets failed"])
    assert stage.ended()[0].status_message == "Service Unavailable: 2 of 2 targets failed"


def test_what_becomes_of_the_setting_during_a_call_does_not_matter_to_it() -> None:
    stage = with_tls_inbound(ONE)
    stage.configure(require_encryption=False)
    caller = stage.ring()
    stage.run()
    stage.one.pick_up()
    stage.run()
    stage.configure(require_encryption=True)
    caller.hang_up(stage.now)
    stage.run()
    assert header(stage.sent("trunk>one BYE"), "Via").startswith("SIP/2.0/TCP ")
    stage.ring()
    stage.run()
    assert start_line(stage.invite()).endswith(";transport=TLS SIP/2.0")
    stage.one.refuse(486)
    stage.end(calls=2, completed=1)
