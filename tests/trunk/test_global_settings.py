"""Where call detail records go (guide p. 76), and which names a bucket may have (Amazon S3's user guide)."""

import pytest

from voiceconnector.trunk.global_settings import (
    BusinessCallingSettings,
    GlobalSettings,
    VoiceConnectorSettings,
    bucket_name,
    cdr_bucket,
    global_settings,
    settings_of,
)
from voiceconnector.trunk.model import EMPTY
from voiceconnector.trunk.profile import Profile
from voiceconnector.trunk.shapes import shape_of

LAB = Profile.named("lab")
AWS = Profile.named("aws")


@pytest.mark.parametrize(
    ("settings", "table"),
    [
        (
            GlobalSettings(
                voice_connector=VoiceConnectorSettings("vc-cdrs"), business_calling=BusinessCallingSettings("bc-cdrs")
            ),
            {
                "Scope": "account",
                "VoiceConnector": {"CdrBucket": "vc-cdrs"},
                "BusinessCalling": {"CdrBucket": "bc-cdrs"},
            },
        ),
        (GlobalSettings(voice_connector=VoiceConnectorSettings()), {"Scope": "account", "VoiceConnector": {}}),
        (GlobalSettings(), {"Scope": "account"}),
    ],
)
def test_settings_are_read_field_for_field(settings: GlobalSettings, table: dict[str, object]) -> None:
    assert global_settings(table, "") == settings
    assert shape_of(settings) == table


def test_until_a_bucket_is_named_the_profile_decides() -> None:
    """Guide p. 76: "Before you can configure call detail record settings … you must first create" a bucket."""
    assert settings_of(EMPTY) == GlobalSettings()
    business = EMPTY.after([GlobalSettings(business_calling=BusinessCallingSettings("bc-cdrs"))])
    for snapshot in (EMPTY, business):
        assert cdr_bucket(snapshot, AWS) is None
        assert cdr_bucket(snapshot, LAB) == "voiceconnector-cdrs"


@pytest.mark.parametrize("profile", [LAB, AWS])
def test_logging_can_be_configured_and_stopped(profile: Profile) -> None:
    configured = EMPTY.after([GlobalSettings(voice_connector=VoiceConnectorSettings("vc-cdrs"))])
    assert cdr_bucket(configured, profile) == "vc-cdrs"
    stopped = configured.after([GlobalSettings(voice_connector=VoiceConnectorSettings())])
    assert cdr_bucket(stopped, profile) is None


@pytest.mark.parametrize("name", ["abc", "your-cdr-bucket", "logs.example.com", "1-2", "a" * 63, "1.2.3.4.5"])
def test_these_are_names_of_buckets(name: str) -> None:
    assert bucket_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "ab",
        "a" * 64,
        "Upper",
        "under_score",
        "-abc",
        "abc-",
        ".abc",
        "abc.",
        "a..b",
        "../x",
        "a/b",
        "192.168.5.4",
        3,
    ],
)
def test_these_are_none(name: object) -> None:
    with pytest.raises(ValueError, match="the name of an S3 bucket"):
        bucket_name(name)
