"""Amazon Chime accounts and what belongs to them: as tables, and referring to nothing that is not there."""

from contextlib import closing
from pathlib import Path

import pytest

from voiceconnector.trunk.account_model import (
    Account,
    Activity,
    AlexaForBusinessMetadata,
    Delegate,
    Directory,
    DirectoryGroup,
    DirectoryUser,
    Domain,
    SupportRequest,
    TelephonySettings,
    User,
    domain_name,
)
from voiceconnector.trunk.kinds import KINDS
from voiceconnector.trunk.model import PhoneNumber, Resource
from voiceconnector.trunk.shapes import shape_of
from voiceconnector.trunk.store import Conflict, Store
from voiceconnector.trunk.tables import ShapeError

ONE, OTHER = (f"{digit * 8}-89ab-4def-8123-456789abcdef" for digit in "01")
DIRECTORY = Directory(
    "d-0123456789",
    "corp.example.com",
    (DirectoryUser("mary", "Major, Mary", "mary.major@example.com", ("mm@example.net",), ("staff",), True),),
)
ACCOUNT = Account(
    ONE,
    "example-account",
    "Pro",
    True,
    True,
    ("office",),
    (Domain("example.com", "0a", 1.5), Domain("example.net", "1b")),
    DIRECTORY.directory_id,
    (DirectoryGroup("staff", "Plus"),),
    (Delegate("444455556666", 1.5, 2.5), Delegate("777788889999", 1.5)),
)
USER = User(
    ONE,
    ONE,
    "mary.major@example.com",
    "Major, Mary",
    "Pro",
    True,
    "SharedDevice",
    OTHER,
    1.5,
    True,
    2.5,
    True,
    True,
    "0123456789",
    "Private",
    AlexaForBusinessMetadata(True, "arn:aws:a4b:us-east-1:1:room/x/y"),
    TelephonySettings(False, False, False),
)
ACTIVITY = Activity(ONE, ONE, 1.5, (ONE,), True, 3, 1)
REQUEST = SupportRequest(ONE, "Nobody hears me.\nSince today.", "09:15 PST", "4.10", "a1b2", "0123456789")
NUMBER = PhoneNumber("+12065550100", "BusinessCalling", user_id=ONE)
ALL = (DIRECTORY, ACCOUNT, USER, ACTIVITY, REQUEST, NUMBER)


@pytest.mark.parametrize(
    "resource", [*ALL, User(OTHER, None, None), Account(OTHER, "x")], ids=lambda r: type(r).__name__
)
def test_a_table_is_read_back_as_what_it_was_written_from(resource: Resource) -> None:
    (read,) = (kind.read for kind in KINDS if kind.type is type(resource))
    assert read(shape_of(resource), "") == resource


def test_keys_are_those_of_aws() -> None:
    shape = shape_of(USER)
    assert (shape["PersonalPIN"], shape["PrimaryEmail"]) == ("0123456789", "mary.major@example.com")
    assert shape["Telephony"] == {"InboundCalling": False, "OutboundCalling": False, "SMS": False}


def test_what_a_user_is_called_and_reached_at_is_in_no_text_of_errors_or_logs() -> None:
    for secret in ("mary.major@example.com", "Major", "0123456789", "arn:aws:a4b"):
        assert secret not in repr(USER)
        assert secret not in repr(DIRECTORY.users)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ({"AccountId": "1", "Name": "x"}, "AccountId = '1': must be a UUID"),
        ({"AccountId": ONE, "Name": " "}, "must be text that is not blank"),
        ({"AccountId": ONE, "Name": "x", "DefaultLicense": "ProTrial"}, "must be Basic, Plus or Pro"),
        ({"AccountId": ONE, "Name": "x", "DirectoryId": "d-1"}, "must be d- and 10 hexadecimal digits"),
        ({"AccountId": ONE, "Name": "x", "Domains": [{"DomainName": "com", "Token": "t"}]}, "Domains[0].DomainName"),
        (
            {"AccountId": ONE, "Name": "x", "Groups": [{"GroupName": "g", "LicenseType": "Basic"}]},
            "must be Plus or Pro",
        ),
        ({"AccountId": ONE, "Name": "x", "Users": []}, "Users is an unknown key"),
    ],
)
def test_a_wrong_table_says_where_and_what(shape: dict[str, object], message: str) -> None:
    (read,) = (kind.read for kind in KINDS if kind.type is Account)
    with pytest.raises(ShapeError) as caught:
        read(shape, "")
    assert message in str(caught.value)


def test_a_domain_is_compared_in_lower_case_without_a_final_dot() -> None:
    assert domain_name("Example.COM.") == "example.com"


@pytest.mark.parametrize("resource", [ACCOUNT, USER, ACTIVITY, NUMBER], ids=lambda r: type(r).__name__)
def test_nothing_refers_to_what_is_not_there(tmp_path: Path, resource: Resource) -> None:
    with closing(Store(tmp_path, lambda: 0.0)) as store:
        with pytest.raises(Conflict, match="refers to the"):
            store.commit(resource)
        store.commit(*ALL)
        for target in (DIRECTORY, ACCOUNT, USER):
            with pytest.raises(Conflict, match=f"refers to the {type(target).__name__}"):
                store.commit(remove=[target])
        store.commit(remove=ALL)
