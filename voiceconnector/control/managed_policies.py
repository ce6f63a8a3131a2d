"""The AWS managed policies that the guides name, by their names.

The guide of 2018 (p. 16-17) says what AmazonChimeFullAccess, AmazonChimeReadOnly and AmazonChimeUserManagement are
for, that of 2022 (p. 11-13) prints AmazonChimeSDK; the actions are those of AWS's "AWS Managed Policy Reference".
Their permissions in other services are left out, as none of these is asked here.

The policies of service-linked roles are for the service, and cannot be attached to anybody (p. 12, 16).
"""

from collections.abc import Mapping

from .conditions import pattern
from .policies import Globs, Policy, Statement

_ARN = "arn:aws:iam::aws:policy/"

SERVICE_LINKED = frozenset(
    {
        "AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
        "AmazonChimeSDKMediaPipelinesServiceLinkedRolePolicy",
    }
)
"""The policies of service-linked roles."""

_USER_MANAGEMENT = """
    ListAccounts GetAccount GetAccountSettings UpdateAccountSettings
    ListUsers GetUser GetUserByEmail InviteUsers InviteUsersFromProvider SuspendUsers ActivateUsers
    UpdateUserLicenses ResetPersonalPIN LogoutUser
    ListDomains GetDomain ListDirectories ListGroups SubmitSupportRequest ListDelegates
    ListAccountUsageReportData GetMeetingDetail ListMeetingEvents ListMeetingsReportData GetUserActivityReportData
    UpdateUser BatchUpdateUser BatchSuspendUser BatchUnsuspendUser
    AssociatePhoneNumberWithUser DisassociatePhoneNumberFromUser GetPhoneNumber ListPhoneNumbers
    GetUserSettings UpdateUserSettings CreateUser
    AssociateSigninDelegateGroupsWithAccount DisassociateSigninDelegateGroupsFromAccount
"""
_SDK = """
    CreateMeeting CreateMeetingWithAttendees DeleteMeeting GetMeeting ListMeetings
    CreateAttendee BatchCreateAttendee DeleteAttendee GetAttendee ListAttendees ListAttendeeTags ListMeetingTags
    ListTagsForResource TagAttendee TagMeeting TagResource UntagAttendee UntagMeeting UntagResource
    StartMeetingTranscription StopMeetingTranscription
"""

ATTACHABLE: Mapping[str, tuple[str, ...]] = {
    "AdministratorAccess": ("*",),
    "AmazonChimeFullAccess": ("*",),
    "AmazonChimeReadOnly": ("List*", "Get*", "Describe*", "SearchAvailablePhoneNumbers"),
    "AmazonChimeUserManagement": tuple(_USER_MANAGEMENT.split()),
    "AmazonChimeSDK": tuple(_SDK.split()),
}
"""The actions of this service that each of them allows, on every resource."""


def managed_policy(value: object) -> Policy:
    """The policy of that name or ARN. Raises ValueError for one that is not known, or cannot be attached."""
    name = value.removeprefix(_ARN) if isinstance(value, str) else ""
    if name.rpartition("/")[2] in SERVICE_LINKED:
        raise ValueError("is the policy of a service-linked role, which cannot be attached to a user or role")
    if name not in ATTACHABLE:
        raise ValueError(f"must be one of {', '.join(ATTACHABLE)}; for others, write the document under Policies")
    actions = pattern(*(f"chime:{action}".lower() for action in ATTACHABLE[name]))
    return Policy(f"{_ARN}{name}", (Statement("Allow", Globs(actions), Globs(pattern("*"))),))
