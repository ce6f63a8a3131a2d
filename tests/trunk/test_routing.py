"""Where calls from the PSTN go: the order of routes, what moves on, and who takes none."""

import math
import random
from collections import Counter
from dataclasses import replace

import pytest

from voiceconnector.trunk.attempts import Admission
from voiceconnector.trunk.decisions import Decision, Outcome
from voiceconnector.trunk.model import Origination, OriginationRoute, PhoneNumber, Snapshot, VoiceConnector
from voiceconnector.trunk.profile import AWS, LAB
from voiceconnector.trunk.routing import all_failed, explain_inbound, in_order, moves_on, obstacle, unassigned

ROUTES = (OriginationRoute("192.0.2.1", weight=10), OriginationRoute("192.0.2.2", weight=90))
CONNECTOR = VoiceConnector(
    "abcdef1ghij2klmno3pqr4", "lab", phone_numbers=("+12065550100",), origination=Origination(ROUTES)
)
Z_999 = 3.2905
"""Standard deviations that hold 99.9 % of a normal distribution, which a binomial of 1,000 comes close to."""


def hosts(routes: tuple[OriginationRoute, ...], seed: int = 1) -> list[str]:
    return [route.host for route in in_order(routes, random.Random(seed).randrange)]


def firsts(calls: int, seed: int) -> list[str]:
    below = random.Random(seed).randrange
    return [in_order(ROUTES, below)[0].host for _ in range(calls)]


# -- order


@pytest.mark.parametrize("seed", range(5))
def test_a_thousand_calls_are_shared_by_weight(seed: int) -> None:
    """Guide p. 61; 10 and 90: a binomial with p = 0.1, within its 99.9 % bound."""
    share = Counter(firsts(1000, seed))["192.0.2.1"]
    assert abs(share - 100) <= Z_999 * math.sqrt(1000 * 0.1 * 0.9)


def test_the_same_seed_makes_the_same_choices() -> None:
    assert firsts(1000, 7) == firsts(1000, 7)
    assert firsts(1000, 7) != firsts(1000, 8)


def test_priority_1_comes_first_whatever_the_weights() -> None:
    routes = tuple(
        OriginationRoute(f"192.0.2.{priority}", priority=priority, weight=priority) for priority in (100, 2, 1, 37)
    )
    assert hosts(routes) == ["192.0.2.1", "192.0.2.2", "192.0.2.37", "192.0.2.100"]


