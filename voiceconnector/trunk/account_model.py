"""Amazon Chime accounts, their users, and what the console of the 2018 guide keeps besides, as immutable values.

They are kinds of resources as those of `model`: the first field is the id, the tables that the readers take are
those that `shapes.shape_of` writes. Times are Unix times in seconds. No call depends on any of this.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from .model import PhoneNumber, Resource, Snapshot, identity
from .shapes import unix_time, uuid
from .tables import Reader, Table, boolean, choice, matching, text, whole

AccountType = Literal["Team", "EnterpriseLWA", "EnterpriseDirectory"]
License = Literal["Basic", "Plus", "Pro"]
UserType = Literal["PrivateUser", "SharedDevice"]
PrivacySetting = Literal["Public", "Private"]

# Unverified: the 2018 guide has Plus and Pro; Basic came after, and replaces Plus in later answers of the API.
LICENSES: tuple[License, ...] = ("Basic", "Plus", "Pro")
"""Licences that an administrator can assign; ProTrial comes and goes by itself."""


@dataclass(frozen=True, slots=True)
class Domain:
    """An e-mail domain that an account claims (2018 guide p. 7)."""

    domain_name: str
    """In lower case."""
    token: str
    """What its TXT record has to say."""
    verified: float | None = None
    """When the record was found; None: not yet."""


@dataclass(frozen=True, slots=True)
class DirectoryGroup:
    """A group of the account's directory, and the licence of its members (2018 guide p. 8)."""

    group_name: str
    license_type: License


@dataclass(frozen=True, slots=True)
class Delegate:
    """Another AWS account that asks to share the management of an account, or shares it (2018 guide p. 19)."""

    aws_account_id: str
    """12 digits."""
    requested: float
    accepted: float | None = None
    """None: not yet."""


@dataclass(frozen=True, slots=True)
class Account:
    """An Amazon Chime account; users are resources of their own."""

    account_id: str
    name: str
    default_license: License = "Plus"
    """What users are given when they join (2018 guide p. 3)."""
    disable_remote_control: bool = False
    """Whether users cannot share control of their computer (2018 guide p. 6)."""
    enable_dial_out: bool = False
    signin_delegate_groups: tuple[str, ...] = ()
    domains: tuple[Domain, ...] = ()
    directory_id: str | None = None
    """The directory that its users sign in with; None: with Login with Amazon."""
    groups: tuple[DirectoryGroup, ...] = ()
    delegates: tuple[Delegate, ...] = ()
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0

    @property
    def verified_domains(self) -> tuple[str, ...]:
        """The domains whose users are the account's."""
        return tuple(domain.domain_name for domain in self.domains if domain.verified is not None)

    @property
    def account_type(self) -> AccountType:
        """An account with a verified domain is an enterprise account (2018 guide p. 5)."""
        if self.directory_id:
            return "EnterpriseDirectory"
        return "EnterpriseLWA" if self.verified_domains else "Team"


@dataclass(frozen=True, slots=True)
class AlexaForBusinessMetadata:
    """What joins a user and a device of Alexa for Business."""

    is_alexa_for_business_enabled: bool = False
    alexa_for_business_room_arn: str | None = field(default=None, repr=False)


# Unverified: an answer of the API shows all three allowed; whether that is so from the beginning is not said.
@dataclass(frozen=True, slots=True)
class TelephonySettings:
    """What a user may do with a phone number."""

    inbound_calling: bool = True
    outbound_calling: bool = True
    sms: bool = True


@dataclass(frozen=True, slots=True)
class User:
    """A user of Amazon Chime, in an account or free."""

    user_id: str
    account_id: str | None
    """The account it is in, or is invited to; None: a free user, which no administrator sees."""
    primary_email: str | None = field(repr=False)
    display_name: str | None = field(default=None, repr=False)
    license_type: License = "Basic"
    """What it has when it is on no trial, and no group of a directory decides."""
    trial_ended: bool = False
    """Whether an administrator has chosen a licence, which ends the trial before its 30 days are over."""
    user_type: UserType = "PrivateUser"
    invite_id: str | None = None
    """Of the last invitation to the account; None: it was not invited."""
    invited_on: float | None = None
    invite_pending: bool = False
    registered_on: float | None = None
    """When it first signed in; None: not yet."""
    suspended: bool = False
    signed_in: bool = False
    """Whether it is signed in on some device."""
    personal_pin: str | None = field(default=None, repr=False)
    """Ten digits, from the registration on."""
    privacy_setting: PrivacySetting = "Public"
    alexa_for_business_metadata: AlexaForBusinessMetadata = AlexaForBusinessMetadata()
    telephony: TelephonySettings = TelephonySettings()
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0


