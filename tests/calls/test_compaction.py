"""What is remembered of calls, after it has moved in memory: the same to whoever asks, and to the calls that go on."""

import gc
import inspect
from collections.abc import Iterator
from dataclasses import is_dataclass
from enum import Enum
from functools import _lru_cache_wrapper
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from tests.flows.inbound import ONE, TWO, Inbound, answered_by_two
from tests.flows.stage import CALLED, CONNECTOR, EPOCH, PBX, Stage
from voiceconnector.calls import explain, switch
from voiceconnector.calls.compaction import REDUCTIONS, compact
from voiceconnector.calls.history import CallHistory
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay import CallStats, ClockDrift, DigitReceived, ToneDigit
from voiceconnector.sip.digest import DigestCredentials, DigestServer, Verdict, answer
from voiceconnector.trunk.attempts import Admission
from voiceconnector.trunk.model import Credential


def told(stage: Stage) -> list[tuple[Any, ...]]:
    """All that can be asked about every call."""
    profile = stage.switch.profile
    return [
        (explain.explain(call, profile), explain.details(call, profile, EPOCH), call.log, call)
        for call in stage.switch.history.all()
    ]


def moved(stage: Stage) -> list[CallHistory]:
    """The calls from before, after it was seen that nothing changes but where they are."""
    before, calls = told(stage), stage.switch.history.all()
    keys = [list(known) for known in stage.switch.history.over]
    compact(stage.switch.history.over)
    assert told(stage) == before
    assert [list(known) for known in stage.switch.history.over] == keys
    after = stage.switch.history.all()
    assert not {id(call) for call in calls} & {id(call) for call in after}
    assert not {id(call.log) for call in calls} & {id(call.log) for call in after}
    for one, other in zip(calls, after, strict=True):
        assert one.roles is other.roles
        assert one.admission.connector is other.admission.connector
    return calls


def test_an_ended_call_is_explained_as_before() -> None:
    stage = Stage()
    caller, _ = stage.answered()
    key = max(stage.ports.plans)
    stage.run(1)
    for event in (DigitReceived(key, "a", "5", 100), ToneDigit(key, "b", "#"), ClockDrift(key, "a", 250)):
        stage.tell(event)
    caller.hang_up(stage.now)
    stats = StreamStats("a", packets=50, bytes=8000, lost=3, jitter_us=125, source=(PBX, 4000))
    stage.ports.told_of_ends = False
    stage.tell(CallStats(key, True, (stats,)))
    stage.world.settle()
    assert "50 packets, 8000 bytes, 3 lost" in stage.explained()
    assert stage.history.media_facts
    assert stage.history.digits
    moved(stage)


def test_refused_and_challenged_attempts_are_explained_as_before() -> None:
    stage = Stage()
    stage.pbx.dial("+33142685300")
    stage.pbx.dial(host="nobody.voiceconnector.chime.aws")
    stage.run()
    stage.configure(credentials=(Credential("pbx", "secret"),))
    stage.pbx.dial()
    stage.world.settle()
    states = [explain.state_of(call) for call in stage.switch.history.all()]
    assert sorted(states) == ["challenged", "refused", "refused"]
    moved(stage)


def test_an_inbound_call_and_the_targets_it_was_tried_at_are_explained_as_before() -> None:
    stage = Inbound()
    stage.one.silent = True
    stage.ring()
    stage.run(6)
    answered_by_two(stage)
    stage.far.sessions[-1].hang_up(stage.now)
    stage.world.settle()
    assert f"UDP {ONE}:5060" in stage.explained()
    assert f"UDP {TWO}:5060" in stage.explained()
    moved(stage)


def test_a_challenged_attempt_goes_on_after_it_has_moved() -> None:
    stage = Stage(connector=CONNECTOR)
    stage.configure(credentials=(Credential("pbx", "secret"),))
    stage.pbx.dial()
    stage.world.settle()
    (challenged,) = moved(stage)
    source = challenged.attempt.source_address
    taken = stage.switch.history.take_challenged(challenged.call_id, source)
    assert taken == challenged
    assert taken is not challenged
    assert stage.switch.history.all() == []


def test_memory_is_looked_after_once_a_burst_is_over() -> None:
    stage = Stage()
    history = stage.switch.history
    for _ in range(switch.BURST):
        stage.pbx.dial(CALLED, host="nobody.voiceconnector.chime.aws")
    stage.run()
    first = history.all()[-1]
    assert stage.switch.stack.open_transactions or history.added >= switch.BURST
    stage.world.settle()
    stage.switch.compact(stage.now)
    assert history.find(first.aws_transaction_id) == first
    assert history.find(first.aws_transaction_id) is not first
    second = history.all()[-1]
    stage.switch.compact(stage.now)
    assert history.find(second.aws_transaction_id) is second, "there is nothing new"


def test_what_open_transactions_refer_to_does_not_move() -> None:
    stage = Stage()
    caller, _ = stage.answered()
    caller.hang_up(stage.now)
    stage.run()
    history = stage.switch.history
    history.added = switch.BURST
    assert stage.switch.stack.open_transactions
    ended = stage.history
    stage.switch.compact(stage.now)
    assert stage.history is ended


def test_a_nonce_that_was_used_stays_used() -> None:
    server = DigestServer(b"0" * 32, 300.0, ("MD5",))
    challenge = server.challenge("example.com", 1000.0)[0]

    def verdict(nonce_count: int) -> Verdict:
        value = answer(challenge, "INVITE", "sip:x", "pbx", "secret", nonce_count, "c")
        credentials = DigestCredentials.parse(value)
        return server.verify(credentials, "INVITE", lambda _: "secret", "example.com", "sip:x", 1001.0).verdict

    assert verdict(2) is Verdict.OK
    compact([server.used])
    assert [verdict(number) for number in (1, 2, 3)] == [Verdict.REPLAYED, Verdict.REPLAYED, Verdict.OK]


def classes_in(annotation: Any, seen: set[Any]) -> Iterator[type]:
    """Every class that values of this annotation may be, or consist of; without a call's connector."""
    if annotation in seen or get_origin(annotation) is Literal:
        return
    seen.add(annotation)
    parts = [part for part in get_args(annotation) if part is not ...]
    if not get_origin(annotation):
        yield annotation
        if is_dataclass(annotation) or hasattr(annotation, "_fields"):
            hints = get_type_hints(annotation)
            parts = [hint for name, hint in hints.items() if (annotation, name) != (Admission, "connector")]
    for part in parts:
        yield from classes_in(part, seen)


@pytest.mark.skipif(not inspect.isfunction(compact), reason="compiled classes do not tell what their lists are of")
def test_all_that_a_call_may_consist_of_can_be_written() -> None:
    simple = (str, bytes, int, float, NoneType, tuple, Enum)
    found = {kind for kind in classes_in(CallHistory, set()) if not issubclass(kind, simple)}
    assert CallHistory in found
    missing = found - REDUCTIONS.keys()
    assert not missing


def caches() -> dict[str, int]:
    """How many values each of our caches keeps."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, _lru_cache_wrapper)]
    ours = [cache for cache in found if cache.__module__.startswith("voiceconnector.")]
    return {f"{cache.__module__}.{cache.__qualname__}": cache.cache_info().currsize for cache in ours}


def test_what_texts_were_read_as_is_not_kept_when_nothing_goes_on() -> None:
    stage = Stage()
    stage.switch.compact(stage.now)
    before = caches()
    caller, _ = stage.answered()
    caller.hang_up(stage.now)
    stage.world.settle()
    assert sum(caches().values()) > sum(before.values())
    stage.switch.compact(stage.now)
    assert caches() == before
