"""Users of Amazon Chime accounts through boto3's `chime` client: the tasks of the 2018 guide, p. 10-13.

What users do themselves (accept, sign in) goes through the rules that the console's routes use.
"""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.control.cloud import START, Cloud
from tests.control.test_accounts import NOBODY
from voiceconnector.control import chime_sign_in
from voiceconnector.control.context import Control
from voiceconnector.trunk.account_model import Account, Directory, DirectoryGroup, DirectoryUser, Domain, User
from voiceconnector.trunk.model import PhoneNumber, Snapshot
from voiceconnector.trunk.store import Store

MARY, RICHARD = "mary.major@example.com", "richard.roe@example.net"
CREATED = datetime.fromtimestamp(START, UTC)
DAY = 86_400.0
NUMBER = "+12065550100"


@pytest.fixture
def account_id(chime: Any) -> str:
    """A team account."""
    id_: str = chime.create_account(Name="example-account")["Account"]["AccountId"]
    return id_


def accept(cloud: Cloud, email: str, **asked: object) -> Any:
    """The user of an address chooses Accept in the e-mail."""

    def done(control: Any) -> Any:
        users = control.store.snapshot.all(User).values()
        (invite_id,) = (user.invite_id for user in users if user.primary_email == email)
        return chime_sign_in.accept_invite(control, {"invite_id": invite_id}, asked)

    return cloud.do(done)


def sign_in(cloud: Cloud, email: str, **asked: object) -> Any:
    return cloud.do(lambda control: chime_sign_in.sign_in(control, {}, {"Email": email, **asked}))


def join(cloud: Cloud, chime: Any, account_id: str, email: str = MARY) -> str:
    """A user who was invited and has accepted; the id."""
    chime.invite_users(AccountId=account_id, UserEmailList=[email])
    id_: str = accept(cloud, email, DisplayName=email.partition("@")[0])["UserId"]
    return id_


def make_enterprise(cloud: Cloud, account_id: str, **more: Any) -> None:
    """Example.com is claimed and verified."""
    cloud.commit(Account(account_id, "example-account", domains=(Domain("example.com", "t", START),), **more))


def user(chime: Any, account_id: str, user_id: str) -> Any:
    return chime.get_user(AccountId=account_id, UserId=user_id)["User"]


def emails(answer: Any) -> list[str]:
    return [user["PrimaryEmail"] for user in answer["Users"]]


# Invitations


