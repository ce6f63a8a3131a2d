"""Metrics, read back with Prometheus's own parser. Names: guide p. 22-27."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from voiceconnector.calls.events import (
    AttemptRefused,
    CallAnswered,
    CallEnded,
    CallMoved,
    CallStarted,
    DirectionQuality,
    MediaQuality,
    RouteFailed,
)
from voiceconnector.records.metrics import ROUTES_KEPT, Metrics
from voiceconnector.trunk.decisions import Decision, Outcome

EAST, WEST = "east" * 5 + "00", "west" * 5 + "00"
REGIONS = {EAST: "us-east-1", WEST: "us-west-2"}
OUT = CallStarted("t-1", "c-1", EAST, "us-east-1", "Outbound", "+12065550100", "+12065550123", "", 1.0)
IN = replace(OUT, aws_transaction_id="t-2", direction="Inbound")


def metrics() -> Metrics:
    return Metrics(lambda voice_connector_id: REGIONS.get(voice_connector_id, ""))


def read(made: Metrics) -> dict[tuple[str, ...], float]:
    """The samples by name and values of labels."""
    families = text_string_to_metric_families(made.text())
    order = ("VoiceConnectorId", "Region", "Target")
    return {
        (one.name, *(one.labels[name] for name in order if name in one.labels)): one.value
        for family in families
        for one in family.samples
    }


def test_an_answered_call_is_an_attempt_active_and_then_over() -> None:
    made = metrics()
    made.take([OUT, CallAnswered(OUT, 2.0)])
    during = read(made)
    assert during["OutboundCallAttempts", EAST, "us-east-1"] == 1
    assert during["OutboundCallsAnswered", EAST, "us-east-1"] == 1
    assert during["OutboundCallsActive", EAST, "us-east-1"] == 1
    made.take([CallEnded(OUT, 2.0, 3.0, True, "OK")])
    after = read(made)
    assert ("OutboundCallsActive", EAST, "us-east-1") not in after
    assert ("OutboundCallFailures", EAST, "us-east-1") not in after


def test_a_call_that_is_not_completed_is_a_failure() -> None:
    made = metrics()
    made.take([IN, CallEnded(IN, None, 3.0, False, "Busy Here")])
    assert read(made)["InboundCallFailures", EAST, "us-east-1"] == 1


def test_a_call_that_moves_on_in_its_group_fails_at_the_first_connector() -> None:
    made = metrics()
    moved = replace(IN, voice_connector_id=WEST, region="us-west-2")
    made.take([IN, RouteFailed("t-2", 1.5, EAST, "UDP 192.0.2.11:5060", 0.5, "it answered 503"), CallMoved(moved)])
    made.take([CallAnswered(moved, 2.0), CallEnded(moved, 2.0, 3.0, True, "OK")])
    found = read(made)
    assert found["InboundCallFailures", EAST, "us-east-1"] == 1
    assert found["InboundCallsAnswered", WEST, "us-west-2"] == 1
    assert found["voiceconnector_route_failures", EAST, "us-east-1", "UDP 192.0.2.11:5060"] == 1
    assert ("InboundCallFailures", WEST, "us-west-2") not in found


def test_only_limits_are_throttles() -> None:
    made = metrics()
    for check in ("calls per second", "active calls", "caller ID"):
        decision = Decision(Outcome.REJECT, check=check, because="", setting="", source="")
        made.take([AttemptRefused("t-3", 1.0, "c-3", "192.0.2.1", EAST, decision)])
    assert read(made)["Throttles", EAST, "us-east-1"] == 2


def test_ever_new_targets_do_not_fill_the_memory() -> None:
    made = metrics()
    made.take([RouteFailed("t", 1.0, EAST, f"UDP 192.0.2.1:{port}", 0.1, "") for port in range(ROUTES_KEPT + 50)])
    assert sum(name[0] == "voiceconnector_route_failures" for name in read(made)) == ROUTES_KEPT


def test_figures_of_our_own_process_are_there() -> None:
    assert read(metrics())["process_resident_memory_bytes",] > 0


# -- media


def direction(packets: int = 3000, lost: int | None = 3, jitter: int | None = 800) -> DirectionQuality:
    return DirectionQuality(packets, packets * 172, 12, 1200, lost, jitter, 4.37)


def minute(started: CallStarted = OUT, jitter: int = 800, mos: float = 4.2, rtt: int | None = 20_000) -> MediaQuality:
    return MediaQuality(
        started, 61.0, 60.0, direction(jitter=jitter), direction(2999, None, None), direction(1000), direction(1001),
        rtt, mos, None, 4.3,
    )  # fmt: skip


def test_media_is_counted_by_the_guide_s_names() -> None:
    """Guide p. 24-27: per side and direction; a far side that reports nothing has lost nothing that is known."""
    made = metrics()
    made.take([OUT, minute(), minute()])
    found = read(made)
    expected = {
        "CustomerToVcRtpPackets": 6000, "CustomerToVcRtpBytes": 6000 * 172, "CustomerToVcRtcpPackets": 24,
        "CustomerToVcRtcpBytes": 2400, "CustomerToVcPacketsLost": 6, "VcToCustomerRtpPackets": 5998,
        "VcToCustomerPacketsLost": 0, "RemoteToVcRtpPackets": 2000, "VcToRemoteRtpPackets": 2002,
        "VcToRemoteRtcpBytes": 2400, "RemoteToVcPacketsLost": 6,
        "CustomerToVcJitter": 800, "RTTBetweenVcAndCustomer": 20_000, "MOSBetweenVcAndCustomer": 4.2,
        "MOSBetweenVcAndRemote": 4.3, "VcToRemoteJitter": 800,
    }  # fmt: skip
    for name, value in expected.items():
        assert found[name, EAST, "us-east-1"] == value, name
    assert ("RTTBetweenVcAndRemote", EAST, "us-east-1") not in found
    assert ("VcToCustomerJitter", EAST, "us-east-1") not in found


def test_averages_are_over_the_calls_under_way_and_then_the_last_one_known() -> None:
    made = metrics()
    second = replace(OUT, aws_transaction_id="t-3")
    made.take([OUT, second, minute(jitter=500, mos=4.0), minute(second, jitter=1500, mos=4.4)])
    found = read(made)
    assert found["CustomerToVcJitter", EAST, "us-east-1"] == 1000
    assert found["MOSBetweenVcAndCustomer", EAST, "us-east-1"] == 4.2
    made.take([CallEnded(OUT, 2.0, 70.0, True, "OK")])
    assert read(made)["CustomerToVcJitter", EAST, "us-east-1"] == 1500
    made.take([CallEnded(second, 2.0, 70.0, True, "OK"), minute(second, jitter=700)])
    assert read(made)["CustomerToVcJitter", EAST, "us-east-1"] == 700
    assert not made._gauges
