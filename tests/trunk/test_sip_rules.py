"""SIP media applications and SIP rules: their shapes, what a rule may refer to, and what the store refuses."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from voiceconnector.trunk.model import EMPTY, PhoneNumber, Resource, VoiceConnector
from voiceconnector.trunk.shapes import shape_of
from voiceconnector.trunk.sip_rules import (
    SipMediaApplication,
    SipMediaApplicationEndpoint,
    SipMediaApplicationLoggingConfiguration,
    SipRule,
    SipRuleTargetApplication,
    check_sip_media_application,
    check_sip_rule,
    rules_by_phone_number,
    rules_of_application,
    sip_media_application,
    sip_rule,
)
from voiceconnector.trunk.store import Conflict, Store
from voiceconnector.trunk.tables import ShapeError

APPLICATION_ID = "aaaaaaaa-1111-4222-8333-444444444444"
WESTERN_ID = "bbbbbbbb-1111-4222-8333-444444444444"
RULE_ID = "cccccccc-1111-4222-8333-444444444444"
OTHER_RULE_ID = "dddddddd-1111-4222-8333-444444444444"
NUMBER = "+12065550100"
CONNECTOR = VoiceConnector("abcdef1ghij2klmno3pqr4", "lab")
APPLICATION = SipMediaApplication(
    APPLICATION_ID,
    "answer",
    "us-east-1",
    (SipMediaApplicationEndpoint("arn:aws:lambda:us-east-1:111122223333:function:answer:prod"),),
    SipMediaApplicationLoggingConfiguration(True),
)
WESTERN = SipMediaApplication(
    WESTERN_ID,
    "answer",
    "us-west-2",
    (SipMediaApplicationEndpoint("arn:aws:lambda:us-west-2:111122223333:function:answer:$LATEST"),),
)
DIAL_IN = PhoneNumber(NUMBER, "SipMediaApplicationDialIn")
TARGETS = (
    SipRuleTargetApplication(APPLICATION_ID, 1, "us-east-1"),
    SipRuleTargetApplication(WESTERN_ID, 2, "us-west-2"),
)
BY_NUMBER = SipRule(RULE_ID, "by number", "ToPhoneNumber", NUMBER, target_applications=TARGETS)
BY_HOST = SipRule(OTHER_RULE_ID, "by host", "RequestUriHostname", CONNECTOR.outbound_host_name, True, (TARGETS[0],))
EVERYTHING: tuple[Resource, ...] = (CONNECTOR, DIAL_IN, APPLICATION, WESTERN)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path, lambda: 1_700_000_000.0)
    opened.commit(*EVERYTHING)
    yield opened
    opened.close()


@pytest.mark.parametrize("application", [APPLICATION, WESTERN])
def test_a_table_of_an_application_is_read_and_written_alike(application: SipMediaApplication) -> None:
    assert sip_media_application(shape_of(application), "application") == application


@pytest.mark.parametrize("rule", [BY_NUMBER, BY_HOST])
def test_a_table_of_a_rule_is_read_and_written_alike(rule: SipRule) -> None:
    assert sip_rule(shape_of(rule), "rule") == rule


def test_a_table_has_the_names_of_the_api() -> None:
    """`SipMediaApplication` and `SipRule` of chime-sdk-voice 2022-08-03."""
    assert shape_of(APPLICATION) == {
        "SipMediaApplicationId": APPLICATION_ID,
        "Name": "answer",
        "AwsRegion": "us-east-1",
        "Endpoints": [{"LambdaArn": "arn:aws:lambda:us-east-1:111122223333:function:answer:prod"}],
        "SipMediaApplicationLoggingConfiguration": {"EnableSipMediaApplicationMessageLogs": True},
    }
    assert shape_of(BY_HOST) == {
        "SipRuleId": OTHER_RULE_ID,
        "Name": "by host",
        "TriggerType": "RequestUriHostname",
        "TriggerValue": "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws",
        "Disabled": True,
        "TargetApplications": [{"SipMediaApplicationId": APPLICATION_ID, "Priority": 1, "AwsRegion": "us-east-1"}],
    }


def test_a_host_name_means_the_same_in_capitals_and_with_its_final_dot() -> None:
    shape = {**shape_of(BY_HOST), "TriggerValue": "ABCDEF1ghij2klmno3pqr4.VoiceConnector.chime.aws."}
    assert sip_rule(shape, "rule") == BY_HOST


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"Endpoints": []}, "a.Endpoints"),
        ({"Endpoints": [{"LambdaArn": "answer"}]}, "a.Endpoints[0].LambdaArn"),
        (
            {"Endpoints": [{"LambdaArn": "arn:aws:lambda:us-east-1:111122223333:layer:answer"}]},
            "a.Endpoints[0].LambdaArn",
        ),
        ({"AwsRegion": "us-west-2"}, "a.Endpoints[0].LambdaArn"),
        ({"AwsRegion": "mars-north-1"}, "a.AwsRegion"),
        ({"SipMediaApplicationId": "answer"}, "a.SipMediaApplicationId"),
        ({"Name": "bad/name*"}, "a.Name"),
        ({"Endpoint": []}, "a.Endpoint"),
    ],
)
def test_an_application_that_is_wrong_is_refused_with_its_path(change: dict[str, object], path: str) -> None:
    with pytest.raises(ShapeError) as refused:
        sip_media_application({**shape_of(APPLICATION), **change}, "a")
    assert refused.value.path == path


def target(number: int, region: str = "us-east-1", priority: int = 1) -> dict[str, object]:
    return {
        "SipMediaApplicationId": f"{number:08d}-1111-4222-8333-444444444444",
        "AwsRegion": region,
        "Priority": priority,
    }


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"TriggerType": "FromPhoneNumber"}, "r.TriggerType"),
        ({"TriggerValue": "2065550100"}, "r.TriggerValue"),
        ({"TargetApplications": [target(1), target(2, priority=2)]}, "r.TargetApplications[1].AwsRegion"),
        ({"TargetApplications": [target(1), target(2, "us-west-2")]}, "r.TargetApplications[1].Priority"),
        ({"TargetApplications": [target(1, priority=0)]}, "r.TargetApplications[0].Priority"),
        ({"TargetApplications": [target(n, priority=n) for n in range(1, 27)]}, "r.TargetApplications"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_its_path(change: dict[str, object], path: str) -> None:
    """One application per Region, distinct priorities, 25 of them at most (guide p. 70; the API's model)."""
    with pytest.raises(ShapeError) as refused:
        sip_rule({**shape_of(BY_NUMBER), **change}, "r")
    assert refused.value.path == path


def test_an_application_is_in_a_region_that_is_served() -> None:
    check_sip_media_application(WESTERN, ("us-east-1", "us-west-2"), "a")
    with pytest.raises(ShapeError, match=r"^a.AwsRegion = 'us-west-2': must be a Region that is served, us-east-1"):
        check_sip_media_application(WESTERN, ("us-east-1",), "a")


@pytest.mark.parametrize("rule", [BY_NUMBER, BY_HOST])
def test_a_rule_may_refer_to_what_is_there(rule: SipRule) -> None:
    check_sip_rule(rule, EMPTY.after(EVERYTHING), "rule")


@pytest.mark.parametrize(
    ("change", "rule", "refusal"),
    [
        (PhoneNumber(NUMBER), BY_NUMBER, "of the product type SipMediaApplicationDialIn, and is of VoiceConnector"),
        (replace(DIAL_IN, deletion_due=1.8e9), BY_NUMBER, "is in the deletion queue"),
        (replace(CONNECTOR, phone_numbers=(NUMBER,)), BY_NUMBER, "is associated with abcdef1ghij2klmno3pqr4"),
        (None, replace(BY_NUMBER, trigger_value="+12065550199"), "there is no such number"),
        (
            None,
            replace(BY_HOST, trigger_value="0" * 22 + ".voiceconnector.chime.aws"),
            "must be the outbound host name",
        ),
        (
            None,
            replace(BY_HOST, target_applications=(replace(TARGETS[0], aws_region="us-west-2"),)),
            "must be us-east-1",
        ),
        (
            None,
            replace(BY_HOST, target_applications=(replace(TARGETS[0], sip_media_application_id=RULE_ID),)),
            "of no SIP",
        ),
    ],
)
def test_a_rule_refers_to_nothing_that_is_not_there_or_not_fit_for_it(
    change: Resource | None, rule: SipRule, refusal: str
) -> None:
    snapshot = EMPTY.after(EVERYTHING).after([change] if change else [])
    with pytest.raises(ShapeError, match=refusal):
        check_sip_rule(rule, snapshot, "rule")


@pytest.mark.parametrize("gone", [CONNECTOR, DIAL_IN, APPLICATION])
def test_nothing_that_a_rule_refers_to_can_be_taken_away(store: Store, gone: Resource) -> None:
    store.commit(BY_NUMBER, BY_HOST)
    before = store.snapshot
    with pytest.raises(Conflict, match=r"^SipRule "):
        store.commit(remove=[gone])
    assert store.snapshot is before


def test_a_number_that_triggers_a_rule_is_neither_deleted_nor_given_to_a_connector(store: Store) -> None:
    store.commit(BY_NUMBER)
    for change in (replace(DIAL_IN, deletion_due=1.8e9), replace(CONNECTOR, phone_numbers=(NUMBER,))):
        with pytest.raises(Conflict, match=f"^SipRule {RULE_ID}.TriggerValue is "):
            store.commit(change)


def test_two_rules_never_have_one_trigger(store: Store) -> None:
    store.commit(BY_NUMBER)
    with pytest.raises(Conflict, match="has the same TriggerValue"):
        store.commit(replace(BY_NUMBER, sip_rule_id=OTHER_RULE_ID))


def test_a_rule_and_its_applications_are_there_after_a_restart(tmp_path: Path, store: Store) -> None:
    store.commit(BY_NUMBER, BY_HOST)
    before = store.snapshot
    store.close()
    again = Store(tmp_path, lambda: 0.0)
    assert again.snapshot == before
    again.close()


def test_a_snapshot_tells_the_rules_of_a_number_and_of_an_application() -> None:
    snapshot = EMPTY.after((*EVERYTHING, BY_NUMBER, BY_HOST))
    assert rules_by_phone_number(snapshot) == {NUMBER: BY_NUMBER}
    assert rules_of_application(snapshot, APPLICATION_ID) == (BY_NUMBER, BY_HOST)
    assert rules_of_application(snapshot, WESTERN_ID) == (BY_NUMBER,)


def test_a_rule_can_lose_one_application_and_keep_the_others() -> None:
    assert BY_NUMBER.without(APPLICATION_ID).target_applications == (TARGETS[1],)
    assert BY_HOST.without(APPLICATION_ID).target_applications == ()
