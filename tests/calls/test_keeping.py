"""What is kept of a call's media reaches the relay's plan, and nothing does that was not asked for."""

import pytest

from tests.flows.stage import FAR, FAR_SDP, Stage, sdp
from tests.flows.test_in_call import answering
from tests.phone import SDP
from voiceconnector.calls.keeping import Keeping, What
from voiceconnector.media.plan import Capture, Forward, Record, Sink

EVERYTHING = Keeping("/data", capture=True, record=True)


def files(stage: Stage) -> list[tuple[Sink, ...]]:
    """The sinks of legs a and b that write files."""
    return [tuple(sink for sink in stream.sinks if isinstance(sink, Record | Capture)) for stream in stage.plan.streams]


def keep(stage: Stage, what: What, *, enabled: bool) -> bool:
    return stage.switch.keep(stage.history.aws_transaction_id, what, enabled, stage.now)


def test_of_a_call_nothing_is_kept_unless_it_is_asked_for() -> None:
    stage = Stage()
    caller, _ = stage.answered()
    assert [stream.sinks for stream in stage.plan.streams] == [(Forward("b"),), (Forward("a"),)]
    caller.hang_up(stage.now)
    stage.end()


def test_packets_and_audio_of_every_call_are_kept_where_that_is_configured() -> None:
    stage = Stage()
    stage.switch.keeping = EVERYTHING
    caller, _ = stage.answered()
    folder = stage.history.aws_transaction_id
    assert [stream.sinks for stream in stage.plan.streams] == [
        (
            Forward("b"),
            Capture(f"/data/captures/{folder}/customer.rtp"),
            Record(f"/data/recordings/{folder}/customer.wav"),
        ),
        (Forward("a"), Capture(f"/data/captures/{folder}/remote.rtp"), Record(f"/data/recordings/{folder}/remote.wav")),
    ]
    caller.hang_up(stage.now)
    stage.end()


def test_one_call_is_kept_from_when_it_is_asked_for_until_no_longer() -> None:
    stage = Stage()
    caller, _ = stage.answered()
    assert keep(stage, "capture", enabled=True)
    assert [type(sink) for leg in files(stage) for sink in leg] == [Capture, Capture]
    assert keep(stage, "record", enabled=True)
    assert [type(sink) for leg in files(stage) for sink in leg] == [Capture, Record, Capture, Record]
    assert keep(stage, "capture", enabled=False)
    assert [type(sink) for leg in files(stage) for sink in leg] == [Record, Record]
    assert [stream.sinks[0] for stream in stage.plan.streams] == [Forward("b"), Forward("a")]
    caller.hang_up(stage.now)
    stage.run()
    assert not keep(stage, "capture", enabled=True), "the call is over"
    stage.end(explained=["From here on, packets are kept.", "From here on, packets are not kept any more."])


def test_a_recording_that_begins_again_has_files_of_its_own_and_packets_have_not() -> None:
    stage = Stage()
    stage.switch.keeping = EVERYTHING
    caller, _ = stage.answered()
    for what in ("record", "capture"):
        assert keep(stage, what, enabled=False)
        assert keep(stage, what, enabled=True)
        assert keep(stage, what, enabled=True)
    names = [sink.path.rpartition("/")[2] for leg in files(stage) for sink in leg if isinstance(sink, Record | Capture)]
    assert names == ["customer.rtp", "customer-2.wav", "remote.rtp", "remote-2.wav"]
    caller.hang_up(stage.now)
    stage.end()


def test_files_are_written_on_through_early_media_a_hold_and_its_end() -> None:
    """Else a recording would begin anew with each offer and answer: RFC 3264 8."""
    stage = Stage()
    stage.switch.keeping = EVERYTHING
    caller = stage.pbx.dial()
    stage.run()
    stage.far.early_media()
    stage.run()
    before = files(stage)
    stage.far.pick_up(body=FAR_SDP)
    stage.run()
    assert files(stage) == before
    for version, ours, theirs in ((2, "sendonly", "recvonly"), (3, "sendrecv", "sendrecv")):
        stage.far.when_asked = answering(sdp(FAR, 6000, direction=theirs, version=version))
        caller.send("INVITE", stage.now, SDP, sdp(direction=ours, version=version))
        stage.run()
        assert stage.plan.streams[1].receive == (ours == "sendrecv")
        assert files(stage) == before
    assert [stream.sinks for stream in stage.plan.silent().streams] == before
    caller.hang_up(stage.now)
    stage.end()


@pytest.mark.parametrize("what", ["capture", "record"])
def test_a_call_without_media_yet_is_kept_once_it_has_some(what: What) -> None:
    stage = Stage()
    caller = stage.pbx.dial()
    stage.run()
    assert keep(stage, what, enabled=True)
    stage.far.pick_up()
    stage.run()
    assert [len(leg) for leg in files(stage)] == [1, 1]
    caller.hang_up(stage.now)
    stage.end()
