"""The PBX never acknowledges the answer. The two tests look at the same call, 32 s apart."""

import pytest

from tests.interop.emulator import Emulator, wait_for
from tests.interop.peers import Sipp

pytestmark = pytest.mark.interop


def test_an_answer_without_an_ack_is_sent_again(unacknowledged_call: Sipp) -> None:
    """RFC 3261 13.3.1.4: first after 0.5 s, then after 1 s more."""
    wait_for("two more 200s", lambda: unacknowledged_call.statuses().count("200 OK") >= 3)


def test_a_call_that_is_never_acknowledged_is_hung_up_with_a_reason(
    unacknowledged_call: Sipp, sipp_emulator: Emulator
) -> None:
    """RFC 3261 13.3.1.4: after 64*T1, 32 s; RFC 3326: the Reason."""
    unacknowledged_call.finish(seconds=120)
    (bye,) = [message for message in unacknowledged_call.received() if message.method == "BYE"]
    assert bye.header("Reason")
    assert unacknowledged_call.statuses().count("200 OK") >= 9
    record = sipp_emulator.record(unacknowledged_call.call_id)
    assert (record["Status"], record["StatusMessage"]) == ("Failed", "no ACK for the 200 within 32 s")
    explanation = sipp_emulator.call(unacknowledged_call.call_id).explain()
    assert "no ACK for the 200 within 32 s" in explanation
    assert "No RTP from the PBX for 5 s" in explanation
