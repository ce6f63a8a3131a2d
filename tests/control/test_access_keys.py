"""Who may use the API, as the configuration says: what is read, and what is refused with the place it stands at."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from voiceconnector.config import Config, ConfigError, load
from voiceconnector.description import describe

KEY = 'AccessKeyId = "AKIAIOSFODNN7EXAMPLE"\nSecretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"\n'
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
ACCOUNT = "111122223333"


def read(folder: Path, written: str, *settings: str, **environment: str) -> Config:
    file = folder / "lab.toml"
    file.write_text(written)
    return load(file, settings, environment)


def entry(folder: Path, written: str, auth: str = "enforce") -> Config:
    return read(folder, f'[http]\nauth = "{auth}"\n[[http.access_keys]]\n{KEY}{written}')


def refusal(folder: Path, written: str, auth: str = "enforce") -> str:
    with pytest.raises(ConfigError) as caught:
        entry(folder, written, auth)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_the_api_is_open_unless_something_else_is_configured(tmp_path: Path) -> None:
    assert read(tmp_path, "").access.auth == "open"
    assert read(tmp_path, '[http]\naddress = "127.0.0.1:0"').access.auth == "open"


@pytest.mark.parametrize("auth", ["verify", "enforce"])
def test_to_verify_signatures_takes_an_access_key(tmp_path: Path, auth: str) -> None:
    with pytest.raises(ConfigError, match=f'http.access_keys is missing: with http.auth = "{auth}", nobody gets in'):
        read(tmp_path, f'[http]\nauth = "{auth}"')


def test_a_key_is_a_users_or_a_roles_or_the_root_users(tmp_path: Path) -> None:
    user = entry(tmp_path, 'UserName = "alice"').access.keys[0]
    assert (user.kind, user.arn(ACCOUNT)) == ("IAMUser", "arn:aws:iam::111122223333:user/alice")
    assert user.principal_id(ACCOUNT).startswith("AIDA")
    role = entry(tmp_path, 'SessionToken = "t"\nRoleName = "Deploy"\nRoleSessionName = "ci"').access.keys[0]
    assert (role.kind, role.arn(ACCOUNT)) == ("AssumedRole", "arn:aws:sts::111122223333:assumed-role/Deploy/ci")
    assert role.identity_arn(ACCOUNT) == "arn:aws:iam::111122223333:role/Deploy"
    assert role.principal_id(ACCOUNT).startswith("AROA")
    assert role.principal_id(ACCOUNT).endswith(":ci")
    root = entry(tmp_path, "").access.keys[0]
    assert (root.kind, root.arn(ACCOUNT)) == ("Root", "arn:aws:iam::111122223333:root")
    assert root.principal_id(ACCOUNT) == ACCOUNT


def test_the_principal_id_of_a_name_is_the_same_at_each_start_and_another_for_each_name(tmp_path: Path) -> None:
    ids = [entry(tmp_path, f'UserName = "{name}"').access.keys[0].principal_id(ACCOUNT) for name in ("a", "a", "b")]
    assert ids[0] == ids[1] != ids[2]


def test_temporary_credentials_are_written_as_sts_prints_them(tmp_path: Path) -> None:
    ends = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    for written in ('"2026-12-31T23:59:59+00:00"', "2026-12-31T23:59:59Z", '"2026-12-31T23:59:59"'):
        key = entry(tmp_path, f'SessionToken = "t"\nExpiration = {written}').access.keys[0]
        assert (key.session_token, key.expiration) == ("t", ends)


def test_policies_are_managed_ones_and_documents_as_tables_as_json_and_in_files(tmp_path: Path) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "chime:Delete*", "Resource": "*"}]}
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(document))
    table = '{ Version = "2012-10-17", Statement = { Effect = "Allow", Action = "chime:*", Resource = "*" } }'
    written = f"""
UserName = "alice"
ManagedPolicies = ["AmazonChimeReadOnly"]
Policies = [{table}, '{json.dumps(document)}', '{file}']
"""
    assert [policy.name for policy in entry(tmp_path, written).access.keys[0].policies] == [
        "arn:aws:iam::aws:policy/AmazonChimeReadOnly",
        *(f"http.access_keys[0].Policies[{index}]" for index in range(3)),
    ]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('RoleName = "Deploy"', "http.access_keys[0].RoleName must come with http.access_keys[0].SessionToken"),
        (
            'SessionToken = "t"\nRoleName = "Deploy"\nUserName = "alice"',
            "http.access_keys[0].RoleName must not come with http.access_keys[0].UserName",
        ),
        ('RoleSessionName = "ci"', "http.access_keys[0].RoleSessionName must come with http.access_keys[0].RoleName"),
        ("Expiration = 2026-12-31", "must be a date and time"),
        ('Expiration = "soon"', "http.access_keys[0].Expiration = 'soon': must be a date and time"),
        ('Expiration = "2026-12-31"', "http.access_keys[0].Expiration must come with http.access_keys[0].SessionToken"),
        ('ManagedPolicies = ["AmazonChimeReadOnly"]', "as the root user of an account has no policies"),
        ("Policies = []", "as the root user of an account has no policies"),
        ('UserName = "a b"', "http.access_keys[0].UserName = 'a b': must be 1 to 64 letters"),
        (
            'UserName = "a"\nManagedPolicies = ["Mine"]',
            "http.access_keys[0].ManagedPolicies[0] = 'Mine': must be one of",
        ),
        ('UserName = "a"\nPolicies = ["absent.json"]', "= 'absent.json': must be a policy document as JSON, or a file"),
        ('SecretKey = "x"', "http.access_keys[0].SecretKey is an unknown key; did you mean SecretAccessKey?"),
        ('SessionToken = "a secret"', "http.access_keys[0].SessionToken (not shown): must be 1 to 4096 printable"),
    ],
)
def test_an_entry_that_is_none_is_refused_with_its_place(tmp_path: Path, written: str, message: str) -> None:
    assert message in refusal(tmp_path, written)


def test_two_entries_have_two_ids(tmp_path: Path) -> None:
    message = refusal(tmp_path, f"[[http.access_keys]]\n{KEY}")
    assert "http.access_keys[1].AccessKeyId is that of http.access_keys[0] already" in message


def test_a_mistake_in_a_policy_is_found_in_its_line(tmp_path: Path) -> None:
    written = """UserName = "alice"
[[http.access_keys.Policies]]
Version = "2012-10-17"
[[http.access_keys.Policies.Statement]]
Effect = "Allow"
Action = "chime:*"
Resource = "*"
[http.access_keys.Policies.Statement.Condition.StringMatches]
"aws:username" = "a*"
"""
    where = "http.access_keys[0].Policies[0].Statement[0].Condition.StringMatches"
    assert f"lab.toml:13: {where} is no condition operator that is emulated" in refusal(tmp_path, written)


def test_keys_come_from_the_environment(tmp_path: Path) -> None:
    prefix = "VOICECONNECTOR_HTTP__ACCESS_KEYS__0__"
    environment = {f"{prefix}ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", f"{prefix}SECRET_ACCESS_KEY": "12345"}
    config = read(tmp_path, "", VOICECONNECTOR_HTTP__AUTH="verify", **environment)
    assert config.access.keys[0].secret_access_key == "12345"


def test_no_secret_is_shown(tmp_path: Path) -> None:
    config = entry(tmp_path, 'SessionToken = "token-of-mine"\nUserName = "alice"')
    shown = repr(config) + describe(config)
    assert SECRET not in shown
    assert "token-of-mine" not in shown
    assert "AWS API for access keys, by their policies: AKIAIOSFODNN7EXAMPLE (alice)" in shown
