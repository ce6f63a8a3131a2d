"""boto3 over real HTTP with access keys: who is let in, what policies allow, and in which words others are refused."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.control.cloud import SESSION, Cloud, Servers, open_cloud
from voiceconnector.control.access_keys import Access, AccessKey, Auth, access
from voiceconnector.control.iam import Guard
from voiceconnector.trunk.tables import Table
from voiceconnector.trunk.tagging import Tag, Tags

SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ARN = "arn:aws:chime:us-east-1:111122223333:vc"
ALICE = "arn:aws:iam::111122223333:user/alice"


@dataclass
class Lab:
    """An API that looks at access keys."""

    cloud: Cloud
    keys: tuple[AccessKey, ...]

    @contextmanager
    def client(self, number: int = 0, service: str = "chime-sdk-voice", **changes: Any) -> Iterator[Any]:
        """A client with one of the access keys, or with some of it changed."""
        key = self.keys[number]
        credentials = {
            "aws_access_key_id": key.access_key_id,
            "aws_secret_access_key": key.secret_access_key,
            "aws_session_token": key.session_token or None,
        }
        client = SESSION.create_client(
            service,
            region_name="us-east-1",
            endpoint_url=self.cloud.url,
            config=Config(retries={"total_max_attempts": 1}, proxies={}, user_agent="engineers-script/1.0"),
            **{**credentials, **changes},
        )
        try:
            yield client
        finally:
            client.close()

    def refusal(self, operation: str, number: int = 0, **asked: Any) -> str:
        """In which words a call is refused: the exception and its message."""
        with self.client(number) as client, pytest.raises(ClientError) as caught:
            getattr(client, operation)(**asked)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        error = caught.value.response["Error"]
        return f"{error['Code']}: {error['Message']}"


@contextmanager
def lab(servers: Servers, folder: Path, auth: Auth, *entries: Mapping[str, Any]) -> Iterator[Lab]:
    """An API with access keys as the configuration has them; each has the same secret."""
    written = [
        {"AccessKeyId": f"AKIAIOSFODNN7EXAMPL{number}", "SecretAccessKey": SECRET, **entry}
        for number, entry in enumerate(entries)
    ]
    found = access(Table({"auth": auth, "access_keys": written}, "http", ("auth", "access_keys")), str)
    guards: list[Guard] = []
    with open_cloud(servers, folder, authorize=lambda call: guards[0].authorize(call)) as cloud:
        cloud.clock.now = time.time()
        guards.append(Guard(found, cloud.control))
        yield Lab(cloud, found.keys)


def allowing(*actions: str, effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """A policy of one statement."""
    return {
        "Version": "2012-10-17",
        "Statement": {"Effect": effect, "Action": actions_of(actions), "Resource": "*", **more},
    }


def actions_of(actions: tuple[str, ...]) -> list[str]:
    return [f"chime:{action}" for action in actions]


def alice(*policies: Mapping[str, Any], managed: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"UserName": "alice", "Policies": list(policies), "ManagedPolicies": list(managed)}


# Open


def test_everybody_is_let_in_where_the_api_is_open(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "open") as opened:
        unknown = AccessKey("AKIAI44QH8DHBEXAMPLE", "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY", session_token="any")
        opened.keys = (unknown,)
        with opened.client() as client:
            assert client.list_voice_connectors()["VoiceConnectors"] == []


def test_who_does_not_sign_is_let_in_where_the_api_is_open(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "open") as opened:
        assert unsigned(opened)[0] == 200


def unsigned(opened: Lab) -> tuple[int, str, bytes]:
    """Status, x-amzn-ErrorType and body of a request as a plain HTTP client sends it."""
    connection = HTTPConnection(opened.cloud.url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/voice-connectors")
        answer = connection.getresponse()
        return answer.status, answer.headers.get("x-amzn-ErrorType", ""), answer.read()
    finally:
        connection.close()


# Verify


def test_who_signs_with_a_configured_key_is_let_in(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "verify", {"UserName": "alice"}, {}) as opened:
        for number in (0, 1):
            with opened.client(number) as client:
                tags = [{"Key": "Büro", "Value": "太郎"}]
                made = client.create_voice_connector(Name=f"lab {number}", RequireEncryption=False, Tags=tags)
                id_ = made["VoiceConnector"]["VoiceConnectorId"]
                assert client.get_voice_connector(VoiceConnectorId=id_)["VoiceConnector"]["VoiceConnectorId"] == id_


def test_temporary_credentials_are_let_in_until_they_end(servers: Servers, tmp_path: Path) -> None:
    """Guide p. 10: "Amazon Chime supports using temporary credentials.\""""
    ends = datetime.now(UTC) + timedelta(hours=1)
    temporary = {"RoleName": "Deploy", "RoleSessionName": "ci", "SessionToken": "FwoGZXIvYXdzE//=="}
    with lab(servers, tmp_path, "verify", temporary | {"Expiration": ends}) as opened:
        with opened.client() as client:
            assert client.list_voice_connectors()["VoiceConnectors"] == []
        opened.cloud.clock.now = ends.timestamp()
        assert opened.refusal("list_voice_connectors").startswith("InvalidSignatureException: Signature expired")
    with lab(servers, tmp_path / "later", "verify", temporary | {"Expiration": datetime.now(UTC)}) as opened:
        assert opened.refusal("list_voice_connectors").startswith(
            "ExpiredTokenException: The security token included in the request is expired"
        )


