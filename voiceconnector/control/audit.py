"""AWS CloudTrail: the event that a call of the API leaves behind, in the guide's shape (p. 34-35).

Members are named as CloudTrail does, with a small first letter. What the service models call sensitive, and
passwords, are never written. Answers are kept of calls that change something (guide of 2018, p. 20).
"""

from typing import Any

from .access_keys import AccessKey
from .api import Call, Outcome
from .context import Fields
from .output import iso_8601
from .service import Shape

FOLDER = "cloudtrail"
"""Below data_dir, where the events are kept: a line of JSON each, in the file of their day."""
EVENT_SOURCE = "chime.amazonaws.com"
EVENT_VERSION = "1.05"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"

_SECRETS = frozenset({"Password"})


def event(call: Call, outcome: Outcome, caller: AccessKey | None, account_id: str, event_id: str) -> Fields:
    """The event of a call. `caller` is None where nobody knows whose access key it was."""
    operation = call.operation
    read_only = operation.method == "GET"
    answer = None if read_only else outcome.output
    error = outcome.error
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": _user_identity(call, caller, account_id),
        "eventTime": f"{iso_8601(call.time)[:19]}Z",
        "eventSource": EVENT_SOURCE,
        "eventName": operation.name,
        "awsRegion": call.scope.region if call.scope else "us-east-1",
        "sourceIPAddress": call.request.source_address,
        "userAgent": call.user_agent,
        **({"errorCode": error.name, "errorMessage": error.message.partition("\n\n")[0]} if error else {}),
        "requestParameters": _shown(operation.input, call.asked) or None,
        "responseElements": (_shown(operation.output, answer) or None) if answer else None,
        "requestID": call.request_id,
        "eventID": event_id,
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "recipientAccountId": account_id,
    }


def _user_identity(call: Call, caller: AccessKey | None, account_id: str) -> Fields:
    """Who it was ("CloudTrail userIdentity element", CloudTrail User Guide)."""
    if caller is None:
        given = {"accessKeyId": call.scope.access_key_id} if call.scope else {}
        return {"type": "Unknown", "accountId": account_id, **given}
    identity = {
        "type": caller.kind,
        "principalId": caller.principal_id(account_id),
        "arn": caller.arn(account_id),
        "accountId": account_id,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user_name:
        identity["userName"] = caller.user_name
    return identity | ({"sessionContext": _session(caller, account_id)} if caller.session_token else {})


def _session(caller: AccessKey, account_id: str) -> Fields:
    """Where temporary credentials come from. When they were made is not configured, and left out."""
    session: Fields = {"attributes": {"mfaAuthenticated": "false"}}
    if caller.role_name:
        session["sessionIssuer"] = {
            "type": "Role",
            "principalId": caller.principal_id(account_id).partition(":")[0],
            "arn": caller.identity_arn(account_id),
            "accountId": account_id,
            "userName": caller.role_name,
        }
    return session


def _shown(shape: Shape, value: Any) -> Any:
    """A value as CloudTrail shows it."""
    if shape.sensitive:
        return HIDDEN
    if shape.kind == "timestamp":
        return iso_8601(value)
    if shape.kind == "structure":
        return {
            name[:1].lower() + name[1:]: HIDDEN if name in _SECRETS else _shown(member.shape, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.kind == "list":
        assert shape.item
        return [_shown(shape.item, item) for item in value]
    if shape.kind == "map":
        assert shape.item
        return {key: _shown(shape.item, item) for key, item in value.items()}
    return value
