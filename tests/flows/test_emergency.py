"""Emergency calls through the trunk: what the far side gets of them, and what `explain` says."""

import pytest

from tests.flows.stage import PBX, PSTN, Stage, sdp
from tests.trunk.test_emergency import BOMB, CIVIC
from tests.wire import body_of, header, headers_of, start_line
from voiceconnector.media.multipart import split_multipart
from voiceconnector.pstn.behaviours import behaviour
from voiceconnector.trunk.model import (
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    Origination,
    Termination,
)

CONFIGURATION = EmergencyCallingConfiguration(
    (DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933"),)
)
LOCATED = "Geolocation: <cid:desk@pbx.example.com>;inserted-by=pbx.example.com\r\nGeolocation-Routing: yes\r\n"
MULTIPART = "multipart/mixed;boundary=unique-boundary"


def stage() -> Stage:
    made = Stage(behaviour=behaviour("answer", ring_seconds=0.01))
    made.configure(origination=Origination(), emergency_calling_configuration=CONFIGURATION)
    return made


def with_location(document: bytes, content_id: str = "<desk@pbx.example.com>") -> bytes:
    return b"\r\n".join(
        [
            b"--unique-boundary", b"Content-Type: application/sdp", b"", sdp(PBX),
            b"--unique-boundary", b"Content-Type: application/pidf+xml", b"Content-ID: " + content_id.encode(), b"",
            document, b"--unique-boundary--", b"",
        ]
    )  # fmt: skip


@pytest.mark.parametrize(("dialled", "number"), [("911", "+12065550911"), ("933", "+12065550933")])
def test_an_emergency_call_reaches_the_number_of_the_provider(dialled: str, number: str) -> None:
    """Guide p. 62-63."""
    made = stage()
    made.pbx.dial(dialled)
    made.run(1)
    assert made.pbx.heard[-1] == "answered"
    assert start_line(made.sent("trunk>pstn INVITE")) == f"INVITE sip:{number}@{PSTN} SIP/2.0"
    made.pbx.session.hang_up(made.now)
    made.end(completed=1, explained=[f"was rewritten to {number}", "says nothing about where its caller is"])
    assert made.ended()[0].started.destination_phone_number == number


def test_without_a_configuration_it_goes_out_as_it_was_dialled() -> None:
    made = Stage(behaviour=behaviour("answer", ring_seconds=0.01))
    made.pbx.dial("911")
    made.run(1)
    assert start_line(made.sent("trunk>pstn INVITE")) == f"INVITE sip:911@{PSTN} SIP/2.0"
    made.pbx.session.hang_up(made.now)
    made.end(completed=1, explained=["has no DNIS entry for it, so it goes out as it was dialled"])


def test_a_location_beside_the_offer_is_passed_on_byte_for_byte() -> None:
    """RFC 6442 4.1 and 5.1; RFC 5621 for the parts."""
    made = stage()
    made.pbx.dial("911", headers=LOCATED, body=with_location(CIVIC.encode()), content_type=MULTIPART)
    made.run(1)
    assert made.pbx.heard[-1] == "answered"
    invite = made.sent("trunk>pstn INVITE")
    assert header(invite, "Geolocation") == "<cid:desk@pbx.example.com>;inserted-by=pbx.example.com"
    assert header(invite, "Geolocation-Routing") == "yes"
    offer, location = split_multipart(header(invite, "Content-Type"), body_of(invite))
    assert location.header("Content-ID") == "<desk@pbx.example.com>"
    assert location.body == CIVIC.encode()
    assert PBX.encode() not in offer.body
    made.pbx.session.hang_up(made.now)
    made.end(completed=1, explained=["a civic address, US, WA, Seattle, 7th, Avenue, 2121."])


def test_a_location_alone_is_passed_on_and_the_far_side_makes_the_offer() -> None:
    """RFC 3261 13.2.1: without an offer in the INVITE, the 2xx has it; RFC 8262 for Content-ID as a header."""
    made = stage()
    made.pbx.acknowledge_with = sdp(PBX)
    headers = LOCATED + "Content-ID: <desk@pbx.example.com>\r\n"
    made.pbx.dial("911", headers=headers, body=CIVIC.encode(), content_type="application/pidf+xml")
    made.run(1)
    assert made.pbx.heard[-1] == "answered", made.world.drawn()
    invite = made.sent("trunk>pstn INVITE")
    assert body_of(invite) == CIVIC.encode()
    assert header(invite, "Content-ID") == "<desk@pbx.example.com>"
    assert made.pbx.bodies[-1].startswith(b"v=0")
    made.pbx.session.hang_up(made.now)
    made.end(completed=1, explained=["a civic address, US"])


@pytest.mark.parametrize(
    ("document", "content_id", "finding"),
    [
        (CIVIC.encode(), "<pidftest@test.com>", "no part of the body has the Content-ID desk@pbx.example.com"),
        (b"<presence", "<desk@pbx.example.com>", "is not XML that can be read"),
        (BOMB, "<desk@pbx.example.com>", "declares a document type or entities"),
        (CIVIC.replace("civicAddress", "address").encode(), "<desk@pbx.example.com>", "neither a civic address"),
    ],
)
def test_a_wrong_location_is_explained_and_never_keeps_a_call_from_help(
    document: bytes, content_id: str, finding: str
) -> None:
    made = stage()
    made.pbx.dial("911", headers=LOCATED, body=with_location(document, content_id), content_type=MULTIPART)
    made.run(1)
    assert made.pbx.heard[-1] == "answered"
    assert document in body_of(made.sent("trunk>pstn INVITE"))
    made.pbx.session.hang_up(made.now)
    made.end(completed=1, explained=[finding])


def test_the_location_of_any_call_is_passed_on() -> None:
    made = stage()
    made.pbx.dial("+12065550123", headers=LOCATED, body=with_location(CIVIC.encode()), content_type=MULTIPART)
    made.run(1)
    assert CIVIC.encode() in body_of(made.sent("trunk>pstn INVITE"))
    assert headers_of(made.sent("trunk>pstn INVITE"), "Geolocation")
    made.pbx.session.hang_up(made.now)
    made.end(completed=1, explained=["a civic address, US"])


def test_a_stranger_cannot_call_for_help_through_the_trunk() -> None:
    """The allowlist (guide p. 61) comes before everything else."""
    made = stage()
    made.configure(termination=Termination(cidr_allowed_list=("198.51.100.0/24",)))
    made.pbx.dial("911")
    made.run(1)
    assert made.pbx.heard == ["failed 403"]
    made.end(calls=0)