def test_a_wrong_secret_is_refused(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "verify", {}) as opened:
        with opened.client(aws_secret_access_key="other") as client, pytest.raises(ClientError) as caught:
            client.list_voice_connectors()
        assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"
        assert SECRET not in str(caught.value)


def test_an_unknown_key_is_refused(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "verify", {}) as opened:
        with opened.client(aws_access_key_id="AKIAI44QH8DHBEXAMPLE") as client, pytest.raises(ClientError) as caught:
            client.list_voice_connectors()
        assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


def test_who_does_not_sign_is_refused(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "verify", {}) as opened:
        status, name, body = unsigned(opened)
        assert (status, name) == (403, "MissingAuthenticationTokenException")
        assert b"Missing Authentication Token" in body


def test_a_clock_that_is_wrong_is_refused(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "verify", {}) as opened:
        opened.cloud.clock.now += 3600
        assert opened.refusal("list_voice_connectors").startswith("InvalidSignatureException: Signature expired: ")


def test_policies_do_not_matter_where_only_signatures_are_verified(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "verify", alice(allowing("*", effect="Deny"))) as opened, opened.client() as client:
        assert client.list_voice_connectors()["VoiceConnectors"] == []


# Enforce


def test_what_no_policy_allows_is_refused_in_the_words_of_iam(servers: Servers, tmp_path: Path) -> None:
    """Guide p. 14, and the words that IAM has added since."""
    with lab(servers, tmp_path, "enforce", alice()) as opened:
        assert opened.refusal("create_voice_connector", Name="lab", RequireEncryption=False).startswith(
            f"AccessDeniedException: User: {ALICE} is not authorized to perform: chime:CreateVoiceConnector on "
            "resource: * because no identity-based policy allows the chime:CreateVoiceConnector action"
        )
        assert opened.refusal("get_voice_connector", VoiceConnectorId="abc").startswith(
            f"AccessDeniedException: User: {ALICE} is not authorized to perform: chime:GetVoiceConnector on "
            f"resource: {ARN}/abc because no identity-based policy allows the chime:GetVoiceConnector action"
        )


def test_what_a_policy_denies_is_refused_with_its_name(servers: Servers, tmp_path: Path) -> None:
    nothing_deleted = allowing("Delete*", effect="Deny", Sid="NothingDeleted")
    with lab(servers, tmp_path, "enforce", alice(nothing_deleted, managed=("AmazonChimeFullAccess",))) as opened:
        with opened.client() as client:
            made = client.create_voice_connector(Name="lab", RequireEncryption=False)
        id_ = made["VoiceConnector"]["VoiceConnectorId"]
        assert opened.refusal("delete_voice_connector", VoiceConnectorId=id_) == (
            f"AccessDeniedException: User: {ALICE} is not authorized to perform: chime:DeleteVoiceConnector on "
            f"resource: {ARN}/{id_} with an explicit deny in an identity-based policy: "
            "http.access_keys[0].Policies[0], statement NothingDeleted"
        )


