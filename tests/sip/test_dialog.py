"""The state of a dialog on its own: RFC 3261 section 12. What it does in calls is in test_session_dialog."""

import pytest

from tests.wire import answer, request
from voiceconnector.sip.dialog import Dialog
from voiceconnector.sip.message import Request, Response, parse

CONTACT = "Contact: <sip:alice@127.0.0.1:5070>\r\n"


def opened_by(headers: str = CONTACT, caller: str = "<sip:alice@127.0.0.1>;tag=a") -> Dialog:
    """The callee's side of a dialog."""
    invite = parse(request(headers=headers, cseq="7 INVITE", caller=caller))
    assert isinstance(invite, Request)
    return Dialog.of_callee(invite, "local")


def in_dialog(method: str, cseq: int, tag: str = "a", call_id: str = "1@127.0.0.1") -> Request:
    message = parse(
        request(method, cseq=f"{cseq} {method}", caller=f"<sip:alice@127.0.0.1>;tag={tag}", call_id=call_id)
    )
    assert isinstance(message, Request)
    return message


def answered(headers: str, tag: str = "b") -> Response:
    response = parse(answer(request(), 200, "OK", tag=tag, headers=headers))
    assert isinstance(response, Response)
    return response


def calling() -> Dialog:
    """The caller's side of a dialog that is not there yet."""
    return Dialog("1@127.0.0.1", "<sip:alice@127.0.0.1>", "a", "<sip:bob@127.0.0.2>", "")


def test_the_callee_takes_the_dialog_from_the_request() -> None:
    """12.1.1."""
    dialog = opened_by(f"{CONTACT}Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n")
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("1@127.0.0.1", "local", "a")
    assert (dialog.remote_cseq, dialog.local_cseq) == (7, 0)
    assert dialog.remote_target == "sip:alice@127.0.0.1:5070"
    assert dialog.route_set == ("<sip:p1;lr>", "<sip:p2;lr>")
    assert dialog.next_uri() == "sip:p1;lr"


def test_the_caller_takes_the_dialog_from_the_response() -> None:
    """12.1.2: the route set in reverse."""
    dialog = calling()
    dialog.establish(
        answered("Contact: <sip:bob@127.0.0.2>\r\nRecord-Route: <sip:p1;lr>\r\nRecord-Route: <sip:p2;lr>\r\n")
    )
    assert (dialog.remote_tag, dialog.remote) == ("b", "<sip:bob@127.0.0.2>;tag=b")
    assert dialog.route_set == ("<sip:p2;lr>", "<sip:p1;lr>")
    assert dialog.remote_target == "sip:bob@127.0.0.2"


def test_the_answer_replaces_what_the_ringing_said() -> None:
    """13.2.2.4: the route set of the 2xx counts, whatever a provisional response had."""
    dialog = calling()
    dialog.establish(answered("Contact: <sip:one@127.0.0.2>\r\nRecord-Route: <sip:p1;lr>\r\n", "one"))
    dialog.establish(answered("Contact: <sip:two@127.0.0.2>\r\nRecord-Route: <sip:p2;lr>\r\n", "two"))
    assert (dialog.remote_tag, dialog.remote_target, dialog.route_set) == ("two", "sip:two@127.0.0.2", ("<sip:p2;lr>",))


@pytest.mark.parametrize(
    ("tag", "call_id", "belongs"), [("a", "1@127.0.0.1", True), ("x", "1@127.0.0.1", False), ("a", "2", False)]
)
def test_a_request_belongs_to_a_dialog_by_its_tags_and_call_id(tag: str, call_id: str, belongs: bool) -> None:
    """12.2.2; the local tag has been looked up before."""
    assert opened_by().accepts(in_dialog("BYE", 8, tag, call_id)) is belongs


def test_requests_come_in_order() -> None:
    """12.2.2: above the last; a gap is no fault."""
    dialog = opened_by()
    assert not dialog.in_order(in_dialog("INFO", 6))
    assert not dialog.in_order(in_dialog("INFO", 7))
    assert dialog.in_order(in_dialog("INFO", 8))
    assert dialog.in_order(in_dialog("INFO", 100))
    assert not dialog.in_order(in_dialog("INFO", 99))


@pytest.mark.parametrize(
    "contact", ["", "*", "<>", "<sip:alice@127.0.0.9", '"alice <sip:alice@127.0.0.9>', "<sip:alice@127.0.0.9:0>"]
)
def test_a_contact_that_cannot_be_called_leaves_the_target_as_it_was(contact: str) -> None:
    """12.2.1.2."""
    dialog = opened_by()
    dialog.refresh_target(answered(f"Contact: {contact}\r\n"))
    assert dialog.remote_target == "sip:alice@127.0.0.1:5070"


def test_the_head_of_a_request() -> None:
    """12.2.1.1: the remote target as Request-URI, the route set, From and To with their tags."""
    dialog = opened_by(f"{CONTACT}Record-Route: <sip:p1;lr>\r\n")
    uri, head = dialog.request_head("INFO", 3)
    assert uri == "sip:alice@127.0.0.1:5070"
    assert head.split("\r\n") == [
        "Route: <sip:p1;lr>", "Max-Forwards: 70", "From: <sip:bob@127.0.0.2>;tag=local",
        "To: <sip:alice@127.0.0.1>;tag=a", "Call-ID: 1@127.0.0.1", "CSeq: 3 INFO", "",
    ]  # fmt: skip


def test_a_strict_router_is_addressed_itself() -> None:
    """12.2.1.1, 16.12.1.2: its URI is the Request-URI, the target the last Route."""
    dialog = opened_by(f"{CONTACT}Record-Route: <sip:p1>, <sip:p2;lr>\r\n")
    uri, head = dialog.request_head("BYE", 1)
    assert uri == "sip:p1"
    assert head.startswith("Route: <sip:p2;lr>\r\nRoute: <sip:alice@127.0.0.1:5070>\r\nMax-Forwards")


def test_a_peer_of_rfc_2543_may_have_no_tag() -> None:
    """12.1.1, 12.2.2: a missing tag is the null value."""
    dialog = opened_by(caller="<sip:alice@127.0.0.1>")
    message = parse(request("BYE", cseq="8 BYE", caller="<sip:alice@127.0.0.1>"))
    assert isinstance(message, Request)
    assert dialog.remote_tag == ""
    assert dialog.accepts(message)


def test_a_route_set_is_fit_for_lines_of_our_own() -> None:
    """12.1.1: what a peer writes into Record-Route comes back in Route."""
    callee = opened_by(f"{CONTACT}Record-Route: <sip:p1;lr>;x=\0\r\n")
    caller = calling()
    caller.establish(answered(f"{CONTACT}Record-Route: <sip:p1;lr>;x=\x7f\r\n"))
    for dialog in (callee, caller):
        assert dialog.route_set == ("<sip:p1;lr>;x=?",)
