"""What is remembered of calls, and for how long."""

from dataclasses import replace

from voiceconnector.calls import history
from voiceconnector.calls.events import CallStarted
from voiceconnector.calls.history import CallHistory, History
from voiceconnector.sip.hop import Hop, Local
from voiceconnector.trunk.attempts import Admission, CallAttempt
from voiceconnector.trunk.decisions import Decision, Outcome

ATTEMPT = CallAttempt("host", "UDP", "192.0.2.1", "us-east-1", "+12065550123", "+12065550100")
REFUSED = Admission(Decision(Outcome.REJECT, "source address", "no", "", ""))
HOP = Hop(Local("us-east-1", "UDP", "203.0.113.1", 5060), ("192.0.2.1", 5060))


def call(number: int, method: str = "INVITE", source: str = "192.0.2.1") -> CallHistory:
    attempt = replace(ATTEMPT, source_address=source)
    log = [(float(number), HOP, False, b"INVITE sip:x SIP/2.0\r\n\r\n")]
    return CallHistory(f"id-{number}", f"call-{number}", attempt, REFUSED, log, float(number), method)


def live(memory: History, number: int) -> CallHistory:
    there = call(number)
    there.started = CallStarted(there.aws_transaction_id, "", "", "", "Outbound", "", "", "", 0.0)
    memory.live[there.aws_transaction_id] = there
    return there


def test_a_call_is_found_alive_and_after_its_end() -> None:
    memory = History()
    there = live(memory, 1)
    assert memory.find("id-1") is there
    memory.end(there)
    assert memory.find("id-1") is there
    assert not memory.live


def test_what_nobody_remembers_is_not_found() -> None:
    assert History().find("id-1") is None
    assert History().all() == []


def test_the_latest_comes_first_whatever_became_of_it() -> None:
    memory = History()
    live(memory, 3)
    memory.refuse(call(2))
    memory.challenge(call(5))
    memory.refuse(call(4, "OPTIONS"))
    memory.end(live(memory, 1))
    assert [there.started_at for there in memory.all()] == [5, 4, 3, 2, 1]


def test_ended_calls_are_forgotten_oldest_first_with_their_messages() -> None:
    memory = History()
    first = live(memory, 0)
    memory.end(first)
    for number in range(1, history.ENDED_CALLS + 1):
        memory.end(live(memory, number))
    assert len(memory.all()) == history.ENDED_CALLS
    assert memory.find("id-0") is None
    assert first.log == [], "transactions that linger hold the list, so it is emptied"
    assert memory.find("id-1")


def test_a_flood_of_refused_calls_pushes_out_refused_calls_only() -> None:
    memory = History()
    memory.end(live(memory, 0))
    for number in range(1, 3 * history.REFUSED_ATTEMPTS):
        memory.refuse(call(number))
    assert memory.find("id-0")
    assert len(memory.all()) == history.REFUSED_ATTEMPTS + 1


def test_of_requests_that_come_again_and_again_the_latest_is_kept() -> None:
    memory = History()
    memory.refuse(call(0))
    for number in range(1, 1000):
        memory.refuse(call(number, "OPTIONS"))
    assert [there.aws_transaction_id for there in memory.all()] == ["id-999", "id-0"]
    assert memory.find("id-999")
    memory.refuse(call(1000, "REGISTER"))
    memory.refuse(call(1001, "OPTIONS", "192.0.2.2"))
    assert len(memory.all()) == 4


def test_pings_from_everywhere_are_bounded() -> None:
    memory = History()
    for number in range(200):
        memory.refuse(call(number, "OPTIONS", f"192.0.2.{number}"))
    assert len(memory.all()) == history.REFUSED_REQUESTS


def test_a_challenged_attempt_goes_on_with_its_call_id_from_the_same_address() -> None:
    memory = History()
    there = call(1)
    memory.challenge(there)
    assert memory.find("id-1") is there
    assert memory.take_challenged("call-1", "192.0.2.66") is None, "a stranger learns and takes nothing"
    assert memory.take_challenged("call-1", "192.0.2.1") is there
    assert memory.take_challenged("call-1", "192.0.2.1") is None


def test_challenged_attempts_that_nobody_continues_are_bounded() -> None:
    memory = History()
    for number in range(2 * history.CHALLENGED_ATTEMPTS):
        memory.challenge(call(number))
    assert len(memory.all()) == history.CHALLENGED_ATTEMPTS


def test_notes_are_bounded_and_how_it_began_and_ended_is_among_them() -> None:
    there = call(1)
    times = [float(number) for number in range(10_000)]
    for time in times:
        there.note(time, "again")
    half = history.NOTES // 2
    assert there.notes == [(time, "again") for time in (*times[:half], *times[-half:])]