def test_a_reader_reads_and_changes_nothing(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "enforce", alice(managed=("AmazonChimeReadOnly",))) as opened:
        with opened.client() as client:
            assert client.list_voice_connectors()["VoiceConnectors"] == []
        assert "chime:CreateVoiceConnector" in opened.refusal(
            "create_voice_connector", Name="lab", RequireEncryption=False
        )


def test_the_root_user_may_do_all(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "enforce", {}) as opened, opened.client() as client:
        client.create_voice_connector(Name="lab", RequireEncryption=False)


def test_a_role_is_refused_as_its_session(servers: Servers, tmp_path: Path) -> None:
    role = {"RoleName": "Deploy", "RoleSessionName": "ci", "SessionToken": "t"}
    with lab(servers, tmp_path, "enforce", role) as opened:
        assert "User: arn:aws:sts::111122223333:assumed-role/Deploy/ci is not" in opened.refusal(
            "list_voice_connectors"
        )


def test_a_connector_is_allowed_by_its_arn_wherever_the_client_thinks_it_is(servers: Servers, tmp_path: Path) -> None:
    west = "arn:aws:chime:us-west-2:111122223333:vc/*"
    policies = [allowing("CreateVoiceConnector"), allowing("GetVoiceConnector", Resource=west)]
    with lab(servers, tmp_path, "enforce", alice(*policies)) as opened:
        with opened.client() as client:
            made = [
                client.create_voice_connector(Name="lab", RequireEncryption=False, AwsRegion=region)
                for region in ("us-east-1", "us-west-2")
            ]
            east, allowed = (one["VoiceConnector"]["VoiceConnectorId"] for one in made)
            assert client.get_voice_connector(VoiceConnectorId=allowed)
        assert f"on resource: {ARN}/{east} because" in opened.refusal("get_voice_connector", VoiceConnectorId=east)


def test_each_connector_of_a_group_has_to_be_allowed(servers: Servers, tmp_path: Path) -> None:
    mine = allowing("CreateVoiceConnectorGroup", Resource=f"{ARN}/mine")
    items = [{"VoiceConnectorId": id_, "Priority": 1} for id_ in ("mine", "yours")]
    with lab(servers, tmp_path, "enforce", alice(mine)) as opened:
        refusal = opened.refusal("create_voice_connector_group", Name="both", VoiceConnectorItems=items)
        assert f"on resource: {ARN}/yours because" in refusal


def test_a_sip_rule_is_about_the_applications_that_it_leads_to(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "enforce", alice()) as opened:
        target = [{"SipMediaApplicationId": "abc", "Priority": 1, "AwsRegion": "us-east-1"}]
        asked: dict[str, Any] = {
            "Name": "r",
            "TriggerType": "ToPhoneNumber",
            "TriggerValue": "+12065550100",
            "TargetApplications": target,
        }
        refusal = opened.refusal("create_sip_rule", **asked)
        assert "on resource: arn:aws:chime:us-east-1:111122223333:sma/abc because" in refusal


def test_an_application_is_allowed_by_the_arn_of_its_region(servers: Servers, tmp_path: Path) -> None:
    west = "arn:aws:chime:us-west-2:111122223333:sma/*"
    policies = [allowing("CreateSipMediaApplication"), allowing("GetSipMediaApplication", Resource=west)]
    endpoints = [{"LambdaArn": "arn:aws:lambda:us-west-2:111122223333:function:ivr"}]
    with lab(servers, tmp_path, "enforce", alice(*policies)) as opened, opened.client() as client:
        made = client.create_sip_media_application(AwsRegion="us-west-2", Name="ivr", Endpoints=endpoints)
        id_ = made["SipMediaApplication"]["SipMediaApplicationId"]
        assert client.get_sip_media_application(SipMediaApplicationId=id_)