def test_invited_users_are_pending_until_they_accept(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 3-4, 10."""
    answer = chime.invite_users(AccountId=account_id, UserEmailList=[MARY, RICHARD])
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert [(each["EmailAddress"], each["Status"], each["EmailStatus"]) for each in answer["Invites"]] == [
        (MARY, "Pending", "Sent"),
        (RICHARD, "Pending", "Sent"),
    ]
    (mary, richard) = chime.list_users(AccountId=account_id)["Users"]
    assert mary == {
        "UserId": mary["UserId"],
        "AccountId": account_id,
        "PrimaryEmail": MARY,
        "LicenseType": "Plus",
        "UserType": "PrivateUser",
        "UserRegistrationStatus": "Unregistered",
        "UserInvitationStatus": "Pending",
        "InvitedOn": CREATED,
        "AlexaForBusinessMetadata": {"IsAlexaForBusinessEnabled": False},
    }
    cloud.clock.now += 60
    accept(cloud, MARY, DisplayName="Major, Mary")
    accepted = user(chime, account_id, mary["UserId"])
    assert accepted == mary | {
        "DisplayName": "Major, Mary",
        "LicenseType": "ProTrial",
        "UserRegistrationStatus": "Registered",
        "UserInvitationStatus": "Accepted",
        "RegisteredOn": CREATED + timedelta(seconds=60),
        "PersonalPIN": accepted["PersonalPIN"],
    }
    assert user(chime, account_id, richard["UserId"]) == richard


def test_who_is_invited_again_keeps_the_invitation(chime: Any, account_id: str) -> None:
    first, again, twice = (
        invite["InviteId"]
        for emails in ([MARY], [MARY, MARY.upper()])
        for invite in chime.invite_users(AccountId=account_id, UserEmailList=emails)["Invites"]
    )
    assert first == again == twice
    assert len(chime.list_users(AccountId=account_id)["Users"]) == 1


def test_an_invitation_fails_for_users_of_this_or_another_account_and_holds_up_no_other(
    cloud: Cloud, chime: Any, account_id: str
) -> None:
    join(cloud, chime, account_id)
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    failed, sent = ("Failed", "NotSent"), ("Pending", "Sent")
    for inviting, expected in ((account_id, [failed, sent]), (other, [failed, failed])):
        invites = chime.invite_users(AccountId=inviting, UserEmailList=[MARY, RICHARD])["Invites"]
        assert [(each["Status"], each["EmailStatus"]) for each in invites] == expected
    assert emails(chime.list_users(AccountId=account_id)) == [MARY, RICHARD]
    assert emails(chime.list_users(AccountId=other)) == []


def test_more_than_50_addresses_and_what_is_no_address_are_refused(chime: Any, account_id: str) -> None:
    for emails in ([f"user{index}@example.com" for index in range(51)], ["example.com"]):
        with pytest.raises(chime.exceptions.BadRequestException):
            chime.invite_users(AccountId=account_id, UserEmailList=emails)


def test_an_enterprise_account_does_not_invite(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 12: its users join by themselves."""
    make_enterprise(cloud, account_id)
    with pytest.raises(chime.exceptions.BadRequestException, match="only team accounts invite"):
        chime.invite_users(AccountId=account_id, UserEmailList=[MARY])


def test_shared_devices_can_be_invited_and_listed_by_their_type(chime: Any, account_id: str) -> None:
    chime.invite_users(AccountId=account_id, UserEmailList=[MARY])
    chime.invite_users(AccountId=account_id, UserEmailList=["room@example.com"], UserType="SharedDevice")
    assert emails(chime.list_users(AccountId=account_id, UserType="SharedDevice")) == ["room@example.com"]
    assert emails(chime.list_users(AccountId=account_id, UserType="PrivateUser")) == [MARY]


# Creating, finding


def test_a_shared_device_is_created_and_registered_at_once(chime: Any, account_id: str) -> None:
    answer = chime.create_user(AccountId=account_id, Email="roomdevice@example.com", UserType="SharedDevice")
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 201
    device = answer["User"]
    assert (device["UserType"], device["UserRegistrationStatus"], device["RegisteredOn"], device["LicenseType"]) == (
        "SharedDevice",
        "Registered",
        CREATED,
        "Plus",
    )
    assert "UserInvitationStatus" not in device
    assert user(chime, account_id, device["UserId"]) == device


def test_a_person_who_is_created_registers_by_signing_in(cloud: Cloud, chime: Any, account_id: str) -> None:
    created = chime.create_user(AccountId=account_id, Email=MARY, Username="Mary")["User"]
    assert (created["UserRegistrationStatus"], created["DisplayName"]) == ("Unregistered", "Mary")
    sign_in(cloud, MARY)
    assert user(chime, account_id, created["UserId"])["UserRegistrationStatus"] == "Registered"


def test_a_user_without_name_and_address_is_refused(chime: Any, account_id: str) -> None:
    with pytest.raises(chime.exceptions.BadRequestException, match="Email or a Username"):
        chime.create_user(AccountId=account_id)


def test_an_address_is_used_once(cloud: Cloud, chime: Any, account_id: str) -> None:
    chime.create_user(AccountId=account_id, Email=MARY)
    with pytest.raises(chime.exceptions.ConflictException, match="already"):
        chime.create_user(AccountId=account_id, Email=MARY.title())
    make_enterprise(cloud, account_id)
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    with pytest.raises(chime.exceptions.ConflictException, match="belongs to another account"):
        chime.create_user(AccountId=other, Email="jane.doe@example.com")


def test_a_user_is_found_by_the_e_mail_address(chime: Any, account_id: str) -> None:
    """P. 10; this was GetUserByEmail in 2018."""
    chime.invite_users(AccountId=account_id, UserEmailList=[MARY, RICHARD])
    assert emails(chime.list_users(AccountId=account_id, UserEmail="Mary.Major@Example.com")) == [MARY]
    assert emails(chime.list_users(AccountId=account_id, UserEmail="jane.doe@example.com")) == []


def test_users_come_in_pages_also_when_some_leave_in_between(chime: Any, account_id: str) -> None:
    invited = [f"user{index}@example.com" for index in range(5)]
    chime.invite_users(AccountId=account_id, UserEmailList=invited)
    first = chime.list_users(AccountId=account_id, MaxResults=2)
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[each["UserId"] for each in first["Users"][:1]])
    second = chime.list_users(AccountId=account_id, MaxResults=2, NextToken=first["NextToken"])
    third = chime.list_users(AccountId=account_id, MaxResults=2, NextToken=second["NextToken"])
    assert emails(first) + emails(second) + emails(third) == invited
    assert "NextToken" not in third


