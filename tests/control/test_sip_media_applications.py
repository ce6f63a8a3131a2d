"""SIP media applications through boto3: the guide's tasks, p. 70-72, their answers and their refusals."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.control.cloud import ACCOUNT_ID, START, Cloud

CREATED = datetime.fromtimestamp(START, UTC)
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:answer"
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UNKNOWN = "aaaaaaaa-1111-4222-8333-444444444444"


def create(voice: Any, name: str = "answer", region: str = "us-east-1") -> Any:
    endpoints = [{"LambdaArn": FUNCTION.replace("us-east-1", region)}]
    return voice.create_sip_media_application(Name=name, AwsRegion=region, Endpoints=endpoints)["SipMediaApplication"]


def test_a_created_application_has_all_that_the_service_gives_it(voice: Any) -> None:
    endpoints = [{"LambdaArn": f"arn:aws:lambda:us-west-2:{ACCOUNT_ID}:function:answer:prod"}]
    answer = voice.create_sip_media_application(Name="front desk", AwsRegion="us-west-2", Endpoints=endpoints)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    application = answer["SipMediaApplication"]
    id_ = application["SipMediaApplicationId"]
    assert re.fullmatch(UUID, id_)
    assert application == {
        "SipMediaApplicationId": id_,
        "AwsRegion": "us-west-2",
        "Name": "front desk",
        "Endpoints": endpoints,
        "CreatedTimestamp": CREATED,
        "UpdatedTimestamp": CREATED,
        "SipMediaApplicationArn": f"arn:aws:chime:us-west-2:{ACCOUNT_ID}:sma/{id_}",
    }


def test_an_application_is_shown_as_it_was_created(voice: Any) -> None:
    application = create(voice)
    answer = voice.get_sip_media_application(SipMediaApplicationId=application["SipMediaApplicationId"])
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["SipMediaApplication"]) == (200, application)


@pytest.mark.parametrize(
    "function", ["answer", "answer:prod", "answer:7", "answer:$LATEST"], ids=["function", "alias", "version", "latest"]
)
def test_an_application_invokes_a_function_or_an_alias_or_a_version_of_one(voice: Any, function: str) -> None:
    """Guide p. 71."""
    endpoints = [{"LambdaArn": f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:{function}"}]
    answer = voice.create_sip_media_application(Name="answer", AwsRegion="us-east-1", Endpoints=endpoints)
    assert answer["SipMediaApplication"]["Endpoints"] == endpoints


def test_the_function_is_in_the_region_of_the_application(voice: Any) -> None:
    """Guide p. 71."""
    with pytest.raises(voice.exceptions.BadRequestException, match="must be of us-west-2, the Region of the SIP media"):
        voice.create_sip_media_application(Name="a", AwsRegion="us-west-2", Endpoints=[{"LambdaArn": FUNCTION}])


def test_an_application_is_in_a_region_that_is_served(voice: Any) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match="must be a Region that is served"):
        create(voice, region="eu-west-2")
    with pytest.raises(voice.exceptions.BadRequestException, match="AwsRegion = 'us-mars-1'"):
        create(voice, region="us-mars-1")


def test_a_function_s_arn_is_never_repeated_in_a_refusal(voice: Any) -> None:
    """It is sensitive in the API's model."""
    with pytest.raises(voice.exceptions.BadRequestException, match="lambdaArn") as refused:
        voice.create_sip_media_application(Name="a", AwsRegion="us-east-1", Endpoints=[{"LambdaArn": "my-secret"}])
    assert "my-secret" not in str(refused.value)