@dataclass(frozen=True, slots=True)
class DirectoryUser:
    """A user as an Active Directory knows it."""

    user_name: str = field(repr=False)
    display_name: str = field(repr=False)
    email_address: str = field(repr=False)
    """The primary address."""
    proxy_addresses: tuple[str, ...] = field(default=(), repr=False)
    """Further addresses (2018 guide p. 8)."""
    groups: tuple[str, ...] = ()
    """Names of the groups it is a member of."""
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of AWS Directory Service, as far as it matters here."""

    directory_id: str
    """`d-` and 10 hexadecimal digits."""
    name: str
    """Its domain name: corp.example.com."""
    users: tuple[DirectoryUser, ...] = ()
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0


@dataclass(frozen=True, slots=True)
class Activity:
    """A meeting that users have attended or messages that they have sent: what usage reports count."""

    activity_id: str
    account_id: str
    time: float
    user_ids: tuple[str, ...]
    meeting: bool
    """False: messages."""
    positive_responses: int = 0
    """To the survey at the end of a meeting."""
    negative_responses: int = 0
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0


@dataclass(frozen=True, slots=True)
class SupportRequest:
    """What an administrator has asked the support for (2018 guide p. 25)."""

    support_request_id: str
    description: str
    occurred: str | None = None
    """When the issue occurred, with its time zone, in the administrator's words."""
    client_version: str | None = None
    log_reference_id: str | None = None
    meeting_id: str | None = None
    created_timestamp: float = 0.0
    updated_timestamp: float = 0.0


# Readers

license_type: Reader[License] = choice("Basic", "Plus", "Pro")
user_type: Reader[UserType] = choice("PrivateUser", "SharedDevice")
privacy_setting: Reader[PrivacySetting] = choice("Public", "Private")
email_address = matching(r".+@.+\..+", "an e-mail address such as mary.major@example.com")
directory_id = matching("d-[0-9a-f]{10}", "d- and 10 hexadecimal digits")
aws_account_id = matching("[0-9]{12}", "12 digits")
personal_pin = matching("[0-9]{10}", "10 digits")
_token = matching("[0-9a-z]{1,64}", "up to 64 characters of 0-9 and a-z")
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_domain = matching(rf"(?=.{{1,240}}$)({_LABEL}\.)+{_LABEL}", "a domain name such as example.com, in A-labels")


def domain_name(value: object) -> str:
    """An e-mail domain; it comes in lower case."""
    return _domain(value.lower().removesuffix(".") if isinstance(value, str) else value)


