"""Who makes a request of the API, and whether they may: `[http] auth`.

`open` lets everybody in, whatever they sign with, also who does not sign at all. `verify` lets in who signs with one
of the configured access keys. `enforce` asks the policies of that key besides, in the words of IAM ("Troubleshoot
access denied error messages", IAM User Guide); the root user of the account may do all.

An action is named for its operation. Operations on a Voice Connector or a SIP media application are on its ARN, which
a policy may name ("Actions, resources, and condition keys for Amazon Chime"; the guide of 2022, p. 9, knew none yet);
all others are on "*", which only the resource "*" of a policy covers.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from ..trunk.model import AWS_REGIONS
from ..trunk.sip_rules import SipMediaApplication
from ..trunk.tagging import Tags
from .access_keys import Access, AccessKey
from .api import Call
from .conditions import Context
from .context import Control, Fields
from .errors import ApiError
from .policies import Verdict, verdict
from .sigv4 import verify

NOT_AUTHENTICATED = frozenset(
    {
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
        "ExpiredTokenException",
    }
)
"""The exceptions that leave open who it was."""


class Guard:
    """Lets requests in, or does not."""

    def __init__(self, access: Access, control: Control) -> None:
        self._auth = access.auth
        self._keys = {key.access_key_id: key for key in access.keys}
        self._control = control

    def authorize(self, call: Call) -> None:
        """Raises ApiError where the caller may not make this call."""
        if self._auth == "open":
            return
        key = verify(call.request, self._keys, call.time)
        if self._auth == "verify" or key.kind == "Root":
            return
        action = f"chime:{call.operation.name}"
        context = context_of(call, key, self._control.account_id)
        for resource in self._resources(call):
            found = verdict(key.policies, action, resource, {**context, **self._tags_on(resource)})
            if not found.allowed:
                raise _refusal(key, self._control.account_id, action, resource, found)

    def caller(self, call: Call, error: ApiError | None) -> AccessKey | None:
        """Whose access key a call was made with; None where that is not known, or is not believed."""
        if call.scope is None or (error and error.name in NOT_AUTHENTICATED):
            return None
        return self._keys.get(call.scope.access_key_id)

    def _resources(self, call: Call) -> tuple[str, ...]:
        """The ARNs that a call is about; "*" where it is about none."""
        if isinstance(arn := call.asked.get("ResourceARN"), str):
            return (arn,)
        asked, snapshot = call.asked, self._control.store.snapshot
        elsewhere = call.scope.region if call.scope else AWS_REGIONS[0]
        found = []
        for id_ in _named(asked, "VoiceConnectorId", "VoiceConnectorItems"):
            connector = snapshot.by_id.get(id_)
            found.append(self._control.arn(connector.aws_region if connector else elsewhere, f"vc/{id_}"))
        for id_ in _named(asked, "SipMediaApplicationId", "TargetApplications"):
            application = snapshot.all(SipMediaApplication).get(id_)
            found.append(self._control.arn(application.aws_region if application else elsewhere, f"sma/{id_}"))
        return tuple(found) or ("*",)

    def _tags_on(self, arn: str) -> Context:
        """The tags that a resource has already."""
        known = self._control.store.snapshot.all(Tags).get(arn.rpartition("/")[2])
        return {f"aws:resourcetag/{tag.key.lower()}": (tag.value,) for tag in known.tags} if known else {}


def _named(asked: Fields, key: str, items: str) -> Iterator[str]:
    """The ids under a key, of the request and of the items of one of its lists."""
    for fields in (asked, *(asked.get(items) or ())):
        if isinstance(fields, Mapping) and isinstance(fields.get(key), str):
            yield fields[key]


def context_of(call: Call, key: AccessKey, account_id: str) -> Context:
    """What the conditions of policies are compared with ("AWS global condition context keys", IAM User Guide)."""
    tags = _tags(call.asked)
    known: dict[str, Any] = {
        "aws:SourceIp": call.request.source_address,
        "aws:CurrentTime": datetime.fromtimestamp(call.time, UTC).isoformat(),
        "aws:EpochTime": f"{call.time:.0f}",
        "aws:SecureTransport": "false",
        "aws:UserAgent": call.user_agent,
        "aws:RequestedRegion": call.scope.region if call.scope else "",
        "aws:PrincipalAccount": account_id,
        "aws:PrincipalArn": key.identity_arn(account_id),
        "aws:PrincipalType": "User" if key.user_name else "AssumedRole",
        "aws:userid": key.principal_id(account_id),
        "aws:username": key.user_name,
        "aws:MultiFactorAuthPresent": "false" if key.session_token else "",
        "aws:ViaAWSService": "false",
        "aws:TagKeys": (*tags, *(call.asked.get("TagKeys") or ())),
        **{f"aws:RequestTag/{name}": value for name, value in tags.items()},
    }
    return {name.lower(): (value,) if isinstance(value, str) else value for name, value in known.items() if value}


def _tags(asked: Fields) -> dict[str, str]:
    """The tags that a request brings."""
    listed = asked.get("Tags") or ()
    return {tag["Key"]: tag.get("Value") or "" for tag in listed if isinstance(tag, Mapping) and tag.get("Key")}


def _refusal(key: AccessKey, account_id: str, action: str, resource: str, found: Verdict) -> ApiError:
    start = f"User: {key.arn(account_id)} is not authorized to perform: {action} on resource: {resource}"
    if found.policy:
        where = f"{found.policy}, statement {found.statement}" if found.statement else found.policy
        return ApiError("AccessDeniedException", f"{start} with an explicit deny in an identity-based policy: {where}")
    policies = ", ".join(policy.name for policy in key.policies) or "none"
    return ApiError(
        "AccessDeniedException",
        f"{start} because no identity-based policy allows the {action} action (policies of this key: {policies})",
    )
