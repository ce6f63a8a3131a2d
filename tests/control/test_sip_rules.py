"""SIP rules through boto3: the guide's tasks, p. 72-75, their answers and their refusals."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.control.cloud import START, Cloud, Servers, open_cloud
from tests.control.test_sip_media_applications import UNKNOWN, UUID
from tests.control.test_sip_media_applications import create as create_application
from voiceconnector.control.sip_rules import create_sip_rule
from voiceconnector.trunk.model import PhoneNumber
from voiceconnector.trunk.profile import LAB

CREATED = datetime.fromtimestamp(START, UTC)
NUMBER = "+12065550100"
OTHER_NUMBER = "+12065550101"


@pytest.fixture(autouse=True)
def numbers(cloud: Cloud) -> None:
    """Two numbers for SIP media applications, and one for Voice Connectors."""
    dial_in = (PhoneNumber(number, "SipMediaApplicationDialIn") for number in (NUMBER, OTHER_NUMBER))
    cloud.commit(*dial_in, PhoneNumber("+12065550199"))


@pytest.fixture
def application(voice: Any) -> str:
    return str(create_application(voice)["SipMediaApplicationId"])


@pytest.fixture
def western(voice: Any) -> str:
    return str(create_application(voice, region="us-west-2")["SipMediaApplicationId"])


@pytest.fixture
def host_name(voice: Any) -> str:
    """The outbound host name of a Voice Connector."""
    connector = voice.create_voice_connector(Name="lab", RequireEncryption=False)["VoiceConnector"]
    return str(connector["OutboundHostName"])


def target(application: str, priority: int = 1, region: str = "us-east-1") -> dict[str, object]:
    return {"SipMediaApplicationId": application, "Priority": priority, "AwsRegion": region}


def create(
    voice: Any, application: str, value: str = NUMBER, trigger_type: str = "ToPhoneNumber", **asked: object
) -> Any:
    wanted = {"TargetApplications": [target(application)], **asked}
    return voice.create_sip_rule(Name="rule", TriggerType=trigger_type, TriggerValue=value, **wanted)["SipRule"]


def test_a_created_rule_has_all_that_the_service_gives_it(voice: Any, application: str, western: str) -> None:
    targets = [target(application), target(western, 2, "us-west-2")]
    answer = voice.create_sip_rule(
        Name="front desk", TriggerType="ToPhoneNumber", TriggerValue=NUMBER, TargetApplications=targets
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    rule = answer["SipRule"]
    assert re.fullmatch(UUID, rule["SipRuleId"])
    assert rule == {
        "SipRuleId": rule["SipRuleId"],
        "Name": "front desk",
        "Disabled": False,
        "TriggerType": "ToPhoneNumber",
        "TriggerValue": NUMBER,
        "TargetApplications": targets,
        "CreatedTimestamp": CREATED,
        "UpdatedTimestamp": CREATED,
    }
    assert voice.get_sip_rule(SipRuleId=rule["SipRuleId"])["SipRule"] == rule


def test_a_rule_can_be_created_disabled(voice: Any, application: str) -> None:
    """Guide p. 73: until a Voice Connector and its host name are available, for example."""
    assert create(voice, application, Disabled=True)["Disabled"] is True


def test_a_rule_is_triggered_by_the_host_name_of_a_voice_connector(
    voice: Any, application: str, host_name: str
) -> None:
    assert create(voice, application, host_name, "RequestUriHostname")["TriggerValue"] == host_name


def test_a_number_is_taken_without_its_plus_too(voice: Any, application: str) -> None:
    assert create(voice, application, NUMBER[1:])["TriggerValue"] == NUMBER


def test_a_target_s_region_is_its_application_s_where_none_is_given(voice: Any, western: str) -> None:
    rule = create(voice, western, TargetApplications=[{"SipMediaApplicationId": western, "Priority": 1}])
    assert rule["TargetApplications"] == [target(western, 1, "us-west-2")]


def test_targets_can_be_left_out(cloud: Cloud) -> None:
    """Some versions of the model have them optional."""
    asked = {"Name": "later", "TriggerType": "ToPhoneNumber", "TriggerValue": NUMBER}
    assert cloud.do(lambda control: create_sip_rule(control, asked))["SipRule"]["TargetApplications"] == []


@pytest.mark.parametrize(
    ("value", "trigger_type", "refusal"),
    [
        ("+12065550142", "ToPhoneNumber", "there is no such number"),
        ("+12065550199", "ToPhoneNumber", "must be of the product type SipMediaApplicationDialIn"),
        ("front desk", "ToPhoneNumber", "must be an E.164 number"),
        ("0" * 22 + ".voiceconnector.chime.aws", "RequestUriHostname", "must be the outbound host name of a Voice"),
        ("pbx.example.com", "RequestUriHostname", "must be the outbound host name of a Voice"),
        ("no host name", "RequestUriHostname", "must be a host name"),
        (NUMBER, "FromPhoneNumber", "enum value set"),
    ],
)
def test_what_cannot_trigger_a_rule_is_refused(
    voice: Any, application: str, value: str, trigger_type: str, refusal: str
) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=refusal):
        create(voice, application, value, trigger_type)


def test_a_number_in_the_deletion_queue_triggers_no_rule(cloud: Cloud, voice: Any, application: str) -> None:
    cloud.commit(PhoneNumber(NUMBER, "SipMediaApplicationDialIn", deletion_due=START + 1))
    with pytest.raises(voice.exceptions.BadRequestException, match="deletion queue"):
        create(voice, application)


def test_one_trigger_has_one_rule(voice: Any, application: str, host_name: str) -> None:
    rule = create(voice, application, Disabled=True)
    create(voice, application, host_name, "RequestUriHostname")
    with pytest.raises(voice.exceptions.ConflictException, match=rule["SipRuleId"]):
        create(voice, application)
    with pytest.raises(voice.exceptions.ConflictException):
        create(voice, application, host_name.upper(), "RequestUriHostname")


def test_targets_are_in_different_regions_with_different_priorities(voice: Any, application: str, western: str) -> None:
    """Guide p. 70."""
    other = create_application(voice)["SipMediaApplicationId"]
    for targets, refusal in (
        ([target(application), target(other, 2)], r"TargetApplications\[1\].AwsRegion = 'us-east-1': is there already"),
        ([target(application), target(western, 1, "us-west-2")], r"\[1\].Priority = 1: is there already"),
        ([target(western)], "must be us-west-2, the Region of the SIP media application"),
        ([target(UNKNOWN)], "is the id of no SIP media application"),
        ([{"Priority": 1}], "SipMediaApplicationId is missing"),
        ([target(application, number) for number in range(1, 27)], "less than or equal to 25"),
    ):
        with pytest.raises(voice.exceptions.BadRequestException, match=refusal):
            create(voice, application, TargetApplications=targets)
    assert voice.list_sip_rules()["SipRules"] == []


def test_a_rule_can_be_renamed_disabled_and_enabled(cloud: Cloud, voice: Any, application: str) -> None:
    """Guide p. 73-74."""
    id_ = create(voice, application)["SipRuleId"]
    cloud.clock.now += 60
    answer = voice.update_sip_rule(SipRuleId=id_, Name="other")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 202
    changed = answer["SipRule"]
    assert (changed["Name"], changed["Disabled"], changed["TargetApplications"]) == (
        "other",
        False,
        [target(application)],
    )
    assert (changed["CreatedTimestamp"], changed["UpdatedTimestamp"]) == (CREATED, CREATED + timedelta(seconds=60))
    for disabled in (True, False):
        assert voice.update_sip_rule(SipRuleId=id_, Name="other", Disabled=disabled)["SipRule"]["Disabled"] is disabled


def test_a_rule_can_have_other_targets(voice: Any, application: str, western: str) -> None:
    id_ = create(voice, application)["SipRuleId"]
    targets = [target(western, 1, "us-west-2")]
    assert (
        voice.update_sip_rule(SipRuleId=id_, Name="rule", TargetApplications=targets)["SipRule"]["TargetApplications"]
        == targets
    )
    with pytest.raises(voice.exceptions.BadRequestException, match="is the id of no SIP media application"):
        voice.update_sip_rule(SipRuleId=id_, Name="rule", TargetApplications=[target(UNKNOWN)])


def test_a_rule_is_disabled_before_it_is_deleted(voice: Any, application: str) -> None:
    """Guide p. 75."""
    id_ = create(voice, application)["SipRuleId"]
    with pytest.raises(voice.exceptions.ConflictException, match=r"is enabled; disable it first \(UpdateSipRule\)"):
        voice.delete_sip_rule(SipRuleId=id_)
    voice.update_sip_rule(SipRuleId=id_, Name="rule", Disabled=True)
    assert voice.delete_sip_rule(SipRuleId=id_)["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_sip_rule(SipRuleId=id_)
    create(voice, application)


def test_the_profile_can_let_enabled_rules_be_deleted(servers: Servers, tmp_path: Path) -> None:
    """Terraform's provider does not disable them first."""
    with open_cloud(servers, tmp_path / "other", replace(LAB, enabled_sip_rules_deletable=True)) as cloud:
        cloud.commit(PhoneNumber(NUMBER, "SipMediaApplicationDialIn"))
        voice = cloud.client()
        id_ = create(voice, create_application(voice)["SipMediaApplicationId"])["SipRuleId"]
        voice.delete_sip_rule(SipRuleId=id_)
        assert voice.list_sip_rules()["SipRules"] == []


