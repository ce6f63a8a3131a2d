"""What the 2018 guide does in its console, over HTTP under `/emulator/chime`: domains, directories, delegates, reports,
support, and what users do themselves. Domains are verified against a name server on loopback."""

import json
import re
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from starlette.applications import Starlette

from tests.control.cloud import ACCOUNT_ID, Cloud
from tests.control.test_accounts import NOBODY
from tests.interop.name_server import NameServer
from voiceconnector.control.api import Call, Outcome
from voiceconnector.control.audit import event
from voiceconnector.control.chime_console import ROUTES
from voiceconnector.control.server import chime_routes
from voiceconnector.dns import Upstream, texts

MARY, RICHARD = "mary.major@example.com", "richard.roe@example.net"
CREATED = "2022-04-15T05:20:00.250Z"
"""When a test begins."""
DAY = 86_400.0
DIRECTORY = "d-0123456789"


class Console:
    """An administrator before the console."""

    def __init__(self, url: str, names: dict[str, list[str]]) -> None:
        self._url = url
        self.names = names
        """The TXT records of each name."""
        self.trail: list[dict[str, Any]] = []
        """What CloudTrail is told."""

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and content."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urlopen(Request(f"{self._url}/emulator/chime{path}", data, method=method), timeout=60) as answer:
                content = answer.read()
                return answer.status, json.loads(content) if content else None
        except HTTPError as error:
            with error:
                return error.code, json.loads(error.read())["message"]

    def do(self, method: str, path: str, body: object = None) -> Any:
        """The content of an answer that is none of an error."""
        status, content = self.ask(method, path, body)
        assert status < 400, content
        return content

    def claim(self, account_id: str, domain: str) -> None:
        """Claim a domain and have it verified."""
        record = self.do("POST", f"/accounts/{account_id}/domains", {"DomainName": domain})["TxtRecord"]
        self.names[record["Name"]] = [record["Value"]]
        verified = self.do("POST", f"/accounts/{account_id}/domains/{domain}/verify")
        assert verified["Status"] == "Verified", verified

    def sign_in(self, email: str, **more: object) -> Any:
        return self.do("POST", "/sign-ins", {"Email": email, **more})


@pytest.fixture(scope="module")
def records() -> Iterator[tuple[NameServer, dict[str, list[str]]]]:
    """A name server, and the TXT records that it has."""
    names: dict[str, list[str]] = {}
    server = NameServer(("127.0.0.1", 0), {}, names)
    yield server, names
    server.close()


@pytest.fixture
def console(cloud: Cloud, records: tuple[NameServer, dict[str, list[str]]]) -> Console:
    server, names = records
    names.clear()
    upstream = Upstream((server.address,))
    console = Console(cloud.url, names)

    def audit(call: Call, outcome: Outcome) -> None:
        console.trail.append(event(call, outcome, None, ACCOUNT_ID, NOBODY))

    cloud.serve(Starlette(routes=chime_routes(cloud.control, partial(texts, upstream.ask), audit)))
    return console


@pytest.fixture
def account_id(chime: Any) -> str:
    """A team account."""
    id_: str = chime.create_account(Name="example-account")["Account"]["AccountId"]
    return id_


def account_type(chime: Any, account_id: str) -> Any:
    return chime.get_account(AccountId=account_id)["Account"]["AccountType"]


def registrations(chime: Any, account_id: str) -> dict[str, str]:
    users = chime.list_users(AccountId=account_id)["Users"]
    return {user["PrimaryEmail"]: user["UserRegistrationStatus"] for user in users}


# Domains (p. 7)


def test_a_domain_is_claimed_by_a_txt_record(console: Console, chime: Any, account_id: str) -> None:
    domains = f"/accounts/{account_id}/domains"
    status, claimed = console.ask("POST", domains, {"DomainName": "Example.com"})
    record = claimed["TxtRecord"]
    assert (status, claimed["DomainName"], claimed["Status"]) == (201, "example.com", "Pending verification")
    assert console.do("GET", domains) == [claimed] == [console.do("GET", f"{domains}/example.com")]

    missing = console.do("POST", f"{domains}/example.com/verify")
    assert (missing["Status"], missing["Reason"]) == (
        "Pending verification",
        f"{record['Name']} does not exist (NXDOMAIN)",
    )
    console.names[record["Name"]] = ["v=spf1 -all"]
    wrong = console.do("POST", f"{domains}/example.com/verify")
    assert wrong["Reason"] == f"{record['Name']} has 1 TXT record, none of which is {record['Value']}"
    assert account_type(chime, account_id) == "Team"

    console.names[record["Name"]].append(record["Value"])
    verified = console.do("POST", f"{domains}/example.com/verify")
    assert verified == claimed | {"Status": "Verified", "VerifiedOn": CREATED}
    assert account_type(chime, account_id) == "EnterpriseLWA"


