"""Amazon Chime accounts through boto3's `chime` client: the tasks of the 2018 guide, p. 5-6, and their refusals."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

from tests.control.cloud import ACCOUNT_ID, START, Cloud
from voiceconnector.trunk.account_model import Account, Domain, User

CREATED = datetime.fromtimestamp(START, UTC)
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
NOBODY = "01234567-89ab-4def-8123-456789abcdef"


def create(chime: Any, name: str = "example-account") -> Any:
    return chime.create_account(Name=name)["Account"]


def names(answer: Any) -> list[str]:
    return [account["Name"] for account in answer["Accounts"]]


def test_there_is_no_account_until_an_administrator_creates_one(chime: Any) -> None:
    assert names(chime.list_accounts()) == []


def test_a_new_account_is_a_team_account(chime: Any) -> None:
    """P. 2: "The new account has the account type Team"; p. 3: users get Plus by default."""
    answer = chime.create_account(Name="example-account")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    account = answer["Account"]
    assert re.fullmatch(UUID, account["AccountId"])
    assert account == {
        "AwsAccountId": ACCOUNT_ID,
        "AccountId": account["AccountId"],
        "Name": "example-account",
        "AccountType": "Team",
        "CreatedTimestamp": CREATED,
        "DefaultLicense": "Plus",
        "SupportedLicenses": ["Basic", "Plus", "Pro"],
        "AccountStatus": "Active",
        "SigninDelegateGroups": [],
    }
    assert chime.get_account(AccountId=account["AccountId"])["Account"] == account


def test_unique_names_are_not_enforced(chime: Any) -> None:
    """P. 2."""
    assert create(chime)["AccountId"] != create(chime)["AccountId"]


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_name_is_1_to_100_characters_and_not_blank(cloud: Cloud, name: str) -> None:
    chime = cloud.client("chime")
    with pytest.raises((chime.exceptions.BadRequestException, ParamValidationError)):
        chime.create_account(Name=name)


def test_an_account_is_found_by_the_beginning_of_its_name(chime: Any) -> None:
    for name in ("sales", "sales EMEA", "support"):
        create(chime, name)
    assert names(chime.list_accounts(Name="sales")) == ["sales", "sales EMEA"]
    assert names(chime.list_accounts(Name="ales")) == []


def test_the_account_of_a_user_is_found_by_the_e_mail_address(chime: Any) -> None:
    """P. 6: "search for specific users across all of your accounts using their email address"."""
    for name, email in (("one", "mary.major@example.com"), ("two", "richard.roe@example.net")):
        account_id = create(chime, name)["AccountId"]
        chime.invite_users(AccountId=account_id, UserEmailList=[email])
    assert names(chime.list_accounts(UserEmail="Richard.Roe@example.net")) == ["two"]
    assert names(chime.list_accounts(UserEmail="jane.doe@example.com")) == []
    assert names(chime.list_accounts(UserEmail="richard.roe@example.net", Name="one")) == []


def test_accounts_come_in_pages_in_the_order_of_their_creation(chime: Any) -> None:
    created = [create(chime, f"account {index}")["Name"] for index in range(7)]
    pages = list(chime.get_paginator("list_accounts").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Accounts"]) for page in pages] == [3, 3, 1]
    assert [name for page in pages for name in names(page)] == created


def test_a_token_that_no_list_has_given_is_refused(chime: Any) -> None:
    with pytest.raises(chime.exceptions.BadRequestException, match="NextToken"):
        chime.list_accounts(NextToken="?")


def test_an_account_is_renamed(chime: Any) -> None:
    """P. 6."""
    account = create(chime)
    changed = chime.update_account(AccountId=account["AccountId"], Name="example-team")["Account"]
    assert changed == account | {"Name": "example-team"}
    assert chime.get_account(AccountId=account["AccountId"])["Account"] == changed


def test_the_default_licence_is_that_of_users_who_are_invited_from_then_on(chime: Any) -> None:
    account_id = create(chime)["AccountId"]
    chime.invite_users(AccountId=account_id, UserEmailList=["mary.major@example.com"])
    assert chime.update_account(AccountId=account_id, DefaultLicense="Pro")["Account"]["DefaultLicense"] == "Pro"
    chime.invite_users(AccountId=account_id, UserEmailList=["richard.roe@example.com"])
    users = chime.list_users(AccountId=account_id)["Users"]
    assert [user["LicenseType"] for user in users] == ["Plus", "Pro"]


def test_a_trial_is_no_default_licence(chime: Any) -> None:
    account_id = create(chime)["AccountId"]
    with pytest.raises(chime.exceptions.BadRequestException, match="ProTrial cannot be assigned"):
        chime.update_account(AccountId=account_id, DefaultLicense="ProTrial")


def test_settings_are_off_until_they_are_changed_one_by_one(chime: Any) -> None:
    """P. 6, the Policies page."""
    account_id = create(chime)["AccountId"]

    def settings() -> Any:
        return chime.get_account_settings(AccountId=account_id)["AccountSettings"]

    assert settings() == {"DisableRemoteControl": False, "EnableDialOut": False}
    answer = chime.update_account_settings(AccountId=account_id, AccountSettings={"DisableRemoteControl": True})
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert settings() == {"DisableRemoteControl": True, "EnableDialOut": False}
    chime.update_account_settings(AccountId=account_id, AccountSettings={"EnableDialOut": True})
    assert settings() == {"DisableRemoteControl": True, "EnableDialOut": True}


def test_an_account_without_users_can_be_deleted(chime: Any) -> None:
    account_id = create(chime)["AccountId"]
    answer = chime.delete_account(AccountId=account_id)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert names(chime.list_accounts()) == []
    with pytest.raises(chime.exceptions.NotFoundException):
        chime.get_account(AccountId=account_id)


def test_an_account_can_be_deleted_after_all_its_users_were_removed(chime: Any) -> None:
    """P. 6."""
    account_id = create(chime)["AccountId"]
    chime.invite_users(AccountId=account_id, UserEmailList=["mary.major@example.com", "richard.roe@example.com"])
    with pytest.raises(chime.exceptions.UnprocessableEntityException, match="the account has 2 users; remove them"):
        chime.delete_account(AccountId=account_id)
    user_ids = [user["UserId"] for user in chime.list_users(AccountId=account_id)["Users"]]
    chime.batch_suspend_user(AccountId=account_id, UserIdList=user_ids)
    chime.delete_account(AccountId=account_id)


def test_an_enterprise_account_is_deleted_after_its_domains_and_its_suspended_users_with_it(
    cloud: Cloud, chime: Any
) -> None:
    """P. 6."""
    account_id = create(chime)["AccountId"]
    cloud.commit(Account(account_id, "example-account", domains=(Domain("example.com", "t", 1.0),)))
    cloud.commit(User(NOBODY, account_id, "mary.major@example.com", suspended=True, registered_on=1.0))
    with pytest.raises(chime.exceptions.UnprocessableEntityException, match=r"has claimed example\.com"):
        chime.delete_account(AccountId=account_id)
    cloud.commit(Account(account_id, "example-account"))
    chime.delete_account(AccountId=account_id)
    assert not cloud.control.store.snapshot.all(User)


def test_sign_in_delegate_groups_are_associated_once_and_disassociated(chime: Any) -> None:
    account_id = create(chime)["AccountId"]
    for names_ in (["admins", "assistants"], ["assistants", "office"]):
        answer = chime.associate_signin_delegate_groups_with_account(
            AccountId=account_id, SigninDelegateGroups=[{"GroupName": name} for name in names_]
        )
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    groups = chime.get_account(AccountId=account_id)["Account"]["SigninDelegateGroups"]
    assert groups == [{"GroupName": "admins"}, {"GroupName": "assistants"}, {"GroupName": "office"}]
    chime.disassociate_signin_delegate_groups_from_account(AccountId=account_id, GroupNames=["admins", "office"])
    groups = chime.get_account(AccountId=account_id)["Account"]["SigninDelegateGroups"]
    assert groups == [{"GroupName": "assistants"}]


def test_a_delegate_group_must_have_a_name_and_be_associated_to_be_disassociated(chime: Any) -> None:
    account_id = create(chime)["AccountId"]
    with pytest.raises(chime.exceptions.BadRequestException, match="GroupName"):
        chime.associate_signin_delegate_groups_with_account(AccountId=account_id, SigninDelegateGroups=[{}])
    with pytest.raises(chime.exceptions.NotFoundException, match="no sign-in delegate group 'office'"):
        chime.disassociate_signin_delegate_groups_from_account(AccountId=account_id, GroupNames=["office"])


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get_account", {}),
        ("update_account", {"Name": "other"}),
        ("delete_account", {}),
        ("get_account_settings", {}),
        ("update_account_settings", {"AccountSettings": {}}),
        ("associate_signin_delegate_groups_with_account", {"SigninDelegateGroups": []}),
        ("disassociate_signin_delegate_groups_from_account", {"GroupNames": ["x"]}),
        ("list_users", {}),
        ("invite_users", {"UserEmailList": []}),
        ("create_user", {"Username": "x"}),
        ("batch_update_user", {"UpdateUserRequestItems": []}),
        ("batch_suspend_user", {"UserIdList": []}),
        ("batch_unsuspend_user", {"UserIdList": []}),
    ],
)
def test_an_account_that_is_not_there_is_not_found(chime: Any, operation: str, asked: dict[str, Any]) -> None:
    with pytest.raises(chime.exceptions.NotFoundException, match=f"Could not find Account with Id '{NOBODY}'"):
        getattr(chime, operation)(AccountId=NOBODY, **asked)
