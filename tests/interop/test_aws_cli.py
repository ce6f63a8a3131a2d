"""The guide's own tasks with the aws CLI, as `voiceconnector aws` runs it, and an export of what came of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.emulator import ROOT, Emulator, new_place, running_emulator, wait_for
from tests.interop.peers import program

pytestmark = pytest.mark.interop

CONFIGURATION = """
[http]
address = "127.0.0.1:8060"
[regions.us-east-1]
udp = "127.0.0.1:5060"
[regions.us-west-2]
udp = "127.0.0.2:5060"
[pstn]
address = "127.0.0.3:5070"
[overrides]
phone_number_order_seconds = 0
"""
FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:answer"
REFUSED, MISUSED = {255, 254}, {2, 252}
"""Exit codes, of version 1 and of version 2."""


class Cli:
    """The aws CLI of somebody who has neither credentials nor a Region."""

    def __init__(self, emulator: Emulator, home: Path) -> None:
        self._url = emulator.url
        mine = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "VOICECONNECTOR_"))}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self._environment = mine | {"HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)}

    def run(self, operation: str, *options: str, service: str = "chime-sdk-voice") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "voiceconnector", "aws", "--url", self._url, "--output", "json"]
        return subprocess.run(
            [*command, service, operation, *options],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def __call__(self, operation: str, *options: str, service: str = "chime-sdk-voice") -> Any:
        """What the CLI prints, which must not fail."""
        done = self.run(operation, *options, service=service)
        assert done.returncode == 0, f"{operation}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    yield from running_emulator(CONFIGURATION, new_place(), tmp_path_factory.mktemp("aws"))


@pytest.fixture(scope="module")
def aws(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    if not (Path(sys.executable).parent / "aws").exists():
        program("aws")
    return Cli(emulator, tmp_path_factory.mktemp("home"))


def connector(aws: Cli, name: str, *options: str) -> str:
    made = aws("create-voice-connector", "--name", name, "--no-require-encryption", *options)
    return str(made["VoiceConnector"]["VoiceConnectorId"])


def ordered(aws: Cli, number: str, product_type: str) -> None:
    """Order a number, and wait until it is there (guide p. 39)."""
    order = aws("create-phone-number-order", "--product-type", product_type, "--e164-phone-numbers", number)
    id_ = order["PhoneNumberOrder"]["PhoneNumberOrderId"]

    def status() -> bool:
        shown = aws("get-phone-number-order", "--phone-number-order-id", id_)["PhoneNumberOrder"]
        return bool(shown["Status"] == "Successful")

    wait_for(f"the order of {number}", status)


def test_a_trunk_is_configured_from_nothing(aws: Cli) -> None:
    """Guide p. 60-63: create a Voice Connector, its termination, credentials and origination."""
    id_ = connector(aws, "lab", "--aws-region", "us-west-2")
    there = ("--voice-connector-id", id_)
    termination = {"CpsLimit": 1, "CallingRegions": ["US"], "CidrAllowedList": ["192.0.2.0/27"], "Disabled": False}
    assert aws("put-voice-connector-termination", *there, "--termination", json.dumps(termination)) == {
        "Termination": termination
    }
    credentials = "Username=pbx,Password=secret-of-the-pbx"
    assert aws("put-voice-connector-termination-credentials", *there, "--credentials", credentials) is None
    assert aws("list-voice-connector-termination-credentials", *there) == {"Usernames": ["pbx"]}
    origination = {"Routes": [{"Host": "192.0.2.7", "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 5}]}
    put = aws("put-voice-connector-origination", *there, "--origination", json.dumps(origination))
    assert put["Origination"]["Routes"] == origination["Routes"]
    shown = aws("get-voice-connector", *there)["VoiceConnector"]
    assert shown["OutboundHostName"] == f"{id_}.voiceconnector.chime.aws"


def test_a_number_is_ordered_assigned_named_deleted_and_restored(aws: Cli) -> None:
    """Guide p. 39-40, 56-59; the id of a number as the CLI's own examples have it is taken too."""
    number, id_ = "+12065550123", connector(aws, "numbers")
    ordered(aws, number, "VoiceConnector")
    there = ("--voice-connector-id", id_, "--e164-phone-numbers", number)
    assert aws("associate-phone-numbers-with-voice-connector", *there) == {"PhoneNumberErrors": []}
    shown = aws("get-phone-number", "--phone-number-id", number)["PhoneNumber"]
    assert [(each["Name"], each["Value"]) for each in shown["Associations"]] == [("VoiceConnectorId", id_)]
    named = aws("update-phone-number", "--phone-number-id", "%2B12065550123", "--calling-name", "Front Desk")
    assert named["PhoneNumber"]["CallingName"] == "Front Desk"
    refused = aws.run("delete-phone-number", "--phone-number-id", number)
    assert refused.returncode in REFUSED
    assert "(BadRequestException)" in refused.stderr
    assert aws("disassociate-phone-numbers-from-voice-connector", *there) == {"PhoneNumberErrors": []}
    assert aws("delete-phone-number", "--phone-number-id", number) is None
    assert aws("get-phone-number", "--phone-number-id", number)["PhoneNumber"]["DeletionTimestamp"]
    restored = aws("restore-phone-number", "--phone-number-id", number)["PhoneNumber"]
    assert (restored["Status"], restored.get("DeletionTimestamp")) == ("Unassigned", None)


