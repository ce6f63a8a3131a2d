"""What stands in the way of a request before anybody works on it: RFC 3261 8.2.2, 8.2.3, 16.3."""

import pytest

from tests.wire import request
from voiceconnector.calls.inspection import Obstacle, obstacle, obstacle_to_call
from voiceconnector.sip.message import Request, parse

CONTACT = "Contact: <sip:alice@127.0.0.1>\r\n"


def read(method: str = "INVITE", headers: str = "", body: bytes = b"") -> Request:
    message = parse(request(method, headers=headers, body=body))
    assert isinstance(message, Request)
    return message


def code(found: Obstacle | None) -> int:
    return found.decision.status_code if found else 0


@pytest.mark.parametrize(
    ("headers", "status_code", "line"),
    [
        ("", 0, ""),
        ("Require: timer\r\n", 0, ""),
        ("Require: Timer\r\n", 0, ""),
        ("Require: 100rel\r\n", 420, "Unsupported: 100rel\r\n"),
        ("Require: timer, 100rel\r\nRequire: replaces\r\n", 420, "Unsupported: 100rel, replaces\r\n"),
        ("Supported: 100rel, replaces, path\r\n", 0, ""),
        ("Proxy-Require: privacy\r\n", 0, ""),
    ],
)
def test_an_extension_that_is_required_has_to_be_known(headers: str, status_code: int, line: str) -> None:
    """RFC 3261 8.2.2.3; Proxy-Require is for proxies, which the trunk is not (20.29)."""
    for method in ("INVITE", "OPTIONS", "BYE"):
        found = obstacle(read(method, headers))
        assert code(found) == status_code
        assert (found.lines if found else "") == line


@pytest.mark.parametrize(
    ("headers", "status_code"),
    [
        ("Content-Type: application/sdp\r\n", 0),
        ("Content-Type: APPLICATION/SDP;charset=utf-8\r\n", 0),
        ("c: application/sdp\r\n", 0),
        ("Content-Type: multipart/mixed;boundary=b\r\n", 0),
        ("Content-Type: text/plain\r\n", 415),
        ("", 415),
        ("Content-Type: text/plain\r\nContent-Disposition: render ; handling = optional\r\n", 0),
        ("Content-Type: text/plain\r\nContent-Disposition: render;handling=required\r\n", 415),
        ("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n", 415),
        ("Content-Type: application/sdp\r\nContent-Encoding: identity\r\n", 0),
        ("Content-Type: application/sdp\r\ne: gzip\r\n", 415),
    ],
)
def test_a_body_has_to_be_understood_unless_it_is_optional(headers: str, status_code: int) -> None:
    """RFC 3261 8.2.3, 20.11."""
    assert code(obstacle(read("INVITE", headers, b"body"))) == status_code


def test_bodies_of_other_requests_are_not_ours_to_understand() -> None:
    """An INFO is passed on as it is."""
    assert obstacle(read("INFO", "Content-Type: application/dtmf-relay\r\n", b"Signal=1")) is None


@pytest.mark.parametrize(
    ("headers", "status_code"),
    [
        (CONTACT, 0),
        ("", 0),  # RFC 2543 did not ask for one.
        ('Contact: "a, b" <sip:a@127.0.0.1>;expires=1, <sip:c@d>\r\n', 0),
        ("m: sip:a@127.0.0.1\r\n", 0),
        ("Contact: *\r\n", 400),
        ("Contact: <mailto:a@b>\r\n", 400),
        ("Contact: <>\r\n", 400),
        ("Contact: <sip:a@b>,\r\n", 400),
        (f"{CONTACT}Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n", 0),
        (f"{CONTACT}Record-Route: <sip:p1;lr>,,<sip:p2;lr>\r\n", 400),
    ],
)
def test_a_dialog_needs_a_way_back(headers: str, status_code: int) -> None:
    """RFC 3261 8.1.1.8, 12.1.1."""
    assert code(obstacle_to_call(read(headers=headers))) == status_code


def test_the_last_hop_is_too_many() -> None:
    """RFC 3261 16.3."""
    message = parse(request(headers=CONTACT).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
    assert isinstance(message, Request)
    assert code(obstacle_to_call(message)) == 483


@pytest.mark.parametrize(
    ("headers", "body"),
    [("Require: x\r\n", b""), ("", b"x"), ("Content-Encoding: x\r\n", b"x"), ("Contact: *\r\n", b"")],
)
def test_each_obstacle_says_which_rule_it_is_and_what_to_do(headers: str, body: bytes) -> None:
    found = obstacle_to_call(read(headers=headers, body=body))
    assert found
    assert found.decision.source.startswith("RFC 3261")
    assert found.decision.remedy
    assert found.decision.because


def test_what_a_peer_wrote_is_shown_safely() -> None:
    found = obstacle(read(headers='Require: a"\0b\r\n'))
    assert found
    assert "\0" not in found.decision.because
    assert found.lines == "Unsupported: a??b\r\n"