def test_every_route_is_tried_once() -> None:
    routes = tuple(OriginationRoute(f"192.0.2.{index}", priority=1 + index // 4, weight=index) for index in range(1, 9))
    ordered = hosts(routes)
    assert sorted(ordered) == sorted(route.host for route in routes)
    tiers = {route.host: route.priority for route in routes}
    assert [tiers[host] for host in ordered] == sorted(tiers.values())


def test_the_rest_of_a_tier_is_shared_by_weight_too() -> None:
    """RFC 2782: each place goes to one of those that are left, by weight."""
    routes = (*ROUTES, OriginationRoute("192.0.2.3", weight=100))
    below = random.Random(3).randrange
    seconds = Counter(
        ordered[1].host for _ in range(4000) if (ordered := in_order(routes, below))[0].host == "192.0.2.3"
    )
    calls = seconds.total()
    assert abs(seconds["192.0.2.1"] - calls * 0.1) <= Z_999 * math.sqrt(calls * 0.1 * 0.9)


def test_no_route_is_no_order() -> None:
    assert hosts(()) == []


def test_a_single_route_costs_no_randomness() -> None:
    def never(limit: int) -> int:
        raise AssertionError(f"asked for a number below {limit}")

    assert in_order(ROUTES[:1], never) == ROUTES[:1]


# -- what moves on


@pytest.mark.parametrize("status_code", [408, 500, 502, 503, 504, 513, 580])
def test_a_server_that_fails_is_left(status_code: int) -> None:
    assert moves_on(status_code)


@pytest.mark.parametrize(
    "status_code", [302, 400, 401, 403, 404, 407, 410, 480, 484, 486, 487, 488, 501, 505, 600, 603, 604, 606]
)
def test_an_answer_about_the_call_is_everybodys_answer(status_code: int) -> None:
    assert not moves_on(status_code)


# -- who takes no call


def refusal(decision: Decision | None) -> tuple[int, str]:
    assert decision
    assert decision.outcome is Outcome.REJECT
    assert decision.remedy
    assert decision.setting
    return decision.status_code, decision.because


def test_a_number_of_nobody_is_not_found() -> None:
    code, because = refusal(unassigned("+12065550999", Snapshot.of([CONNECTOR]), LAB))
    assert (code, because) == (404, "+12065550999 is a number of no Voice Connector; there are +12065550100")
    assert "no Voice Connector has a phone number" in refusal(unassigned("+12065550999", Snapshot.of([]), LAB))[1]


def test_what_is_no_number_is_not_found_either() -> None:
    code, because = refusal(unassigned("2065550100", Snapshot.of([CONNECTOR]), LAB))
    assert code == 404
    assert because == 'the called number "2065550100" has no leading +'


def test_a_deleted_number_says_that_it_can_be_restored() -> None:
    """Guide p. 59: deleted numbers wait in the deletion queue for 7 days."""
    snapshot = Snapshot.of([], (), [PhoneNumber("+12065550100", deletion_due=0.0)])
    decision = unassigned("+12065550100", snapshot, replace(LAB, deleted_number_status=410))
    assert refusal(decision) == (
        410,
        "+12065550100 was deleted, and waits in the deletion queue, where it takes no calls",
    )
    assert "Restore" in decision.remedy


@pytest.mark.parametrize(
    ("origination", "because"),
    [
        (None, "was never configured"),
        (Origination(ROUTES, disabled=True), "is disabled"),
        (Origination(()), "has no route"),
    ],
)
def test_a_connector_without_origination_takes_no_call(origination: Origination | None, because: str) -> None:
    code, told = refusal(obstacle(replace(CONNECTOR, origination=origination), lambda region: True, AWS))
    assert code == 480
    assert told == f"origination of abcdef1ghij2klmno3pqr4 {because}"


def test_a_connector_of_a_region_that_is_down_takes_no_call() -> None:
    code, because = refusal(obstacle(CONNECTOR, lambda region: region != "us-east-1", AWS))
    assert (code, because) == (503, "us-east-1, the Region of abcdef1ghij2klmno3pqr4, is down")


def test_a_connector_with_routes_in_a_region_that_is_up_may_try() -> None:
    assert obstacle(CONNECTOR, lambda region: region == "us-east-1", AWS) is None


def test_when_all_failed_the_first_ones_are_named() -> None:
    assert refusal(all_failed(["A: gone"], LAB)) == (503, "the only route of the number failed: A: gone")
    tried = [f"{name}: gone" for name in "ABCDE"]
    assert refusal(all_failed(tried, LAB))[1] == "all 5 targets failed: A: gone; B: gone; C: gone; and 2 more"


# -- explained


def test_the_explanation_ends_with_what_decided() -> None:
    decision = obstacle(CONNECTOR, lambda region: False, AWS)
    assert decision
    findings = explain_inbound(Admission(decision, CONNECTOR, called="+12065550100"))
    assert [(finding.check, finding.verdict) for finding in findings] == [
        ("number", "passed"),
        ("origination", "passed"),
        ("Region", "rejected"),
    ]
    assert findings[1].sentence == "origination is enabled, with 2 routes"


def test_a_number_of_nobody_is_explained_without_a_connector() -> None:
    decision = unassigned("+12065550999", Snapshot.of([]), LAB)
    (finding,) = explain_inbound(Admission(decision))
    assert (finding.check, finding.verdict) == ("number", "rejected")


def test_a_number_that_is_not_in_service_says_what_it_waits_for() -> None:
    snapshot = Snapshot.of([], (), [PhoneNumber("+12065550100", progress="PortinInProgress")])
    code, because = refusal(unassigned("+12065550100", snapshot, LAB))
    assert code == 404
    assert because == "+12065550100 is PortinInProgress, so it is not in service yet"