def test_a_verified_domain_stays_verified_whatever_dns_says_later(console: Console, account_id: str) -> None:
    console.claim(account_id, "example.com")
    console.names.clear()
    assert console.do("POST", f"/accounts/{account_id}/domains/example.com/verify")["Status"] == "Verified"


def test_a_name_without_txt_records_verifies_nothing(console: Console, account_id: str) -> None:
    record = console.do("POST", f"/accounts/{account_id}/domains", {"DomainName": "example.com"})["TxtRecord"]
    console.names[record["Name"]] = []
    answer = console.do("POST", f"/accounts/{account_id}/domains/example.com/verify")
    assert answer["Reason"].startswith(f"{record['Name']} has 0 TXT records")


def test_a_domain_belongs_to_one_account(console: Console, chime: Any, account_id: str) -> None:
    """P. 20-21: AddDomain with a ConflictException."""
    console.claim(account_id, "example.com")
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    for claimant in (account_id, other):
        status, message = console.ask("POST", f"/accounts/{claimant}/domains", {"DomainName": "example.com"})
        assert (status, message) == (409, f"example.com is a domain of the account {account_id} already")


def test_of_two_accounts_that_claim_a_domain_the_first_to_verify_it_has_it(
    console: Console, chime: Any, account_id: str
) -> None:
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    records = [
        console.do("POST", f"/accounts/{claimant}/domains", {"DomainName": "example.com"})["TxtRecord"]
        for claimant in (account_id, other)
    ]
    console.names[records[0]["Name"]] = [record["Value"] for record in records]
    console.do("POST", f"/accounts/{other}/domains/example.com/verify")
    status, message = console.ask("POST", f"/accounts/{account_id}/domains/example.com/verify")
    assert (status, message) == (409, f"example.com was verified for the account {other}")


def test_cloudtrail_has_the_actions_of_administrators(console: Console, chime: Any, account_id: str) -> None:
    """P. 20-21, with the guide's event: a domain that is added where it is already."""
    for _ in range(2):
        console.ask("POST", f"/accounts/{account_id}/domains", {"DomainName": "example.com"})
    console.do("GET", f"/accounts/{account_id}/domains")
    console.sign_in(MARY)
    added, refused, listed = console.trail
    asked = {"domainName": "example.com", "accountId": account_id}
    assert (added["eventName"], added["requestParameters"], added["readOnly"]) == ("AddDomain", asked, False)
    assert added["responseElements"]["status"] == "Pending verification"
    assert "errorCode" not in added
    assert (refused["eventSource"], refused["eventName"]) == ("chime.amazonaws.com", "AddDomain")
    assert (refused["errorCode"], refused["requestParameters"]) == ("ConflictException", asked)
    assert (refused["responseElements"], refused["sourceIPAddress"]) == (None, "127.0.0.1")
    assert refused["userAgent"].startswith("Python-urllib/")
    assert (listed["eventName"], listed["responseElements"], listed["readOnly"]) == ("ListDomains", None, True)


@pytest.mark.parametrize("domain", ["com", "example..com", "-example.com", "mary@example.com", "a" * 64 + ".com", 7])
def test_what_is_no_domain_cannot_be_claimed(console: Console, account_id: str, domain: object) -> None:
    status, message = console.ask("POST", f"/accounts/{account_id}/domains", {"DomainName": domain})
    assert status == 400
    assert "must be a domain name" in message


