"""All routes of the 2018 guide's console; delegates, usage reports and support requests are done here."""

from dataclasses import replace
from datetime import timedelta

from ..trunk.account_model import Account, Activity, Delegate, SupportRequest, aws_account_id, support_request
from ..trunk.shapes import shape_of, unix_time, uuid
from ..trunk.tables import ShapeError, Table, boolean, whole
from . import account_rules as rules
from . import chime_directories, chime_domains, chime_sign_in
from .chime_routes import Ids, Route
from .context import Control, Fields
from .errors import ApiError
from .output import iso_8601
from .usage_reports import WeekReport, week_reports

# Delegates: other AWS accounts that share the management of an account (2018 guide p. 19)


def list_delegates(control: Control, ids: Ids, asked: object) -> object:
    return [_delegate(known) for known in control.known(Account, ids["account_id"]).delegates]


def request_delegate(control: Control, ids: Ids, asked: object) -> object:
    """Another AWS account asks to share the management."""
    account = control.known(Account, ids["account_id"])
    asking = Table(asked, "", ("AwsAccountId",)).required("AwsAccountId", aws_account_id)
    if asking == control.account_id:
        raise ShapeError("AwsAccountId", f"= '{asking}': is the AWS account that the account belongs to")
    if any(known.aws_account_id == asking for known in account.delegates):
        raise ApiError("ConflictException", f"{asking} has asked already; DELETE takes that back")
    known = Delegate(asking, control.clock())
    control.store.commit(replace(account, delegates=(*account.delegates, known)))
    return _delegate(known)


def validate_delegate(control: Control, ids: Ids, asked: object) -> object:
    """What both sides see of one another before the request is accepted."""
    account = control.known(Account, ids["account_id"])
    known = _known_delegate(account, ids["aws_account_id"])
    names = {"AccountId": account.account_id, "AccountName": account.name, "OwnerAwsAccountId": control.account_id}
    return _delegate(known) | names


def accept_delegate(control: Control, ids: Ids, asked: object) -> object:
    account = control.known(Account, ids["account_id"])
    known = _known_delegate(account, ids["aws_account_id"])
    if known.accepted is not None:
        raise ApiError("ConflictException", f"the request of {known.aws_account_id} was accepted before")
    accepted = replace(known, accepted=control.clock())
    delegates = tuple(accepted if each == known else each for each in account.delegates)
    control.store.commit(replace(account, delegates=delegates))
    return _delegate(accepted)


def delete_delegate(control: Control, ids: Ids, asked: object) -> object:
    """Ends the sharing, or turns a request down."""
    account = control.known(Account, ids["account_id"])
    known = _known_delegate(account, ids["aws_account_id"])
    control.store.commit(replace(account, delegates=tuple(each for each in account.delegates if each != known)))
    return None


def _known_delegate(account: Account, aws_account_id: str) -> Delegate:
    for known in account.delegates:
        if known.aws_account_id == aws_account_id:
            return known
    message = f"the AWS account {aws_account_id} neither shares the management of {account.account_id} nor asks to"
    raise ApiError("NotFoundException", message)


def _delegate(known: Delegate) -> Fields:
    fields: Fields = {
        "AwsAccountId": known.aws_account_id,
        "Status": "Pending" if known.accepted is None else "Accepted",
        "RequestedOn": iso_8601(known.requested),
    }
    return fields if known.accepted is None else fields | {"AcceptedOn": iso_8601(known.accepted)}


# Usage reports (2018 guide p. 15)


def add_activity(control: Control, ids: Ids, asked: object) -> object:
    """A meeting of users, or messages of theirs, which the reports are to count."""
    account = control.known(Account, ids["account_id"])
    table = Table(asked, "", ("Time", "UserIds", "Meeting", "PositiveResponses", "NegativeResponses"))
    user_ids = table.each("UserIds", uuid)
    members = {user.user_id for user in rules.users_of(control.store.snapshot, account.account_id)}
    if not user_ids or not members.issuperset(user_ids):
        raise ShapeError("UserIds", f"must be users of the account {account.account_id}, one at least")
    activity = Activity(
        control.new_uuid(),
        account.account_id,
        table.get("Time", unix_time, control.clock()),
        user_ids,
        table.get("Meeting", boolean, True),
        table.get("PositiveResponses", whole(0), 0),
        table.get("NegativeResponses", whole(0), 0),
    )
    control.store.commit(activity)
    return shape_of(activity)


def list_account_usage_reports(control: Control, ids: Ids, asked: object) -> object:
    """A line for each week since the account was created, the last one first."""
    account, snapshot = control.known(Account, ids["account_id"]), control.store.snapshot
    users = rules.users_of(snapshot, account.account_id)
    activities = [known for known in snapshot.all(Activity).values() if known.account_id == account.account_id]
    since = min([account.created_timestamp, *(activity.time for activity in activities)])
    return [_week(report) for report in reversed(week_reports(users, activities, since, control.clock()))]


def _week(report: WeekReport) -> Fields:
    return {
        "WeekOf": [report.monday.isoformat(), (report.monday + timedelta(days=6)).isoformat()],
        "RegisteredUsers": report.registered_users,
        "ActiveUsers": report.active_users,
        "MeetingsHeld": report.meetings_held,
        "MeetingSatisfaction": report.meeting_satisfaction,
    }


# Support (2018 guide p. 25)


def submit_support_request(control: Control, ids: Ids, asked: object) -> object:
    """A ticket; a description of the issue is the least it must have."""
    keys = ("Description", "Occurred", "ClientVersion", "LogReferenceId", "MeetingId")
    given = Table(asked, "", keys).entries
    request = support_request({**given, "SupportRequestId": control.new_uuid()}, "")
    control.store.commit(request)
    return _request(control.store.snapshot.all(SupportRequest)[request.support_request_id])


def list_support_requests(control: Control, ids: Ids, asked: object) -> object:
    return [_request(known) for known in control.store.snapshot.all(SupportRequest).values()]


def _request(known: SupportRequest) -> Fields:
    return {**shape_of(known), "CreatedTimestamp": iso_8601(known.created_timestamp)}


ROUTES = (
    *chime_domains.ROUTES,
    *chime_directories.ROUTES,
    *chime_sign_in.ROUTES,
    Route("GET", "/accounts/{account_id}/delegates", list_delegates, action="ListDelegates"),
    Route("POST", "/accounts/{account_id}/delegates", request_delegate, 201),
    Route(
        "GET",
        "/accounts/{account_id}/delegates/{aws_account_id}/validate",
        validate_delegate,
        action="ValidateDelegate",
    ),
    Route("POST", "/accounts/{account_id}/delegates/{aws_account_id}/accept", accept_delegate, action="AcceptDelegate"),
    Route("DELETE", "/accounts/{account_id}/delegates/{aws_account_id}", delete_delegate, 204, action="DeleteDelegate"),
    Route("POST", "/accounts/{account_id}/activities", add_activity, 201),
    Route("GET", "/accounts/{account_id}/usage-reports", list_account_usage_reports, action="ListAccountUsageReports"),
    Route("POST", "/support-requests", submit_support_request, 201, action="SubmitSupportRequest"),
    Route("GET", "/support-requests", list_support_requests),
)
"""Each below `/emulator/chime`."""
