"""Global settings through boto3's clients of `chime-sdk-voice` and `chime` (guide p. 76)."""

from typing import Any

import pytest

from tests.control.cloud import Cloud
from voiceconnector.trunk.global_settings import cdr_bucket


def settings(client: Any) -> Any:
    shown = client.get_global_settings()
    del shown["ResponseMetadata"]
    return shown


def test_profile_lab_has_a_bucket_from_the_start(cloud: Cloud, voice: Any) -> None:
    assert settings(voice) == {"VoiceConnector": {"CdrBucket": "voiceconnector-cdrs"}}


def test_profile_aws_has_none_until_it_is_configured(aws_cloud: Cloud, aws_voice: Any) -> None:
    assert settings(aws_voice) == {}
    answer = aws_voice.update_global_settings(VoiceConnector={"CdrBucket": "your-cdr-bucket"})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert "content-type" not in answer["ResponseMetadata"]["HTTPHeaders"]
    assert settings(aws_voice) == {"VoiceConnector": {"CdrBucket": "your-cdr-bucket"}}
    assert cdr_bucket(aws_cloud.control.store.snapshot, aws_cloud.control.profile) == "your-cdr-bucket"


@pytest.mark.parametrize("nothing", [{}, {"CdrBucket": ""}])
def test_records_are_stopped_by_settings_without_a_bucket(cloud: Cloud, nothing: dict[str, str]) -> None:
    """Terraform destroys its resource so, and takes an answer without VoiceConnector for the end of it."""
    chime = cloud.client("chime")
    chime.update_global_settings(VoiceConnector=nothing)
    assert settings(chime) == {}
    assert cdr_bucket(cloud.control.store.snapshot, cloud.control.profile) is None
    chime.update_global_settings()
    assert settings(chime) == {}


def test_business_calling_has_a_bucket_of_its_own(cloud: Cloud, voice: Any) -> None:
    """AWS's example of update-global-settings: only `chime` knows BusinessCalling."""
    chime = cloud.client("chime")
    chime.update_global_settings(BusinessCalling={"CdrBucket": "s3bucket"})
    shown = {"BusinessCalling": {"CdrBucket": "s3bucket"}, "VoiceConnector": {"CdrBucket": "voiceconnector-cdrs"}}
    assert settings(chime) == shown
    voice.update_global_settings(VoiceConnector={"CdrBucket": "another"})
    assert settings(chime)["BusinessCalling"] == {"CdrBucket": "s3bucket"}
    chime.update_global_settings(BusinessCalling={}, VoiceConnector={"CdrBucket": "both"})
    assert settings(chime) == {"VoiceConnector": {"CdrBucket": "both"}}


@pytest.mark.parametrize("name", ["../../etc", "Upper", "a/b", "ab"])
def test_a_name_that_no_bucket_can_have_is_refused(cloud: Cloud, voice: Any, name: str) -> None:
    with pytest.raises(voice.exceptions.BadRequestException, match=r"VoiceConnector.CdrBucket = .*an S3 bucket"):
        voice.update_global_settings(VoiceConnector={"CdrBucket": name})
    chime = cloud.client("chime")
    with pytest.raises(chime.exceptions.BadRequestException, match=r"BusinessCalling.CdrBucket = .*an S3 bucket"):
        chime.update_global_settings(BusinessCalling={"CdrBucket": name})
    assert settings(voice) == {"VoiceConnector": {"CdrBucket": "voiceconnector-cdrs"}}