def test_users_who_register_with_a_claimed_domain_are_the_accounts(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 12; those who were free before are managed from then on (p. 5)."""
    assert console.sign_in(MARY)["AccountId"] is None
    console.claim(account_id, "example.com")
    assert console.sign_in("Jane.Doe@Example.com", DisplayName="Doe, Jane")["AccountId"] == account_id
    assert console.sign_in(RICHARD)["AccountId"] is None
    assert registrations(chime, account_id) == {MARY: "Registered", "Jane.Doe@Example.com": "Registered"}


def test_without_its_domains_an_account_is_a_team_account_and_can_be_deleted(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 6. Users of a domain that is deleted are suspended and signed out."""
    chime.invite_users(AccountId=account_id, UserEmailList=[RICHARD])
    console.claim(account_id, "example.com")
    console.sign_in(MARY)
    console.do("DELETE", f"/accounts/{account_id}/domains/example.com")
    assert account_type(chime, account_id) == "Team"
    assert registrations(chime, account_id) == {RICHARD: "Unregistered", MARY: "Suspended"}
    assert console.ask("POST", "/sign-ins", {"Email": MARY})[0] == 403
    with pytest.raises(chime.exceptions.UnprocessableEntityException, match="has 1 user;"):
        chime.delete_account(AccountId=account_id)
    (invited,) = chime.list_users(AccountId=account_id, UserEmail=RICHARD)["Users"]
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[invited["UserId"]])
    chime.delete_account(AccountId=account_id)


def test_who_was_suspended_with_the_domain_comes_back_by_invitation(
    console: Console, chime: Any, account_id: str
) -> None:
    """BatchSuspendUser: "To remove the suspension from suspended Team account users, invite them ... again"."""
    console.claim(account_id, "example.com")
    console.sign_in(MARY)
    console.do("DELETE", f"/accounts/{account_id}/domains/example.com")
    (sent,) = chime.invite_users(AccountId=account_id, UserEmailList=[MARY])["Invites"]
    assert registrations(chime, account_id) == {MARY: "Suspended"}
    console.do("POST", f"/invites/{sent['InviteId']}/accept")
    assert registrations(chime, account_id) == {MARY: "Registered"}
    assert console.sign_in(MARY)["SignedIn"]


# Directories (p. 7-9)


def person(name: str, *groups: str, proxies: tuple[str, ...] = (), disabled: bool = False) -> dict[str, object]:
    return {
        "UserName": name,
        "DisplayName": name.replace(".", " ").title(),
        "EmailAddress": f"{name}@example.com",
        "ProxyAddresses": list(proxies),
        "Groups": list(groups),
        "Disabled": disabled,
    }


def connect(console: Console, account_id: str, *people: dict[str, object]) -> None:
    """An enterprise account with a directory, whose group `staff` has Plus."""
    console.do("PUT", f"/directories/{DIRECTORY}", {"Name": "corp.example.com", "Users": people})
    console.do("PUT", f"/accounts/{account_id}/directory", {"DirectoryId": DIRECTORY})
    groups = [{"GroupName": "staff", "LicenseType": "Plus"}]
    console.do("PUT", f"/accounts/{account_id}/groups", {"Groups": groups})


