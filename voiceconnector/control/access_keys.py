"""Who may use the API: `[http] auth` and the access keys, as the configuration gives them, and whose they are.

An access key belongs to an IAM user (`UserName`), to a session of a role (`RoleName`, temporary credentials only),
or to the root user of the account (neither). The keys of an entry are those of AWS: what `aws sts assume-role` and
`aws iam create-access-key` print can be copied.
"""

from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from ..trunk.tables import ShapeError, Table, choice, matching
from .managed_policies import managed_policy
from .policies import Policy, policy

_KEYS = (
    "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration",
    "UserName", "RoleName", "RoleSessionName",
    "ManagedPolicies", "Policies",
)  # fmt: skip
_ACCESS_KEY_ID = matching(r"\w{3,128}", "3 to 128 letters, digits and underscores")
_SECRET = matching(r"[\x21-\x7e]{1,4096}", "1 to 4096 printable ASCII characters without spaces")
_NAME = matching(r"[\w+=,.@-]{1,64}", "1 to 64 letters, digits and +=,.@_-")

Auth = Literal["open", "verify", "enforce"]
Kind = Literal["IAMUser", "AssumedRole", "Root"]
ReadFile = Callable[[str], str]
"""Reads the file of a policy, or raises ValueError saying why not."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One access key, and what may be done with it."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)
    """Of temporary credentials; empty for others."""
    expiration: float | None = None
    """When temporary credentials end, Unix time; None: they do not."""
    user_name: str = ""
    role_name: str = ""
    role_session_name: str = ""
    policies: tuple[Policy, ...] = ()

    @property
    def kind(self) -> Kind:
        """As CloudTrail calls it."""
        return "IAMUser" if self.user_name else "AssumedRole" if self.role_name else "Root"

    def arn(self, account_id: str) -> str:
        """The principal that makes the request."""
        if self.role_name:
            return f"arn:aws:sts::{account_id}:assumed-role/{self.role_name}/{self.role_session_name}"
        return self.identity_arn(account_id)

    def identity_arn(self, account_id: str) -> str:
        """The user or role that the policies are attached to."""
        name = f"user/{self.user_name}" if self.user_name else f"role/{self.role_name}" if self.role_name else "root"
        return f"arn:aws:iam::{account_id}:{name}"

    def principal_id(self, account_id: str) -> str:
        """What `aws:userid` is: the unique id of the user or role, with the name of the role's session."""
        if self.kind == "Root":
            return account_id
        identity = unique_id("AIDA" if self.user_name else "AROA", self.identity_arn(account_id))
        return f"{identity}:{self.role_session_name}" if self.role_name else identity


@lru_cache(64)
def unique_id(prefix: str, arn: str) -> str:
    """An id as IAM gives to each user (AIDA…) and role (AROA…): the same for an ARN at each start."""
    return f"{prefix}{b32encode(sha256(arn.encode()).digest()).decode()[:17]}"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may use the API."""

    auth: Auth = "open"
    keys: tuple[AccessKey, ...] = ()


def access(table: Table, read_file: ReadFile) -> Access:
    """The keys `auth` and `access_keys` of [http]. Raises ShapeError."""
    found = Access(
        table.get("auth", choice("open", "verify", "enforce"), "open"),
        table.shapes("access_keys", lambda entries, path: access_key(entries, path, read_file)),
    )
    path = table.path_of("access_keys")
    if found.auth != "open" and not found.keys:
        raise ShapeError(path, f'is missing: with {table.path_of("auth")} = "{found.auth}", nobody gets in without one')
    known: dict[str, int] = {}
    for index, key in enumerate(found.keys):
        first = known.setdefault(key.access_key_id, index)
        if first != index:
            raise ShapeError(f"{path}[{index}].AccessKeyId", f"is that of {path}[{first}] already")
    return found


def access_key(entries: object, path: str, read_file: ReadFile) -> AccessKey:
    """An entry of [[http.access_keys]]. Raises ShapeError."""
    table = Table(entries, path, _KEYS)
    role_name = table.get("RoleName", _NAME, "")
    key = AccessKey(
        access_key_id=table.required("AccessKeyId", _ACCESS_KEY_ID),
        secret_access_key=table.required("SecretAccessKey", _SECRET),
        session_token=table.get("SessionToken", _SECRET, ""),
        expiration=table.get("Expiration", _instant, None),
        user_name=table.get("UserName", _NAME, ""),
        role_name=role_name,
        role_session_name=table.get("RoleSessionName", _NAME, "session" if role_name else ""),
        policies=(
            *table.each("ManagedPolicies", managed_policy),
            *table.shapes("Policies", lambda document, at: policy(document, at, read_file)),
        ),
    )
    _check(table, key)
    return key


def _check(table: Table, key: AccessKey) -> None:
    """Raise ShapeError for what IAM does not have."""
    for there, wrong, why in (
        ("RoleName", "UserName" in table, f"must not come with {table.path}.UserName: a key is a user's or a role's"),
        ("RoleName", not key.session_token, f"must come with {table.path}.SessionToken, as roles have no lasting keys"),
        ("RoleSessionName", not key.role_name, f"must come with {table.path}.RoleName"),
        ("Expiration", not key.session_token, f"must come with {table.path}.SessionToken: lasting keys do not expire"),
        ("ManagedPolicies", key.kind == "Root", _ROOT.format(path=table.path)),
        ("Policies", key.kind == "Root", _ROOT.format(path=table.path)),
    ):
        if there in table and wrong:
            raise ShapeError(table.path_of(there), why)


_ROOT = "must come with {path}.UserName or RoleName, as the root user of an account has no policies and may do all"


def _instant(value: object) -> float:
    """Unix time of an ISO 8601 date, as text or as TOML has it; without an offset it is UTC."""
    allowed = "must be a date and time such as 2026-12-31T23:59:59Z"
    try:
        given = (
            value if isinstance(value, datetime) else datetime.fromisoformat(value if isinstance(value, str) else "")
        )
    except ValueError:
        raise ValueError(allowed) from None
    return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
