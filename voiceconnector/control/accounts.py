"""Amazon Chime accounts: create, find, rename, set, delete (2018 guide p. 5-6).

An AWS account has as many as its administrator creates, and none to begin with. Left out: the 90 days in which
the support can bring a deleted account back.
"""

from dataclasses import replace

from ..trunk.account_model import LICENSES, Account, Activity
from ..trunk.model import Snapshot
from . import account_rules as rules
from .context import Control, Fields
from .errors import ApiError
from .pages import page


def create_account(control: Control, asked: Fields) -> Fields:
    """A team account; names may be the same (p. 3)."""
    account = Account(control.new_uuid(), asked["Name"])
    control.store.commit(account)
    return {"Account": _shown(control, account.account_id)}


def list_accounts(control: Control, asked: Fields) -> Fields:
    """All, those whose name begins as asked, or the one that a user is in, by the user's e-mail address."""
    found = tuple(
        account
        for account in _candidates(control.store.snapshot, asked.get("UserEmail"))
        if account.name.startswith(asked.get("Name", ""))
    )
    accounts, token = page(found, asked)
    return {"Accounts": [_shown(control, account.account_id) for account in accounts], "NextToken": token}


def get_account(control: Control, asked: Fields) -> Fields:
    return {"Account": _shown(control, control.known(Account, asked["AccountId"]).account_id)}


def update_account(control: Control, asked: Fields) -> Fields:
    """Another name, or another licence for users who join from now on."""
    account = control.known(Account, asked["AccountId"])
    check_license(asked.get("DefaultLicense"))
    control.store.commit(
        replace(
            account,
            name=asked.get("Name", account.name),
            default_license=asked.get("DefaultLicense", account.default_license),
        )
    )
    return {"Account": _shown(control, account.account_id)}


def delete_account(control: Control, asked: Fields) -> Fields:
    """A team account without users, other than suspended ones; its domains are to be deleted before (p. 6)."""
    account = control.known(Account, asked["AccountId"])
    snapshot = control.store.snapshot
    if obstacle := rules.obstacle_to_deletion(snapshot, account):
        raise ApiError("UnprocessableEntityException", f"Account {account.account_id} cannot be deleted: {obstacle}")
    put, remove = rules.deleted(snapshot, account)
    activities = snapshot.all(Activity).values()
    remove += [activity for activity in activities if activity.account_id == account.account_id]
    control.store.commit(*put, remove=remove)
    return {}


def get_account_settings(control: Control, asked: Fields) -> Fields:
    account = control.known(Account, asked["AccountId"])
    settings = {
        "DisableRemoteControl": account.disable_remote_control,
        "EnableDialOut": account.enable_dial_out,
    }
    return {"AccountSettings": settings}


def update_account_settings(control: Control, asked: Fields) -> Fields:
    """What is not asked for stays as it is."""
    account = control.known(Account, asked["AccountId"])
    settings = asked["AccountSettings"]
    control.store.commit(
        replace(
            account,
            disable_remote_control=settings.get("DisableRemoteControl", account.disable_remote_control),
            enable_dial_out=settings.get("EnableDialOut", account.enable_dial_out),
        )
    )
    return {}


def associate_signin_delegate_groups_with_account(control: Control, asked: Fields) -> Fields:
    """Groups of a directory whose members may act as delegates; those that are associated already stay."""
    account = control.known(Account, asked["AccountId"])
    names = [group.get("GroupName") for group in asked["SigninDelegateGroups"]]
    if None in names:
        raise ApiError("BadRequestException", "each of SigninDelegateGroups must have its GroupName")
    groups = dict.fromkeys((*account.signin_delegate_groups, *names))
    control.store.commit(replace(account, signin_delegate_groups=tuple(groups)))
    return {}


def disassociate_signin_delegate_groups_from_account(control: Control, asked: Fields) -> Fields:
    """All of the groups that are named, or none where one is not associated."""
    account = control.known(Account, asked["AccountId"])
    names = asked["GroupNames"]
    for name in names:
        if name not in account.signin_delegate_groups:
            message = f"Account {account.account_id} has no sign-in delegate group '{name}'"
            raise ApiError("NotFoundException", message)
    left = tuple(name for name in account.signin_delegate_groups if name not in names)
    control.store.commit(replace(account, signin_delegate_groups=left))
    return {}


def check_license(asked: str | None) -> None:
    """Raises ApiError for a licence that nobody can assign."""
    if asked is not None and asked not in LICENSES:
        raise ApiError("BadRequestException", f"the licence {asked} cannot be assigned; choose {_or(LICENSES)}")


def _or(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _candidates(snapshot: Snapshot, user_email: str | None) -> tuple[Account, ...]:
    if user_email is None:
        return tuple(snapshot.all(Account).values())
    user = rules.user_of_email(snapshot, user_email)
    return (snapshot.all(Account)[user.account_id],) if user and user.account_id else ()


def _shown(control: Control, account_id: str) -> Fields:
    account = control.store.snapshot.all(Account)[account_id]
    return {
        "AwsAccountId": control.account_id,
        "AccountId": account.account_id,
        "Name": account.name,
        "AccountType": account.account_type,
        "CreatedTimestamp": account.created_timestamp,
        "DefaultLicense": account.default_license,
        "SupportedLicenses": list(LICENSES),
        "AccountStatus": "Active",
        "SigninDelegateGroups": [{"GroupName": name} for name in account.signin_delegate_groups],
    }