def test_an_application_is_not_deleted_while_an_enabled_rule_needs_it(
    voice: Any, application: str, western: str
) -> None:
    """Guide p. 74; what is left of the rule is not deleted (guide p. 72)."""
    targets = [target(application), target(western, 2, "us-west-2")]
    id_ = create(voice, application, TargetApplications=targets)["SipRuleId"]
    with pytest.raises(voice.exceptions.ConflictException, match=f"is a target of SIP rule {id_}, which is enabled"):
        voice.delete_sip_media_application(SipMediaApplicationId=application)
    voice.update_sip_rule(SipRuleId=id_, Name="rule", Disabled=True)
    voice.delete_sip_media_application(SipMediaApplicationId=application)
    assert voice.get_sip_rule(SipRuleId=id_)["SipRule"]["TargetApplications"] == targets[1:]


def test_a_connector_is_not_deleted_while_a_rule_has_its_host_name(
    voice: Any, application: str, host_name: str
) -> None:
    rule = create(voice, application, host_name, "RequestUriHostname", Disabled=True)
    connector = host_name.partition(".")[0]
    with pytest.raises(voice.exceptions.ConflictException, match=f"SipRule {rule['SipRuleId']}.TriggerValue"):
        voice.delete_voice_connector(VoiceConnectorId=connector)
    voice.delete_sip_rule(SipRuleId=rule["SipRuleId"])
    voice.delete_voice_connector(VoiceConnectorId=connector)


def test_rules_are_listed_by_application_and_in_pages(
    voice: Any, application: str, western: str, host_name: str
) -> None:
    first = create(voice, application)
    second = create(voice, western, OTHER_NUMBER, TargetApplications=[target(western, 1, "us-west-2")])
    third = create(voice, application, host_name, "RequestUriHostname")
    pages = list(voice.get_paginator("list_sip_rules").paginate(PaginationConfig={"PageSize": 2}))
    assert [page["SipRules"] for page in pages] == [[first, second], [third]]
    assert voice.list_sip_rules(SipMediaApplicationId=application)["SipRules"] == [first, third]
    assert voice.list_sip_rules(SipMediaApplicationId=UNKNOWN)["SipRules"] == []


@pytest.mark.parametrize(
    ("operation", "asked"), [("get_sip_rule", {}), ("update_sip_rule", {"Name": "other"}), ("delete_sip_rule", {})]
)
def test_a_rule_that_is_not_there_is_not_found(voice: Any, operation: str, asked: dict[str, object]) -> None:
    with pytest.raises(voice.exceptions.NotFoundException, match="Could not find SipRule with Id 'aaaaaaaa"):
        getattr(voice, operation)(SipRuleId=UNKNOWN, **asked)
