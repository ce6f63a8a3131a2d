"""Tags through boto3: on Voice Connectors and SIP media applications, from their creation to their end."""

from typing import Any

import pytest

from tests.control.cloud import ACCOUNT_ID, Cloud
from voiceconnector.trunk.tagging import Tags

OWNER = {"Key": "Owner", "Value": "Jane Doe"}
STAGE = {"Key": "Stage", "Value": ""}


def create(voice: Any, **asked: object) -> tuple[str, str]:
    """Its id and its ARN."""
    connector = voice.create_voice_connector(Name="lab", RequireEncryption=False, **asked)["VoiceConnector"]
    return connector["VoiceConnectorId"], connector["VoiceConnectorArn"]


def create_application(voice: Any, **asked: object) -> tuple[str, str]:
    """The same for a SIP media application."""
    endpoints = [{"LambdaArn": f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:answer"}]
    application = voice.create_sip_media_application(AwsRegion="us-east-1", Name="ivr", Endpoints=endpoints, **asked)
    shown = application["SipMediaApplication"]
    return shown["SipMediaApplicationId"], shown["SipMediaApplicationArn"]


def tags(voice: Any, arn: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = voice.list_tags_for_resource(ResourceARN=arn)["Tags"]
    return listed


def many(count: int) -> list[dict[str, str]]:
    return [{"Key": str(number), "Value": ""} for number in range(count)]


def test_a_connector_is_created_with_tags(voice: Any) -> None:
    _, arn = create(voice, AwsRegion="us-west-2", Tags=[OWNER, STAGE])
    assert tags(voice, arn) == [OWNER, STAGE]


def test_tags_are_added_changed_and_taken_away(cloud: Cloud, voice: Any) -> None:
    id_, arn = create(voice)
    assert tags(voice, arn) == []
    before = voice.get_voice_connector(VoiceConnectorId=id_)["VoiceConnector"]
    cloud.clock.now += 60
    answer = voice.tag_resource(ResourceARN=arn, Tags=[OWNER, STAGE])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    voice.tag_resource(ResourceARN=arn, Tags=[STAGE | {"Value": "test"}])
    assert tags(voice, arn) == [OWNER, STAGE | {"Value": "test"}]
    answer = voice.untag_resource(ResourceARN=arn, TagKeys=["Owner", "Colour"])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert tags(voice, arn) == [STAGE | {"Value": "test"}]
    voice.untag_resource(ResourceARN=arn, TagKeys=["Stage"])
    voice.untag_resource(ResourceARN=arn, TagKeys=["Stage"])
    assert tags(voice, arn) == []
    assert voice.get_voice_connector(VoiceConnectorId=id_)["VoiceConnector"] == before


def test_a_sip_media_application_has_tags_too(cloud: Cloud, voice: Any) -> None:
    id_, arn = create_application(voice, Tags=[OWNER])
    voice.tag_resource(ResourceARN=arn, Tags=[STAGE])
    assert tags(voice, arn) == [OWNER, STAGE]
    voice.untag_resource(ResourceARN=arn, TagKeys=["Owner"])
    assert tags(voice, arn) == [STAGE]
    voice.delete_sip_media_application(SipMediaApplicationId=id_)
    assert not cloud.control.store.snapshot.all(Tags)
    with pytest.raises(voice.exceptions.BadRequestException, match="Two of the tags"):
        create_application(voice, Tags=[OWNER, OWNER])
    assert voice.list_sip_media_applications()["SipMediaApplications"] == []


def test_tags_go_with_their_connector(cloud: Cloud, voice: Any) -> None:
    id_, arn = create(voice, Tags=[OWNER])
    voice.delete_voice_connector(VoiceConnectorId=id_)
    assert not cloud.control.store.snapshot.all(Tags)
    with pytest.raises(voice.exceptions.NotFoundException):
        voice.list_tags_for_resource(ResourceARN=arn)


def test_a_resource_has_fifty_tags_at_most(voice: Any) -> None:
    _, arn = create(voice, Tags=many(50))
    voice.tag_resource(ResourceARN=arn, Tags=many(50))
    with pytest.raises(voice.exceptions.ResourceLimitExceededException, match="51 tags"):
        voice.tag_resource(ResourceARN=arn, Tags=[OWNER])
    with pytest.raises(voice.exceptions.BadRequestException, match="length less than or equal to 50"):
        create(voice, Tags=many(51))
    assert tags(voice, arn) == many(50)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{"Key": "aws:hush", "Value": "hush"}], "must not begin with aws:, which is reserved"),
        ([{"Key": "hush", "Value": "1"}, {"Key": "hush", "Value": "2"}], "Two of the tags have the same key"),
        ([{"Key": "hush" * 33, "Value": "1"}], "length less than or equal to 128"),
        ([{"Key": "1", "Value": "hush" * 65}], "length less than or equal to 256"),
    ],
)
def test_a_wrong_tag_is_refused_without_being_shown(voice: Any, given: list[dict[str, str]], words: str) -> None:
    """The model calls keys and values sensitive."""
    _, arn = create(voice)
    with pytest.raises(voice.exceptions.BadRequestException, match=words) as refused:
        voice.tag_resource(ResourceARN=arn, Tags=given)
    assert "hush" not in str(refused.value)
    with pytest.raises(voice.exceptions.BadRequestException, match=words):
        create(voice, Tags=given)
    assert tags(voice, arn) == []
    assert len(voice.list_voice_connectors()["VoiceConnectors"]) == 1


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:chime:us-east-1:{ACCOUNT_ID}:vc/nosuch",
        f"arn:aws:chime:us-east-1:{ACCOUNT_ID}:sma/01234567-89ab-cdef-0123-456789abcdef",
        f"arn:aws:chime:us-west-2:{ACCOUNT_ID}:vc/<id>",
        "arn:aws:chime:us-east-1:999999999999:vc/<id>",
    ],
)
def test_what_is_not_there_in_this_account_and_region_is_not_found(voice: Any, arn: str) -> None:
    arn = arn.replace("<id>", create(voice)[0])
    for operation, asked in (
        (voice.tag_resource, {"Tags": [OWNER]}),
        (voice.untag_resource, {"TagKeys": ["Owner"]}),
        (voice.list_tags_for_resource, {}),
    ):
        with pytest.raises(voice.exceptions.NotFoundException):
            operation(ResourceARN=arn, **asked)


@pytest.mark.parametrize(
    "arn",
    [
        f"arn:aws:chime:us-east-1:{ACCOUNT_ID}:vcg/abcdef1ghij2klmno3pqr4",
        f"arn:aws:iam::{ACCOUNT_ID}:user/jane",
        "arn:aws:chime:us-east-1:vc/abcdef1ghij2klmno3pqr4",
    ],
)
def test_what_cannot_have_tags_is_an_invalid_resource(voice: Any, arn: str) -> None:
    """The service's own words, as users of Terraform have seen them."""
    with pytest.raises(voice.exceptions.BadRequestException, match="Invalid resource"):
        voice.list_tags_for_resource(ResourceARN=arn)