def test_an_application_s_name_and_function_can_be_changed_and_its_region_cannot(cloud: Cloud, voice: Any) -> None:
    """Guide p. 71."""
    id_ = create(voice)["SipMediaApplicationId"]
    cloud.clock.now += 60
    answer = voice.update_sip_media_application(SipMediaApplicationId=id_, Name="other")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    changed = answer["SipMediaApplication"]
    assert (changed["Name"], changed["Endpoints"]) == ("other", [{"LambdaArn": FUNCTION}])
    assert (changed["CreatedTimestamp"], changed["UpdatedTimestamp"]) == (CREATED, CREATED + timedelta(seconds=60))
    endpoints = [{"LambdaArn": f"{FUNCTION}:prod"}]
    changed = voice.update_sip_media_application(SipMediaApplicationId=id_, Endpoints=endpoints)["SipMediaApplication"]
    assert (changed["Name"], changed["Endpoints"]) == ("other", endpoints)
    elsewhere = [{"LambdaArn": FUNCTION.replace("us-east-1", "us-west-2")}]
    with pytest.raises(voice.exceptions.BadRequestException, match="must be of us-east-1"):
        voice.update_sip_media_application(SipMediaApplicationId=id_, Endpoints=elsewhere)


def test_a_deleted_application_is_gone(voice: Any) -> None:
    id_ = create(voice)["SipMediaApplicationId"]
    answer = voice.delete_sip_media_application(SipMediaApplicationId=id_)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.get_sip_media_application(SipMediaApplicationId=id_)
    assert voice.list_sip_media_applications()["SipMediaApplications"] == []


def test_applications_are_listed_in_pages(voice: Any) -> None:
    """The model has a paginator for them."""
    created = [create(voice, f"application {number}") for number in range(5)]
    pages = list(voice.get_paginator("list_sip_media_applications").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["SipMediaApplications"]) for page in pages] == [2, 2, 1]
    assert [application for page in pages for application in page["SipMediaApplications"]] == created


def test_nothing_is_logged_of_an_application_until_it_is_asked_for(voice: Any) -> None:
    id_ = create(voice)["SipMediaApplicationId"]
    key = "SipMediaApplicationLoggingConfiguration"
    known = voice.get_sip_media_application_logging_configuration(SipMediaApplicationId=id_)
    assert known[key] == {"EnableSipMediaApplicationMessageLogs": False}
    wanted = {"EnableSipMediaApplicationMessageLogs": True}
    put = voice.put_sip_media_application_logging_configuration(SipMediaApplicationId=id_, **{key: wanted})
    assert put[key] == wanted
    assert voice.get_sip_media_application_logging_configuration(SipMediaApplicationId=id_)[key] == wanted
    assert key not in voice.get_sip_media_application(SipMediaApplicationId=id_)["SipMediaApplication"]


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get_sip_media_application", {}),
        ("update_sip_media_application", {"Name": "other"}),
        ("delete_sip_media_application", {}),
        ("get_sip_media_application_logging_configuration", {}),
        ("put_sip_media_application_logging_configuration", {}),
    ],
)
def test_an_application_that_is_not_there_is_not_found(voice: Any, operation: str, asked: dict[str, object]) -> None:
    with pytest.raises(
        voice.exceptions.NotFoundException, match="Could not find SipMediaApplication with Id 'aaaaaaaa"
    ):
        getattr(voice, operation)(SipMediaApplicationId=UNKNOWN, **asked)


def test_profile_aws_has_thirty_applications(aws_voice: Any) -> None:
    """The quota that AWS publishes for an account."""
    for number in range(30):
        create(aws_voice, f"application {number}", ("us-east-1", "us-west-2")[number % 2])
    with pytest.raises(
        aws_voice.exceptions.ResourceLimitExceededException, match="There are 30 SIP media applications"
    ):
        create(aws_voice)


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("create_sip_media_application_call", {"FromPhoneNumber": "+12065550100", "ToPhoneNumber": "+12065550101"}),
        ("update_sip_media_application_call", {"TransactionId": UNKNOWN, "Arguments": {}}),
    ],
)
def test_calls_of_applications_are_refused_in_words(voice: Any, operation: str, asked: dict[str, object]) -> None:
    id_ = create(voice)["SipMediaApplicationId"]
    with pytest.raises(voice.exceptions.ForbiddenException, match="voiceconnector does not emulate "):
        getattr(voice, operation)(SipMediaApplicationId=id_, **asked)