def words(value: object) -> str:
    """Any text that is not blank; lines may be several."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be text that is not blank")
    return value


def domain(entries: object, path: str) -> Domain:
    table = Table(entries, path, ("DomainName", "Token", "Verified"))
    return Domain(
        domain_name=table.required("DomainName", domain_name),
        token=table.required("Token", _token),
        verified=table.get("Verified", unix_time, None),
    )


def directory_group(entries: object, path: str) -> DirectoryGroup:
    table = Table(entries, path, ("GroupName", "LicenseType"))
    plus_or_pro: Reader[License] = choice("Plus", "Pro")
    return DirectoryGroup(table.required("GroupName", text), table.required("LicenseType", plus_or_pro))


def delegate(entries: object, path: str) -> Delegate:
    table = Table(entries, path, ("AwsAccountId", "Requested", "Accepted"))
    return Delegate(
        aws_account_id=table.required("AwsAccountId", aws_account_id),
        requested=table.required("Requested", unix_time),
        accepted=table.get("Accepted", unix_time, None),
    )


def account(entries: object, path: str) -> Account:
    keys = (
        "AccountId", "Name", "DefaultLicense", "DisableRemoteControl", "EnableDialOut", "SigninDelegateGroups",
        "Domains", "DirectoryId", "Groups", "Delegates",
    )  # fmt: skip
    table = Table(entries, path, keys)
    return Account(
        account_id=table.required("AccountId", uuid),
        name=table.required("Name", words),
        default_license=table.get("DefaultLicense", license_type, "Plus"),
        disable_remote_control=table.get("DisableRemoteControl", boolean, False),
        enable_dial_out=table.get("EnableDialOut", boolean, False),
        signin_delegate_groups=table.each("SigninDelegateGroups", words),
        domains=table.shapes("Domains", domain),
        directory_id=table.get("DirectoryId", directory_id, None),
        groups=table.shapes("Groups", directory_group),
        delegates=table.shapes("Delegates", delegate),
    )


def alexa_for_business_metadata(entries: object, path: str) -> AlexaForBusinessMetadata:
    table = Table(entries, path, ("IsAlexaForBusinessEnabled", "AlexaForBusinessRoomArn"))
    return AlexaForBusinessMetadata(
        is_alexa_for_business_enabled=table.get("IsAlexaForBusinessEnabled", boolean, False),
        alexa_for_business_room_arn=table.get("AlexaForBusinessRoomArn", _any_text, None),
    )


def telephony_settings(entries: object, path: str) -> TelephonySettings:
    table = Table(entries, path, ("InboundCalling", "OutboundCalling", "SMS"))
    return TelephonySettings(
        inbound_calling=table.get("InboundCalling", boolean, True),
        outbound_calling=table.get("OutboundCalling", boolean, True),
        sms=table.get("SMS", boolean, True),
    )


def user(entries: object, path: str) -> User:
    keys = (
        "UserId", "AccountId", "PrimaryEmail", "DisplayName", "LicenseType", "TrialEnded", "UserType", "InviteId",
        "InvitedOn", "InvitePending", "RegisteredOn", "Suspended", "SignedIn", "PersonalPIN", "PrivacySetting",
        "AlexaForBusinessMetadata", "Telephony",
    )  # fmt: skip
    table = Table(entries, path, keys)
    return User(
        user_id=table.required("UserId", uuid),
        account_id=table.get("AccountId", uuid, None),
        primary_email=table.get("PrimaryEmail", email_address, None),
        display_name=table.get("DisplayName", _any_text, None),
        license_type=table.get("LicenseType", license_type, "Basic"),
        trial_ended=table.get("TrialEnded", boolean, False),
        user_type=table.get("UserType", user_type, "PrivateUser"),
        invite_id=table.get("InviteId", uuid, None),
        invited_on=table.get("InvitedOn", unix_time, None),
        invite_pending=table.get("InvitePending", boolean, False),
        registered_on=table.get("RegisteredOn", unix_time, None),
        suspended=table.get("Suspended", boolean, False),
        signed_in=table.get("SignedIn", boolean, False),
        personal_pin=table.get("PersonalPIN", personal_pin, None),
        privacy_setting=table.get("PrivacySetting", privacy_setting, "Public"),
        alexa_for_business_metadata=table.shape("AlexaForBusinessMetadata", alexa_for_business_metadata)
        or AlexaForBusinessMetadata(),
        telephony=table.shape("Telephony", telephony_settings) or TelephonySettings(),
    )


def directory_user(entries: object, path: str) -> DirectoryUser:
    keys = ("UserName", "DisplayName", "EmailAddress", "ProxyAddresses", "Groups", "Disabled")
    table = Table(entries, path, keys)
    return DirectoryUser(
        user_name=table.required("UserName", words),
        display_name=table.required("DisplayName", words),
        email_address=table.required("EmailAddress", email_address),
        proxy_addresses=table.each("ProxyAddresses", email_address),
        groups=table.each("Groups", text),
        disabled=table.get("Disabled", boolean, False),
    )


def directory(entries: object, path: str) -> Directory:
    table = Table(entries, path, ("DirectoryId", "Name", "Users"))
    return Directory(
        directory_id=table.required("DirectoryId", directory_id),
        name=table.required("Name", domain_name),
        users=table.shapes("Users", directory_user),
    )


def activity(entries: object, path: str) -> Activity:
    keys = ("ActivityId", "AccountId", "Time", "UserIds", "Meeting", "PositiveResponses", "NegativeResponses")
    table = Table(entries, path, keys)
    return Activity(
        activity_id=table.required("ActivityId", uuid),
        account_id=table.required("AccountId", uuid),
        time=table.required("Time", unix_time),
        user_ids=table.each("UserIds", uuid),
        meeting=table.required("Meeting", boolean),
        positive_responses=table.get("PositiveResponses", whole(0), 0),
        negative_responses=table.get("NegativeResponses", whole(0), 0),
    )


def support_request(entries: object, path: str) -> SupportRequest:
    keys = ("SupportRequestId", "Description", "Occurred", "ClientVersion", "LogReferenceId", "MeetingId")
    table = Table(entries, path, keys)
    return SupportRequest(
        support_request_id=table.required("SupportRequestId", uuid),
        description=table.required("Description", words),
        occurred=table.get("Occurred", words, None),
        client_version=table.get("ClientVersion", words, None),
        log_reference_id=table.get("LogReferenceId", words, None),
        meeting_id=table.get("MeetingId", words, None),
    )


def _any_text(value: object) -> str:
    """Any string, as the API has taken it."""
    if not isinstance(value, str):
        raise ValueError("must be a string")
    return value


# What holds for all


def contradiction(snapshot: Snapshot, put: Iterable[Resource], remove: Iterable[Resource]) -> str:
    """What a change leaves referring to something that is not there, in words; empty where nothing.

    `snapshot` is the one after the change.
    """
    targets = tuple(kind for kind, _ in _REFERENCES.values())
    referring = put
    if any(isinstance(resource, targets) for resource in remove):
        referring = (resource for kind in _REFERENCES for resource in snapshot.all(kind).values())
    for resource in referring:
        if type(resource) in _REFERENCES:
            target, name = _REFERENCES[type(resource)]
            id_ = getattr(resource, name)
            if id_ is not None and id_ not in snapshot.all(target):
                return f"{identity(resource)} refers to the {target.__name__} {id_}, and there is none"
    return ""


_REFERENCES: Mapping[type[Any], tuple[type[Any], str]] = MappingProxyType(
    {
        Account: (Directory, "directory_id"),
        User: (Account, "account_id"),
        Activity: (Account, "account_id"),
        PhoneNumber: (User, "user_id"),
    }
)
"""What each kind refers to, and the field that does; None refers to nothing."""
