"""Policy documents: what they allow, against a slow oracle of the rules, and what is refused when they are read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.control.managed_policies import ATTACHABLE, managed_policy
from voiceconnector.control.policies import Policy, Verdict, policy, verdict
from voiceconnector.control.service import Service
from voiceconnector.trunk.tables import ShapeError

PATH = "http.access_keys[0].Policies[0]"
ARN = "arn:aws:chime:us-east-1:111122223333:vc/abcdef1ghij2klmno3pqr4"
HERE = {"aws:sourceip": ("203.0.113.7",)}


def no_file(name: str) -> str:
    raise ValueError(f"there is no file {name}")


def read(*statements: Mapping[str, Any], name: str = PATH) -> Policy:
    return policy({"Version": "2012-10-17", "Statement": list(statements)}, name, no_file)


def allowed(found: Policy, action: str, resource: str = "*") -> bool:
    return verdict([found], action, resource, HERE).allowed


# What they allow


def test_nothing_is_allowed_by_default() -> None:
    assert verdict([], "chime:GetVoiceConnector", ARN, HERE) == Verdict(False)


def test_an_action_is_allowed_whatever_its_case() -> None:
    found = read({"Effect": "Allow", "Action": "chime:getVoiceConnector", "Resource": "*"})
    assert allowed(found, "chime:GetVoiceConnector", ARN)
    assert not allowed(found, "chime:GetVoiceConnectorGroup")


def test_a_deny_outweighs_every_allow_and_says_where_it_stands() -> None:
    everything = read({"Effect": "Allow", "Action": "*", "Resource": "*"}, name="everything")
    nothing = read({"Sid": "NoDeletes", "Effect": "Deny", "Action": "chime:Delete*", "Resource": "*"}, name="nothing")
    for order in ([everything, nothing], [nothing, everything]):
        assert verdict(order, "chime:DeleteVoiceConnector", ARN, HERE) == Verdict(False, "nothing", "NoDeletes")
        assert verdict(order, "chime:GetVoiceConnector", ARN, HERE).allowed


def test_not_action_and_not_resource_mean_all_the_others() -> None:
    found = read({"Effect": "Allow", "NotAction": ["chime:Delete*", "chime:Put*"], "NotResource": f"{ARN[:-1]}*"})
    assert allowed(found, "chime:GetVoiceConnector", ARN.replace("abc", "xyz"))
    assert not allowed(found, "chime:PutVoiceConnectorTermination", ARN.replace("abc", "xyz"))
    assert not allowed(found, "chime:GetVoiceConnector", ARN)


def test_an_arn_does_not_cover_what_is_on_no_resource() -> None:
    found = read({"Effect": "Allow", "Action": "chime:*", "Resource": "arn:aws:chime:*:*:vc/*"})
    assert allowed(found, "chime:GetVoiceConnector", ARN)
    assert not allowed(found, "chime:ListVoiceConnectors", "*")


def test_a_statement_whose_condition_does_not_hold_says_nothing() -> None:
    office = {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    found = read(
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": office},
    )
    assert verdict([found], "chime:GetAccount", "*", HERE).allowed
    assert not verdict([found], "chime:GetAccount", "*", {"aws:sourceip": ("198.51.100.1",)}).allowed


ACTIONS = ("chime:GetVoiceConnector", "chime:ListVoiceConnectors", "chime:DeleteVoiceConnector", "s3:GetObject")
RESOURCES = ("*", ARN, ARN.replace("abc", "xyz"))
ACTION_GLOBS = ("*", "chime:*", "chime:Get*", "chime:*VoiceConnector?", "chime:?etVoiceConnector", "S3:get*", *ACTIONS)
RESOURCE_GLOBS = ("*", "arn:aws:chime:*:*:vc/*", f"{ARN[:-1]}?", *RESOURCES)


def some(globs: tuple[str, ...]) -> st.SearchStrategy[str | list[str]]:
    one = st.sampled_from(globs)
    return st.one_of(one, st.lists(one, min_size=1, max_size=3))


@st.composite
def statement(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(some(ACTION_GLOBS)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(some(RESOURCE_GLOBS)),
    }


def glob(pattern: str, text: str) -> bool:
    """Whether a pattern is a text, told as slowly and plainly as can be."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return glob(pattern[1:], text) or (bool(text) and glob(pattern, text[1:]))
    return bool(text) and pattern[0] in ("?", text[0]) and glob(pattern[1:], text[1:])