def test_tags_are_on_the_resource_that_they_name(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "enforce", alice()) as opened:
        assert f"on resource: {ARN}/abc because" in opened.refusal("list_tags_for_resource", ResourceARN=f"{ARN}/abc")


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, True),
        ({"DateGreaterThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}, False),
        ({"NumericGreaterThan": {"aws:EpochTime": "1600000000"}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"StringEquals": {"aws:username": "alice"}}, True),
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, True),
        ({"StringEquals": {"aws:PrincipalAccount": "111122223333", "aws:PrincipalType": "User"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/al*"}}, True),
        ({"StringLike": {"aws:userid": "AIDA*"}}, True),
        ({"StringLike": {"aws:UserAgent": "engineers-script/*"}}, True),
        ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, False),
    ],
)
def test_conditions_see_the_request(servers: Servers, tmp_path: Path, condition: dict[str, Any], allowed: bool) -> None:
    with lab(servers, tmp_path, "enforce", alice(allowing("List*", Condition=condition))) as opened:
        if not allowed:
            assert "AccessDeniedException" in opened.refusal("list_voice_connectors")
            return
        with opened.client() as client:
            assert client.list_voice_connectors()["VoiceConnectors"] == []


def test_conditions_see_the_tags_of_a_request(servers: Servers, tmp_path: Path) -> None:
    condition = {
        "StringEquals": {"aws:RequestTag/Team": "voice"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Team", "Stage"]},
    }
    tagging = allowing("CreateVoiceConnector", Condition=condition)
    asked: dict[str, Any] = {"Name": "lab", "RequireEncryption": False}
    with lab(servers, tmp_path, "enforce", alice(tagging)) as opened:
        with opened.client() as client:
            client.create_voice_connector(**asked, Tags=[{"Key": "Team", "Value": "voice"}])
        for tags in ({"Team": "sales"}, {"Stage": "test"}, {"Team": "voice", "Owner": "me"}):
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            assert "AccessDeniedException" in opened.refusal("create_voice_connector", **asked, Tags=listed)


def test_conditions_see_the_tags_of_a_resource(servers: Servers, tmp_path: Path) -> None:
    mine = allowing("GetVoiceConnector", Condition={"StringEquals": {"aws:ResourceTag/Team": "voice"}})
    with lab(servers, tmp_path, "enforce", alice(mine), {}) as opened:
        with opened.client(1) as root:
            made = [root.create_voice_connector(Name="lab", RequireEncryption=False) for _ in range(2)]
        tagged, other = (one["VoiceConnector"]["VoiceConnectorId"] for one in made)
        opened.cloud.commit(Tags(tagged, (Tag("Team", "voice"),)), Tags(other, (Tag("Team", "sales"),)))
        with opened.client() as client:
            assert client.get_voice_connector(VoiceConnectorId=tagged)
        assert "AccessDeniedException" in opened.refusal("get_voice_connector", VoiceConnectorId=other)


def test_temporary_credentials_say_that_no_second_factor_was_there(servers: Servers, tmp_path: Path) -> None:
    needs_factor = allowing("*", effect="Deny", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})
    entry = alice(needs_factor, managed=("AmazonChimeFullAccess",))
    with lab(servers, tmp_path, "enforce", entry, {**entry, "SessionToken": "t"}) as opened:
        with opened.client(0) as client:
            assert client.list_voice_connectors()["VoiceConnectors"] == []
        assert "explicit deny" in opened.refusal("list_voice_connectors", 1)


def test_what_is_not_allowed_is_refused_before_it_is_found_wrong(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "enforce", alice()) as opened:
        assert "AccessDeniedException" in opened.refusal(
            "create_voice_connector", Name="x" * 256, RequireEncryption=True
        )


def test_the_client_of_the_older_service_is_asked_the_same(servers: Servers, tmp_path: Path) -> None:
    with lab(servers, tmp_path, "enforce", alice(managed=("AmazonChimeUserManagement",))) as opened:
        with opened.client(service="chime") as client, pytest.raises(ClientError) as caught:
            client.create_account(Name="lab")
        assert "chime:CreateAccount on resource: *" in str(caught.value)


def test_an_access_without_keys_is_open() -> None:
    assert Access().auth == "open"
