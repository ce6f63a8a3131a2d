"""The service-linked role of Voice Connectors, as IAM shows and deletes it (guide p. 16-18).

IAM itself is not served here: the role is under /emulator/iam/service-linked-role.
"""

from typing import Any

from ..trunk.decisions import listed
from ..trunk.roles import ROLE_NAME, ServiceLinkedRole, streaming
from ..trunk.store import Conflict, NotFound
from .access_keys import unique_id
from .context import Control, Fields
from .output import iso_8601

SERVICE = "voiceconnector.chime.amazonaws.com"
"""Who may assume it."""
POLICY_NAME = "AmazonChimeVoiceConnectorServiceLinkedRolePolicy"


def get_service_linked_role(control: Control) -> Fields:
    """The role, with the members of IAM's Role, and the policy that is attached to it. Raises NotFound."""
    role = _role(control)
    path = f"/aws-service-role/{SERVICE}/"
    arn = f"arn:aws:iam::{control.account_id}:role{path}{ROLE_NAME}"
    trust = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"}
    return {
        "Path": path,
        "RoleName": ROLE_NAME,
        "RoleId": unique_id("AROA", arn),
        "Arn": arn,
        "CreateDate": iso_8601(role.created_timestamp),
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "AttachedPolicies": [
            {"PolicyName": POLICY_NAME, "PolicyArn": f"arn:aws:iam::aws:policy/aws-service-role/{POLICY_NAME}"}
        ],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": _statements(control.account_id)},
    }


def delete_service_linked_role(control: Control) -> None:
    """Raises NotFound, and Conflict while a connector streams."""
    role = _role(control)
    using = tuple(connector.voice_connector_id for connector in streaming(control.store.snapshot))
    if using:
        raise Conflict(
            f"{ROLE_NAME} is in use: media streaming of {listed(using, 3)} goes on. Stop it with "
            "DeleteVoiceConnectorStreamingConfiguration, then delete the role"
        )
    control.store.commit(remove=[role])


def _role(control: Control) -> ServiceLinkedRole:
    role = control.store.snapshot.all(ServiceLinkedRole).get(ROLE_NAME)
    if role is None:
        raise NotFound(
            f"{ROLE_NAME} does not exist: it is created when a Voice Connector starts to stream "
            "(PutVoiceConnectorStreamingConfiguration), or a SIP media application is created or updated"
        )
    return role


def _statements(account_id: str) -> list[dict[str, Any]]:
    """The actions and resources that the guide lists (p. 16)."""
    allowed = (
        ("chime:GetVoiceConnector*", "*"),
        ("kinesisvideo:*", f"arn:aws:kinesisvideo:us-east-1:{account_id}:stream/ChimeVoiceConnector-*"),
        ("polly:SynthesizeSpeech", "*"),
    )
    return [{"Effect": "Allow", "Action": action, "Resource": resource} for action, resource in allowed]