def test_a_user_of_another_account_is_not_found(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    with pytest.raises(chime.exceptions.NotFoundException, match=f"Could not find User with Id '{user_id}'"):
        user(chime, other, user_id)


@pytest.mark.parametrize(
    ("operation", "asked"),
    [
        ("get_user", {}),
        ("update_user", {"LicenseType": "Pro"}),
        ("reset_personal_pin", {}),
        ("logout_user", {}),
        ("get_user_settings", {}),
        (
            "update_user_settings",
            {"UserSettings": {"Telephony": {"InboundCalling": True, "OutboundCalling": True, "SMS": True}}},
        ),
        ("associate_phone_number_with_user", {"E164PhoneNumber": NUMBER}),
        ("disassociate_phone_number_from_user", {}),
    ],
)
def test_a_user_or_account_that_is_not_there_is_not_found(
    chime: Any, account_id: str, operation: str, asked: dict[str, Any]
) -> None:
    for account, what in ((account_id, "User"), (NOBODY, "Account")):
        with pytest.raises(chime.exceptions.NotFoundException, match=f"Could not find {what} with Id '{NOBODY}'"):
            getattr(chime, operation)(AccountId=account, UserId=NOBODY, **asked)


# Licences


def test_a_trial_lasts_30_days_from_the_registration(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 13."""
    user_id = join(cloud, chime, account_id)
    cloud.clock.now += 30 * DAY - 1
    assert user(chime, account_id, user_id)["LicenseType"] == "ProTrial"
    cloud.clock.now += 1
    assert user(chime, account_id, user_id)["LicenseType"] == "Plus"


def test_a_trial_ends_when_the_administrator_changes_the_licence(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 13."""
    user_id = join(cloud, chime, account_id)
    changed = chime.update_user(AccountId=account_id, UserId=user_id, LicenseType="Pro")["User"]
    assert changed["LicenseType"] == "Pro"
    assert chime.update_user(AccountId=account_id, UserId=user_id, LicenseType="Plus")["User"]["LicenseType"] == "Plus"


def test_a_trial_goes_on_when_something_else_is_changed(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    alexa = {"IsAlexaForBusinessEnabled": True, "AlexaForBusinessRoomArn": "arn:aws:a4b:us-east-1:1:room/x/y"}
    changed = chime.update_user(AccountId=account_id, UserId=user_id, AlexaForBusinessMetadata=alexa)["User"]
    assert (changed["LicenseType"], changed["AlexaForBusinessMetadata"]) == ("ProTrial", alexa)


def test_a_trial_cannot_be_assigned(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    with pytest.raises(chime.exceptions.BadRequestException, match="choose Basic, Plus or Pro"):
        chime.update_user(AccountId=account_id, UserId=user_id, LicenseType="ProTrial")


def test_licences_are_assigned_to_many_users_and_errors_are_told_by_user(
    cloud: Cloud, chime: Any, account_id: str
) -> None:
    """P. 11: "Select the check boxes for the users and then choose User actions, Assign user license"."""
    mary, richard = join(cloud, chime, account_id), join(cloud, chime, account_id, RICHARD)
    wanted = [(mary, "Pro"), (NOBODY, "Pro"), (richard, "ProTrial")]
    answer = chime.batch_update_user(
        AccountId=account_id, UpdateUserRequestItems=[{"UserId": id_, "LicenseType": kind} for id_, kind in wanted]
    )
    assert [(error["UserId"], error["ErrorCode"]) for error in answer["UserErrors"]] == [
        (NOBODY, "NotFound"),
        (richard, "BadRequest"),
    ]
    assert all(error["ErrorMessage"] for error in answer["UserErrors"])
    assert [each["LicenseType"] for each in chime.list_users(AccountId=account_id)["Users"]] == ["Pro", "ProTrial"]


def test_more_than_20_updates_or_50_suspensions_at_a_time_are_refused(chime: Any, account_id: str) -> None:
    with pytest.raises(chime.exceptions.BadRequestException):
        chime.batch_update_user(AccountId=account_id, UpdateUserRequestItems=[{"UserId": NOBODY}] * 21)
    for operation in (chime.batch_suspend_user, chime.batch_unsuspend_user):
        with pytest.raises(chime.exceptions.BadRequestException):
            operation(AccountId=account_id, UserIdList=[NOBODY] * 51)


def test_groups_of_the_directory_decide_licences_and_the_api_cannot(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 8, 11: who is in both groups has Pro; p. 13: only members of the group of Plus have a trial."""
    people = {"mary": ("staff",), "richard": ("staff", "managers"), "jane": ("managers",)}
    members = tuple(DirectoryUser(name, name, f"{name}@example.com", groups=groups) for name, groups in people.items())
    cloud.commit(Directory("d-0123456789", "corp.example.com", members))
    groups = (DirectoryGroup("staff", "Plus"), DirectoryGroup("managers", "Pro"))
    make_enterprise(cloud, account_id, directory_id="d-0123456789", groups=groups)
    ids = {name: sign_in(cloud, f"{name}@example.com")["UserId"] for name in people}

    def licences() -> dict[str, str]:
        return {name: user(chime, account_id, id_)["LicenseType"] for name, id_ in ids.items()}

    assert licences() == {"mary": "ProTrial", "richard": "Pro", "jane": "Pro"}
    cloud.clock.now += 30 * DAY
    assert licences() == {"mary": "Plus", "richard": "Pro", "jane": "Pro"}
    with pytest.raises(chime.exceptions.BadRequestException, match="groups of the directory d-0123456789 decide"):
        chime.update_user(AccountId=account_id, UserId=ids["mary"], LicenseType="Pro")
    with pytest.raises(chime.exceptions.BadRequestException, match="disable users in d-0123456789"):
        chime.batch_suspend_user(AccountId=account_id, UserIdList=[ids["mary"]])


# Suspension


def test_who_is_removed_from_a_team_account_goes_on_as_a_free_user(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 12: "The user can still access Amazon Chime, but is no longer a paid member"."""
    user_id = join(cloud, chime, account_id)
    chime.update_user(AccountId=account_id, UserId=user_id, LicenseType="Pro")
    answer = chime.batch_suspend_user(AccountId=account_id, UserIdList=[user_id, NOBODY])
    assert [(error["UserId"], error["ErrorCode"]) for error in answer["UserErrors"]] == [(NOBODY, "NotFound")]
    assert chime.list_users(AccountId=account_id)["Users"] == []
    signed_in = sign_in(cloud, MARY)
    assert (signed_in["UserId"], signed_in["AccountId"], signed_in["License"]) == (user_id, None, "Basic")


def test_who_was_removed_can_be_invited_again_and_has_no_second_trial(
    cloud: Cloud, chime: Any, account_id: str
) -> None:
    user_id = join(cloud, chime, account_id)
    pin = user(chime, account_id, user_id)["PersonalPIN"]
    cloud.clock.now += 20 * DAY
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[user_id])
    cloud.clock.now += 20 * DAY
    chime.invite_users(AccountId=account_id, UserEmailList=[MARY])
    accept(cloud, MARY)
    again = user(chime, account_id, user_id)
    assert (again["LicenseType"], again["RegisteredOn"], again["PersonalPIN"]) == ("Plus", CREATED, pin)


def test_a_suspended_user_of_an_enterprise_account_cannot_sign_in_until_activated(
    cloud: Cloud, chime: Any, account_id: str
) -> None:
    """P. 12."""
    make_enterprise(cloud, account_id)
    user_id = sign_in(cloud, MARY)["UserId"]
    assert chime.batch_suspend_user(AccountId=account_id, UserIdList=[user_id])["UserErrors"] == []
    assert user(chime, account_id, user_id)["UserRegistrationStatus"] == "Suspended"
    with pytest.raises(Exception, match="has suspended this user"):
        sign_in(cloud, MARY)
    answer = chime.batch_unsuspend_user(AccountId=account_id, UserIdList=[user_id, user_id, NOBODY])
    assert [(error["UserId"], error["ErrorCode"]) for error in answer["UserErrors"]] == [(NOBODY, "NotFound")]
    assert user(chime, account_id, user_id)["UserRegistrationStatus"] == "Registered"
    assert sign_in(cloud, MARY)["SignedIn"]


def test_users_of_a_team_account_cannot_be_unsuspended(chime: Any, account_id: str) -> None:
    with pytest.raises(chime.exceptions.BadRequestException, match="InviteUsers"):
        chime.batch_unsuspend_user(AccountId=account_id, UserIdList=[NOBODY])


# PIN, devices, settings


def test_a_personal_pin_has_ten_digits_and_a_reset_gives_another(cloud: Cloud, chime: Any, account_id: str) -> None:
    """P. 11-13."""
    user_id = join(cloud, chime, account_id)
    before = user(chime, account_id, user_id)
    after = chime.reset_personal_pin(AccountId=account_id, UserId=user_id)["User"]
    assert len(before["PersonalPIN"]) == len(after["PersonalPIN"]) == 10
    assert before["PersonalPIN"].isdecimal()
    assert after == before | {"PersonalPIN": after["PersonalPIN"]} != before
    assert user(chime, account_id, user_id) == after


def test_who_has_not_registered_has_no_pin_to_reset(chime: Any, account_id: str) -> None:
    chime.invite_users(AccountId=account_id, UserEmailList=[MARY])
    (invited,) = chime.list_users(AccountId=account_id)["Users"]
    with pytest.raises(chime.exceptions.BadRequestException, match="has not registered yet"):
        chime.reset_personal_pin(AccountId=account_id, UserId=invited["UserId"])


def test_a_user_is_signed_out_of_all_devices(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    sign_in(cloud, MARY)
    assert cloud.control.store.snapshot.all(User)[user_id].signed_in
    answer = chime.logout_user(AccountId=account_id, UserId=user_id)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert not cloud.control.store.snapshot.all(User)[user_id].signed_in


def test_telephony_settings_are_replaced_as_a_whole(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    allowed = {"InboundCalling": True, "OutboundCalling": True, "SMS": True}
    answer = chime.get_user_settings(AccountId=account_id, UserId=user_id)
    assert answer["UserSettings"] == {"Telephony": allowed}
    settings = {"Telephony": {"InboundCalling": True, "OutboundCalling": False, "SMS": False}}
    answer = chime.update_user_settings(AccountId=account_id, UserId=user_id, UserSettings=settings)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert chime.get_user_settings(AccountId=account_id, UserId=user_id)["UserSettings"] == settings


# Phone numbers


def test_a_number_for_business_calling_is_a_users_until_it_is_taken_back(
    cloud: Cloud, chime: Any, account_id: str
) -> None:
    user_id = join(cloud, chime, account_id)
    cloud.commit(PhoneNumber(NUMBER, "BusinessCalling"))
    answer = chime.associate_phone_number_with_user(
        AccountId=account_id, UserId=user_id, E164PhoneNumber=NUMBER.removeprefix("+")
    )
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert user(chime, account_id, user_id)["PrimaryProvisionedNumber"] == NUMBER
    (listed,) = chime.list_users(AccountId=account_id)["Users"]
    assert listed["PrimaryProvisionedNumber"] == NUMBER
    chime.disassociate_phone_number_from_user(AccountId=account_id, UserId=user_id)
    assert "PrimaryProvisionedNumber" not in user(chime, account_id, user_id)


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (None, "NotFoundException", "not in the inventory"),
        (PhoneNumber(NUMBER, "BusinessCalling", deletion_due=9e9), "NotFoundException", "in the deletion queue"),
        (PhoneNumber(NUMBER, "VoiceConnector"), "BadRequestException", "is for VoiceConnector"),
        (PhoneNumber(NUMBER, "BusinessCalling", user_id=NOBODY), "BadRequestException", "is associated already"),
    ],
)
def test_a_number_that_is_not_free_cannot_be_given(
    cloud: Cloud, chime: Any, account_id: str, number: PhoneNumber | None, error: str, message: str
) -> None:
    user_id = join(cloud, chime, account_id)
    if number:
        cloud.commit(User(NOBODY, None, RICHARD), number)
    with pytest.raises(getattr(chime.exceptions, error), match=message) as caught:
        chime.associate_phone_number_with_user(AccountId=account_id, UserId=user_id, E164PhoneNumber=NUMBER)
    assert NUMBER not in str(caught.value)


def test_a_user_has_one_number(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    with pytest.raises(chime.exceptions.BadRequestException, match="has no phone number"):
        chime.disassociate_phone_number_from_user(AccountId=account_id, UserId=user_id)
    cloud.commit(PhoneNumber(NUMBER, "BusinessCalling"), PhoneNumber("+12065550101", "BusinessCalling"))
    chime.associate_phone_number_with_user(AccountId=account_id, UserId=user_id, E164PhoneNumber=NUMBER)
    with pytest.raises(chime.exceptions.BadRequestException, match="has a phone number"):
        chime.associate_phone_number_with_user(AccountId=account_id, UserId=user_id, E164PhoneNumber="+12065550101")


def test_the_number_of_a_user_who_is_removed_stays_in_the_inventory(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    cloud.commit(PhoneNumber(NUMBER, "BusinessCalling"))
    chime.associate_phone_number_with_user(AccountId=account_id, UserId=user_id, E164PhoneNumber=NUMBER)
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[user_id])
    assert cloud.control.store.snapshot.all(PhoneNumber)[NUMBER].user_id is None


def test_all_that_is_known_survives_a_restart(cloud: Cloud, chime: Any, account_id: str) -> None:
    user_id = join(cloud, chime, account_id)
    cloud.commit(PhoneNumber(NUMBER, "BusinessCalling"), Directory("d-0123456789", "corp.example.com"))
    chime.associate_phone_number_with_user(AccountId=account_id, UserId=user_id, E164PhoneNumber=NUMBER)
    chime.update_user(AccountId=account_id, UserId=user_id, LicenseType="Pro", UserType="SharedDevice")
    chime.update_account(AccountId=account_id, Name="Any: name (of all), as it may be", DefaultLicense="Basic")
    chime.create_user(AccountId=account_id, Username="\N{SNOWMAN}")
    make_enterprise(cloud, account_id, directory_id="d-0123456789", groups=(DirectoryGroup("staff", "Plus"),))
    cloud.clock.now += 60
    sign_in(cloud, RICHARD, DisplayName="Roe, Richard")

    def reopened(control: Control) -> Snapshot:
        control.store.close()
        with closing(Store(control.store.path.parent, cloud.clock)) as store:
            return store.snapshot

    assert cloud.do(reopened) == cloud.control.store.snapshot