def test_only_an_enterprise_account_connects_to_a_directory_and_only_one(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 8."""
    wanted = {"DirectoryId": DIRECTORY}
    status, message = console.ask("PUT", f"/accounts/{account_id}/directory", wanted)
    assert (status, message.partition(";")[0]) == (404, f"there is no directory {DIRECTORY}")
    console.do("PUT", f"/directories/{DIRECTORY}", {"Name": "corp.example.com"})
    assert console.ask("PUT", f"/accounts/{account_id}/directory", wanted)[0] == 409
    console.claim(account_id, "example.com")
    assert console.do("PUT", f"/accounts/{account_id}/directory", wanted) == wanted
    assert account_type(chime, account_id) == "EnterpriseDirectory"
    other = chime.create_account(Name="other")["Account"]["AccountId"]
    console.claim(other, "example2.com")
    for asking in (account_id, other):
        status, message = console.ask("PUT", f"/accounts/{asking}/directory", wanted)
        assert (status, message) == (
            409,
            f"the account {account_id} is connected to {DIRECTORY}; disconnect it first",
        )


def test_a_directory_goes_after_it_is_disconnected_and_before_the_last_domain(
    console: Console, chime: Any, account_id: str
) -> None:
    console.claim(account_id, "example.com")
    connect(console, account_id)
    assert console.ask("DELETE", f"/directories/{DIRECTORY}")[0] == 409
    assert console.ask("DELETE", f"/accounts/{account_id}/domains/example.com")[0] == 409
    assert console.ask("DELETE", f"/accounts/{account_id}/directory") == (204, None)
    assert (account_type(chime, account_id), console.do("GET", f"/accounts/{account_id}/groups")) == (
        "EnterpriseLWA",
        [],
    )
    assert console.ask("DELETE", f"/directories/{DIRECTORY}") == (204, None)
    assert console.do("GET", "/directories") == []
    assert console.ask("DELETE", f"/accounts/{account_id}/directory")[0] == 409


def test_groups_are_added_updated_and_deleted(console: Console, account_id: str) -> None:
    """P. 8: a name, and Plus or Pro."""
    groups = f"/accounts/{account_id}/groups"
    assert console.ask("PUT", groups, {"Groups": [{"GroupName": "staff", "LicenseType": "Plus"}]})[0] == 409
    console.claim(account_id, "example.com")
    connect(console, account_id)
    both = [{"GroupName": "staff", "LicenseType": "Pro"}, {"GroupName": "managers", "LicenseType": "Pro"}]
    assert console.do("PUT", groups, {"Groups": both}) == console.do("GET", groups) == both
    assert console.ask("DELETE", f"{groups}/staff") == (204, None)
    assert console.ask("DELETE", f"{groups}/staff")[0] == 404
    assert console.do("GET", groups) == both[1:]
    for wrong in ([], [{"GroupName": "staff", "LicenseType": "Basic"}], [{"LicenseType": "Pro"}]):
        assert console.ask("PUT", groups, {"Groups": wrong})[0] == 400


def test_who_is_disabled_or_in_no_group_of_the_directory_cannot_sign_in(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 8."""
    console.claim(account_id, "example.com")
    connect(console, account_id, person("mary", "staff"), person("jane"), person("john", "staff", disabled=True))
    signed_in = console.sign_in("mary@example.com")
    assert (signed_in["SignInWith"], signed_in["DisplayName"]) == ("Active Directory", "Mary")
    for email, reason in (
        ("jane@example.com", "in no group"),
        ("john@example.com", "is disabled"),
        ("richard@example.com", "has no user with this address"),
    ):
        status, message = console.ask("POST", "/sign-ins", {"Email": email})
        assert status == 403
        assert reason in message


def test_who_is_disabled_in_the_directory_is_suspended(console: Console, chime: Any, account_id: str) -> None:
    """P. 8: "When users accounts are disabled in your Active Directory, their Amazon Chime accounts are ..."."""
    console.claim(account_id, "example.com")
    connect(console, account_id, person("mary", "staff"))
    mary = console.sign_in("mary@example.com")
    people = [person("mary", "staff", disabled=True)]
    console.do("PUT", f"/directories/{DIRECTORY}", {"Name": "corp.example.com", "Users": people})
    assert registrations(chime, account_id) == {"mary@example.com": "Suspended"}
    assert console.do("GET", f"/accounts/{account_id}/users/{mary['UserId']}")["SignedIn"] is False


SHIRLEY = "shirley.rodriguez"
PROXIES = (f"{SHIRLEY}@example2.com", "srodriguez@anotherdomain.com")


def test_an_address_whose_domain_is_not_claimed_leads_out_of_the_account(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 8-9, the incorrect configuration example."""
    for domain in ("example.com", "anotherdomain.com"):
        console.claim(account_id, domain)
    connect(console, account_id, person(SHIRLEY, "staff", proxies=PROXIES))
    ids = {console.sign_in(email)["UserId"] for email in (f"{SHIRLEY}@example.com", PROXIES[1])}
    assert len(ids) == 1
    stranger = console.sign_in(PROXIES[0])
    assert (stranger["AccountId"], stranger["SignInWith"]) == (None, "Login with Amazon")
    assert registrations(chime, account_id) == {f"{SHIRLEY}@example.com": "Registered"}


def test_any_address_of_a_claimed_domain_is_the_same_user(console: Console, chime: Any, account_id: str) -> None:
    """P. 9, the correct configuration example."""
    for domain in ("example.com", "example2.com", "anotherdomain.com"):
        console.claim(account_id, domain)
    connect(console, account_id, person(SHIRLEY, "staff", proxies=PROXIES))
    users = [console.sign_in(email) for email in (f"{SHIRLEY}@example.com", *PROXIES)]
    assert len({user["UserId"] for user in users}) == 1
    assert {user["EmailAddress"] for user in users} == {f"{SHIRLEY}@example.com"}


# What users do (p. 3-4, 10-12)


def test_an_invitation_carries_the_name_of_the_account_and_is_accepted_once(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 4, 6."""
    (sent,) = chime.invite_users(AccountId=account_id, UserEmailList=[MARY])["Invites"]
    chime.update_account(AccountId=account_id, Name="example-team")
    mail = {
        "InviteId": sent["InviteId"],
        "EmailAddress": MARY,
        "AccountName": "example-team",
        "InvitedOn": CREATED,
        "Status": "Pending",
    }
    assert console.do("GET", f"/accounts/{account_id}/invites") == [mail]
    accepted = console.do("POST", f"/invites/{sent['InviteId']}/accept", {"DisplayName": "Major, Mary"})
    assert (accepted["AccountId"], accepted["DisplayName"]) == (account_id, "Major, Mary")
    assert console.do("GET", f"/accounts/{account_id}/invites") == [mail | {"Status": "Accepted"}]
    assert console.ask("POST", f"/invites/{sent['InviteId']}/accept")[0] == 404


def test_who_has_signed_up_already_accepts_with_the_address_there_is(
    console: Console, chime: Any, account_id: str
) -> None:
    """P. 4: "they can use the work email address that they used to sign up for Amazon Chime"."""
    free = console.sign_in(MARY, DisplayName="Major, Mary")
    (sent,) = chime.invite_users(AccountId=account_id, UserEmailList=[MARY])["Invites"]
    assert registrations(chime, account_id) == {MARY: "Unregistered"}
    accepted = console.do("POST", f"/invites/{sent['InviteId']}/accept")
    assert {key: accepted[key] for key in ("UserId", "DisplayName", "PersonalPIN", "Joined")} == {
        key: free[key] for key in ("UserId", "DisplayName", "PersonalPIN", "Joined")
    }
    assert registrations(chime, account_id) == {MARY: "Registered"}


def test_the_details_page_shows_eight_fields(console: Console, chime: Any, account_id: str) -> None:
    """P. 10-11."""
    (sent,) = chime.invite_users(AccountId=account_id, UserEmailList=[MARY])["Invites"]
    user_id = chime.list_users(AccountId=account_id)["Users"][0]["UserId"]
    page = f"/accounts/{account_id}/users/{user_id}"
    invited = {
        "UserId": user_id,
        "AccountId": account_id,
        "EmailAddress": MARY,
        "Registration": "Unregistered",
        "License": "Plus",
        "SignInWith": "Login with Amazon",
        "Invited": CREATED,
    }
    assert console.do("GET", page) == invited
    console.do("POST", f"/invites/{sent['InviteId']}/accept", {"DisplayName": "Major, Mary"})
    joined = console.do("GET", page)
    assert re.fullmatch("[0-9]{10}", joined["PersonalPIN"])
    assert joined == invited | {
        "Registration": "Registered",
        "License": "ProTrial",
        "DisplayName": "Major, Mary",
        "Joined": CREATED,
        "PersonalPIN": joined["PersonalPIN"],
        "PrivacySetting": "Public",
        "SignedIn": False,
    }
    assert console.do("PUT", f"{page}/privacy-setting", {"PrivacySetting": "Private"})["PrivacySetting"] == "Private"
    assert console.ask("PUT", f"{page}/privacy-setting", {"PrivacySetting": "Hidden"})[0] == 400


# Delegates (p. 19)


def test_another_aws_account_shares_the_management_after_it_was_accepted(console: Console, account_id: str) -> None:
    delegates = f"/accounts/{account_id}/delegates"
    status, asked = console.ask("POST", delegates, {"AwsAccountId": "444455556666"})
    assert (status, asked) == (201, {"AwsAccountId": "444455556666", "Status": "Pending", "RequestedOn": CREATED})
    assert console.do("GET", f"{delegates}/444455556666/validate") == asked | {
        "AccountId": account_id,
        "AccountName": "example-account",
        "OwnerAwsAccountId": ACCOUNT_ID,
    }
    accepted = console.do("POST", f"{delegates}/444455556666/accept")
    assert accepted == asked | {"Status": "Accepted", "AcceptedOn": CREATED}
    assert console.do("GET", delegates) == [accepted]
    assert console.ask("POST", f"{delegates}/444455556666/accept")[0] == 409
    assert console.ask("POST", delegates, {"AwsAccountId": "444455556666"})[0] == 409
    assert console.ask("DELETE", f"{delegates}/444455556666") == (204, None)
    assert console.ask("DELETE", f"{delegates}/444455556666")[0] == 404


@pytest.mark.parametrize("asking", [ACCOUNT_ID, "12345", 444455556666])
def test_a_delegate_is_another_aws_account(console: Console, account_id: str, asking: object) -> None:
    assert console.ask("POST", f"/accounts/{account_id}/delegates", {"AwsAccountId": asking})[0] == 400


# Reports (p. 15)


def test_the_usage_report_counts_users_meetings_and_satisfaction_by_week(
    console: Console, cloud: Cloud, chime: Any, account_id: str
) -> None:
    """2022-04-15 is a Friday; data is updated daily."""
    mary, richard = (
        console.do("POST", f"/invites/{sent['InviteId']}/accept")["UserId"]
        for sent in chime.invite_users(AccountId=account_id, UserEmailList=[MARY, RICHARD])["Invites"]
    )
    held = {"UserIds": [mary, richard], "PositiveResponses": 3, "NegativeResponses": 1}
    activities, reports = f"/accounts/{account_id}/activities", f"/accounts/{account_id}/usage-reports"
    assert console.ask("POST", activities, held)[0] == 201
    console.do("POST", activities, {"UserIds": [mary], "Meeting": False})
    first = {
        "WeekOf": ["2022-04-11", "2022-04-17"],
        "RegisteredUsers": 0,
        "ActiveUsers": 0,
        "MeetingsHeld": 0,
        "MeetingSatisfaction": None,
    }
    assert console.do("GET", reports) == [first]
    cloud.clock.now += DAY
    first |= {"RegisteredUsers": 2, "ActiveUsers": 2, "MeetingsHeld": 1, "MeetingSatisfaction": 75.0}
    assert console.do("GET", reports) == [first]
    cloud.clock.now += 3 * DAY
    console.do("POST", activities, {"UserIds": [mary], "Meeting": False})
    cloud.clock.now += DAY
    second = {
        "WeekOf": ["2022-04-18", "2022-04-24"],
        "RegisteredUsers": 2,
        "ActiveUsers": 1,
        "MeetingsHeld": 0,
        "MeetingSatisfaction": None,
    }
    assert console.do("GET", reports) == [second, first]


@pytest.mark.parametrize("user_ids", [[], [NOBODY], ["x"]])
def test_an_activity_is_one_of_the_accounts_users(console: Console, account_id: str, user_ids: list[str]) -> None:
    status, message = console.ask("POST", f"/accounts/{account_id}/activities", {"UserIds": user_ids})
    assert status == 400
    assert message.startswith("UserIds")


# Support (p. 25)


def test_a_support_request_is_kept_with_what_helps_to_answer_it(console: Console) -> None:
    asked = {
        "Description": "Nobody hears me.\nSince this morning.",
        "Occurred": "2018-01-22 09:15 PST",
        "ClientVersion": "4.10.7645",
        "LogReferenceId": "a1b2",
        "MeetingId": "0123456789",
    }
    status, kept = console.ask("POST", "/support-requests", asked)
    assert (status, kept) == (
        201,
        asked | {"SupportRequestId": kept["SupportRequestId"], "CreatedTimestamp": CREATED},
    )
    assert console.do("GET", "/support-requests") == [kept]
    for wrong in ({}, {"Description": " "}, asked | {"Severity": "high"}):
        assert console.ask("POST", "/support-requests", wrong)[0] == 400


# All of them


SENSELESS = (None, b"[1", b"[]", b'"x"', b'{"x": 1}', b'{"Email": "\\ud800@b.c", "Description": "\\ud800"}')


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_nothing_that_is_sent_is_a_fault_of_ours(console: Console, route: Any) -> None:
    path = route.path.replace("{account_id}", NOBODY).replace("{directory_id}", DIRECTORY)
    path = re.sub("{.*?}", "%ED%A0%80", path)
    for body in SENSELESS:
        status, content = console.ask(route.method, path, body)
        assert status < 500
        assert status < 400 or content


def test_an_account_that_is_not_there_has_no_pages(console: Console) -> None:
    bodies = {"/accounts/{account_id}/directory": {"DirectoryId": DIRECTORY}}
    for route in ROUTES:
        if "{account_id}" in route.path:
            path = re.sub("{.*?}", "x", route.path.replace("{account_id}", NOBODY))
            answer = console.ask(route.method, path, bodies.get(route.path))
            assert answer == (404, f"Could not find Account with Id '{NOBODY}'"), route
