"""Why admitted calls come to nothing, as decisions."""

import pytest

from tests.wire import answer, request
from voiceconnector.calls import refusals
from voiceconnector.media.offer_answer import NegotiationError
from voiceconnector.sip.message import Response, parse
from voiceconnector.trunk.decisions import Outcome


def response(status_code: int, reason: str = "Some Reason") -> Response:
    message = parse(answer(request(), status_code, reason))
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize("status_code", [300, 301, 302, 380, 401, 407, 420, 421, 422, 482, 483, 494])
def test_what_is_between_the_trunk_and_the_called_side_is_502_for_the_caller(status_code: int) -> None:
    """RFC 3261 21.5.3: a gateway "received an invalid response from the downstream server"."""
    decision = refusals.called_side_refused(response(status_code))
    assert decision.status_code == 502
    assert decision.reason_phrase == f"Bad Gateway: the called side answered {status_code} Some Reason"
    assert decision.remedy


@pytest.mark.parametrize("status_code", [400, 403, 404, 408, 410, 480, 484, 486, 487, 488, 500, 503, 504, 600, 603])
def test_what_is_meant_for_the_caller_reaches_it(status_code: int) -> None:
    """RFC 3261 16.7: final responses are forwarded as they are."""
    decision = refusals.called_side_refused(response(status_code))
    assert (decision.status_code, decision.reason_phrase) == (status_code, "Some Reason")


def test_a_called_side_that_says_nothing_is_504_and_one_that_is_not_there_503() -> None:
    """RFC 3261 8.1.3.1, 21.5.5."""
    assert refusals.unreachable(408, "no answer within 32 s").status_code == 504
    assert refusals.unreachable(503, "ECONNREFUSED").reason_phrase == "Service Unavailable: ECONNREFUSED"


@pytest.mark.parametrize(("status_code", "reason"), [(488, "No Codec: The caller offers G729"), (502, "No Codec")])
def test_a_refused_offer_names_the_setting(status_code: int, reason: str) -> None:
    error = NegotiationError(
        status_code, "No Codec", 305, "The caller offers G729.", source="RFC 3264 6", setting="s", remedy="Offer PCMU."
    )
    decision = refusals.media_refused(error)
    assert decision.reason_phrase == reason
    assert decision.because == "the caller offers G729"
    assert (decision.setting, decision.source, decision.remedy) == ("s", "RFC 3264 6", "Offer PCMU")


def test_an_endless_quotation_does_not_make_an_endless_reason_phrase() -> None:
    error = NegotiationError(488, "No Codec", 305, "x" * 10_000, source="RFC 3264 6")
    assert len(refusals.media_refused(error).reason_phrase) < 250


def test_every_refusal_is_a_rejection_with_a_code_a_check_and_a_source() -> None:
    decisions = [
        refusals.no_port("all are in use", 1),
        refusals.nobody_answered(60.0),
        refusals.interval_too_small(422, "Session Interval Too Small"),
        refusals.unreachable(408, "nothing"),
        refusals.called_side_refused(response(486)),
    ]
    assert [decision.status_code for decision in decisions] == [503, 480, 422, 504, 486]
    for decision in decisions:
        assert decision.outcome is Outcome.REJECT
        assert decision.check
        assert decision.because
        assert decision.source
    assert decisions[0].retry_after == 1