def test_a_group_takes_its_connectors_in_order(aws: Cli) -> None:
    """Guide p. 64-66."""
    first, second = connector(aws, "first"), connector(aws, "second", "--aws-region", "us-west-2")
    items = [{"VoiceConnectorId": first, "Priority": 1}, {"VoiceConnectorId": second, "Priority": 2}]
    made = aws("create-voice-connector-group", "--name", "both", "--voice-connector-items", json.dumps(items))
    group = made["VoiceConnectorGroup"]
    assert group["VoiceConnectorItems"] == items
    refused = aws.run("delete-voice-connector", "--voice-connector-id", first)
    assert refused.returncode in REFUSED
    assert "(ConflictException)" in refused.stderr
    there = ("--voice-connector-group-id", group["VoiceConnectorGroupId"])
    aws("update-voice-connector-group", *there, "--name", "none", "--voice-connector-items", "[]")
    assert aws("delete-voice-connector-group", *there) is None


def test_a_sip_rule_sends_a_number_s_calls_to_an_application(aws: Cli) -> None:
    """Guide p. 70-75."""
    ordered(aws, "+12065550199", "SipMediaApplicationDialIn")
    made = aws(
        "create-sip-media-application",
        "--name", "answer", "--aws-region", "us-east-1", "--endpoints", f"LambdaArn={FUNCTION}",
        "--tags", "Key=team,Value=voice",
    )["SipMediaApplication"]  # fmt: skip
    application = made["SipMediaApplicationId"]
    assert aws("list-tags-for-resource", "--resource-arn", made["SipMediaApplicationArn"])["Tags"] == [
        {"Key": "team", "Value": "voice"}
    ]
    rule = aws(
        "create-sip-rule",
        "--name", "front-desk", "--trigger-type", "ToPhoneNumber", "--trigger-value", "+12065550199",
        "--target-applications", f"SipMediaApplicationId={application},Priority=1,AwsRegion=us-east-1",
    )["SipRule"]["SipRuleId"]  # fmt: skip
    assert [each["SipRuleId"] for each in aws("list-sip-rules")["SipRules"]] == [rule]
    shown = aws("get-phone-number", "--phone-number-id", "+12065550199")["PhoneNumber"]
    assert [(each["Name"], each["Value"]) for each in shown["Associations"]] == [("SipRuleId", rule)]
    assert "(ConflictException)" in aws.run("delete-sip-rule", "--sip-rule-id", rule).stderr
    aws("update-sip-rule", "--sip-rule-id", rule, "--name", "front-desk", "--disabled")
    assert aws("delete-sip-rule", "--sip-rule-id", rule) is None
    assert aws("delete-sip-media-application", "--sip-media-application-id", application) is None


def test_streaming_is_started_and_stopped(aws: Cli) -> None:
    """Guide p. 17, 66-68."""
    there = ("--voice-connector-id", connector(aws, "streaming"))
    configuration = {
        "DataRetentionInHours": 24,
        "Disabled": False,
        "StreamingNotificationTargets": [{"NotificationTarget": "EventBridge"}],
    }
    put = ("put-voice-connector-streaming-configuration", *there, "--streaming-configuration")
    assert aws(*put, json.dumps(configuration))["StreamingConfiguration"] == configuration
    assert aws("delete-voice-connector-streaming-configuration", *there) is None
    gone = aws.run("get-voice-connector-streaming-configuration", *there)
    assert "(NotFoundException)" in gone.stderr


def test_the_cli_s_own_refusals_come_through(aws: Cli) -> None:
    missing = aws.run("get-voice-connector")
    assert missing.returncode in MISUSED
    assert "--voice-connector-id" in missing.stderr


def test_what_the_cli_has_made_is_exported_and_imported_elsewhere(aws: Cli, emulator: Emulator, tmp_path: Path) -> None:
    connector(aws, "exported")
    exported = emulator.command("export", "--with-secrets")
    assert exported.returncode == 0, exported.stderr
    assert 'Name = "exported"' in exported.stdout
    file, copy = tmp_path / "lab.toml", tmp_path / "copy"
    file.write_text(exported.stdout)
    command = [sys.executable, "-m", "voiceconnector"]
    subprocess.run([*command, "import", str(file), "--data-dir", str(copy)], cwd=ROOT, timeout=60, check=True)
    again = subprocess.run(
        [*command, "export", "--with-secrets", "--data-dir", str(copy)],
        cwd=ROOT, timeout=60, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert again.stdout == exported.stdout