def covers(entry: Mapping[str, Any], key: str, text: str) -> bool:
    inverted = f"Not{key}" in entry
    globs = entry[f"Not{key}" if inverted else key]
    if key == "Action":
        globs = globs.lower() if isinstance(globs, str) else [one.lower() for one in globs]
    return any(glob(one, text) for one in ([globs] if isinstance(globs, str) else globs)) != inverted


@given(
    st.lists(st.lists(statement(), min_size=1, max_size=4), max_size=3),
    st.sampled_from(ACTIONS),
    st.sampled_from(RESOURCES),
)
def test_policies_allow_what_the_rules_say(documents: list[list[dict[str, Any]]], action: str, resource: str) -> None:
    effects = {
        entry["Effect"]
        for document in documents
        for entry in document
        if covers(entry, "Action", action.lower()) and covers(entry, "Resource", resource)
    }
    expected = "Allow" in effects and "Deny" not in effects
    found = verdict([read(*document) for document in documents], action, resource, HERE)
    assert found.allowed is expected
    assert bool(found.policy) is bool(effects)


# What is read

PLAIN = {"Effect": "Allow", "Action": "chime:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({**PLAIN, "Effect": "Permit"}, f"{PATH}.Statement[0].Effect = 'Permit': must be Allow or Deny"),
        ({"Action": "*", "Resource": "*"}, f"{PATH}.Statement[0].Effect is missing"),
        ({"Effect": "Allow", "Resource": "*"}, f"{PATH}.Statement[0].Action is missing, and NotAction is too"),
        ({**PLAIN, "NotAction": "s3:*"}, f"{PATH}.Statement[0].Action must not come with NotAction"),
        ({"Effect": "Allow", "Action": "*"}, f"{PATH}.Statement[0].Resource is missing, and NotResource is too"),
        ({**PLAIN, "Action": []}, f"{PATH}.Statement[0].Action must have a value"),
        ({**PLAIN, "Action": ["chime:*", "GetUser"]}, f"{PATH}.Statement[0].Action[1] = 'GetUser': must be an action"),
        ({**PLAIN, "Resource": "vc/abc"}, f"{PATH}.Statement[0].Resource = 'vc/abc': must be an ARN"),
        ({**PLAIN, "Resource": "arn:aws:chime:*:*:vc/${aws:username}"}, "must not have a policy variable"),
        ({**PLAIN, "Principal": "*"}, f"{PATH}.Statement[0].Principal must not be there"),
        ({**PLAIN, "Resources": "*"}, f"{PATH}.Statement[0].Resources is an unknown key; did you mean Resource?"),
        ({**PLAIN, "Condition": {"Is": {"aws:x": "1"}}}, f"{PATH}.Statement[0].Condition.Is is no condition"),
    ],
)  # fmt: skip
def test_a_statement_that_is_not_understood_is_refused_with_its_path(statement: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        read(statement)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"Version": "2012-10-17"}, f"{PATH}.Statement is missing"),
        ({"Version": "2026-01-01", "Statement": PLAIN}, "Version = '2026-01-01': must be 2012-10-17 or 2008-10-17"),
        ({"Statement": [1]}, f"{PATH}.Statement[0] = 1: must be a table"),
        (
            "{nonsense",
            "must be a policy document, as a table, JSON text or the path of a JSON file: Expecting property",
        ),
        ("[" * 100_000, "there is no file"),
        ('{"a":' * 100_000, "is nested too deeply"),
        ("policy.json", f"{PATH} = 'policy.json': there is no file policy.json"),
        (5, f"{PATH} = 5: must be a table"),
    ],
)
def test_a_document_that_is_none_is_refused_with_its_path(document: object, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        policy(document, PATH, no_file)
    assert message in str(caught.value)


def test_a_document_comes_as_a_table_as_json_or_in_a_file(tmp_path: Path) -> None:
    document = {"Version": "2012-10-17", "Id": "mine", "Statement": PLAIN}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    for written in (document, json.dumps(document), str(file)):
        assert allowed(policy(written, PATH, lambda name: Path(name).read_text()), "chime:GetAccount")


def test_a_statement_without_sid_is_named_for_its_place() -> None:
    found = read({"Effect": "Deny", "Action": "*", "Resource": "*"})
    assert verdict([found], "chime:GetAccount", "*", HERE).statement == f"{PATH}.Statement[0]"


# Managed policies

OPERATIONS = tuple(Service.load().operations.values())


def test_full_access_allows_every_operation() -> None:
    """Guide of 2018, p. 17: "Full access for Amazon Chime administrators"."""
    full = managed_policy("AmazonChimeFullAccess")
    assert all(allowed(full, f"chime:{operation.name}") for operation in OPERATIONS)
    assert not allowed(full, "kinesisvideo:GetMedia")


def test_read_only_allows_what_only_reads() -> None:
    """Guide of 2018, p. 17: "Read-only access to the console", with its example of a policy."""
    read_only = managed_policy("AmazonChimeReadOnly")
    example = """ListAccounts GetAccount GetAccountSettings ListUsers GetUser GetUserByEmail ListAccountUsageReportData
        ListDomains GetDomain ListGroups ListDirectories GetAccountResource"""
    assert all(allowed(read_only, f"chime:{action}") for action in example.split())
    assert {operation.name for operation in OPERATIONS if allowed(read_only, f"chime:{operation.name}")} == {
        operation.name for operation in OPERATIONS if operation.method == "GET"
    }


def test_user_management_manages_users_and_reads_the_account() -> None:
    """Guide of 2018, p. 17: "Full user management capabilities and read-only access to account settings"."""
    users = managed_policy("AmazonChimeUserManagement")
    for action in ("ListUsers", "BatchSuspendUser", "ResetPersonalPIN", "LogoutUser", "GetAccount"):
        assert allowed(users, f"chime:{action}")
    for action in ("DeleteAccount", "CreateVoiceConnector", "PutVoiceConnectorTermination", "CreateAccount"):
        assert not allowed(users, f"chime:{action}")


def test_the_sdk_policy_is_for_meetings() -> None:
    """Guide of 2022, p. 11-12."""
    sdk = managed_policy("arn:aws:iam::aws:policy/AmazonChimeSDK")
    assert allowed(sdk, "chime:CreateMeeting")
    assert allowed(sdk, "chime:TagResource", ARN)
    assert not allowed(sdk, "chime:GetVoiceConnector", ARN)


@pytest.mark.parametrize(
    "name",
    [
        "AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
        "arn:aws:iam::aws:policy/aws-service-role/AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
        "AmazonChimeSDKMediaPipelinesServiceLinkedRolePolicy",
    ],
)
def test_the_policy_of_a_service_linked_role_cannot_be_attached(name: str) -> None:
    """Guide of 2022, p. 12: "You can't attach … to your IAM entities"."""
    with pytest.raises(ValueError, match="cannot be attached"):
        managed_policy(name)


@pytest.mark.parametrize("name", ["AmazonS3FullAccess", "", 5, "arn:aws:iam::111122223333:policy/Mine"])
def test_other_managed_policies_are_refused_with_those_that_are_known(name: object) -> None:
    with pytest.raises(ValueError, match=", ".join(ATTACHABLE)):
        managed_policy(name)
