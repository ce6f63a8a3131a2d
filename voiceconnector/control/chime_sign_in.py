"""What users do, with their mail and the Amazon Chime application: accept an invitation, sign in, set their privacy.

Neither has an API at AWS; here they stand under `/emulator/chime`, beside the user details that only the console
shows (2018 guide p. 4, 10-12).
"""

from dataclasses import replace

from ..trunk.account_model import Account, User, email_address, privacy_setting, words
from ..trunk.tables import Table
from . import account_rules as rules
from .chime_routes import Ids, Route
from .context import Control, Fields
from .errors import ApiError
from .output import iso_8601
from .users import known_user, new_pin


def list_invites(control: Control, ids: Ids, asked: object) -> object:
    """The e-mails that invited users have got, with the account's name of today (p. 6)."""
    account = control.known(Account, ids["account_id"])
    users = rules.users_of(control.store.snapshot, account.account_id)
    return [
        {
            "InviteId": user.invite_id,
            "EmailAddress": user.primary_email,
            "AccountName": account.name,
            "InvitedOn": iso_8601(user.invited_on or 0.0),
            "Status": "Pending" if user.invite_pending else "Accepted",
        }
        for user in users
        if user.invite_id
    ]


def accept_invite(control: Control, ids: Ids, asked: object) -> object:
    """What the link of the e-mail does; who had not registered does so with it, under a display name."""
    display_name = Table(asked, "", ("DisplayName",)).get("DisplayName", words, None)
    for user in control.store.snapshot.all(User).values():
        if user.invite_pending and user.invite_id == ids["invite_id"]:
            accepted = rules.accepted(user, display_name, control.clock(), new_pin(control))
            control.store.commit(accepted)
            return _details(control, accepted)
    raise ApiError("NotFoundException", f"there is no pending invitation {ids['invite_id']}")


def sign_in(control: Control, ids: Ids, asked: object) -> object:
    """A user signs in, for the first time or again; 403 where that is not allowed."""
    table = Table(asked, "", ("Email", "DisplayName"))
    email = table.required("Email", email_address)
    display_name = table.get("DisplayName", words, None)
    newcomer = User(control.new_uuid(), None, None)
    snapshot = control.store.snapshot
    user = rules.signed_in(snapshot, email, display_name, control.clock(), newcomer, new_pin(control))
    control.store.commit(user)
    return _details(control, user)


def user_details(control: Control, ids: Ids, asked: object) -> object:
    return _details(control, known_user(control, {"AccountId": ids["account_id"], "UserId": ids["user_id"]}))


def set_privacy(control: Control, ids: Ids, asked: object) -> object:
    """Public or Private: who sees whether a user is there."""
    user = known_user(control, {"AccountId": ids["account_id"], "UserId": ids["user_id"]})
    chosen = Table(asked, "", ("PrivacySetting",)).required("PrivacySetting", privacy_setting)
    control.store.commit(replace(user, privacy_setting=chosen))
    return user_details(control, ids, None)


def _details(control: Control, user: User) -> Fields:
    """The page of p. 10; of an invited user, what an administrator may know before the invitation is accepted."""
    snapshot = control.store.snapshot
    account = snapshot.all(Account).get(user.account_id or "")
    fields: Fields = {
        "UserId": user.user_id,
        "AccountId": user.account_id,
        "EmailAddress": user.primary_email,
        "Registration": rules.registration_of(snapshot, user),
        "License": rules.license_of(snapshot, user, control.clock()),
        "SignInWith": "Active Directory" if account and account.directory_id else "Login with Amazon",
    }
    if user.invited_on is not None:
        fields["Invited"] = iso_8601(user.invited_on)
    if not user.invite_pending and user.registered_on is not None:
        fields |= {
            "DisplayName": user.display_name,
            "Joined": iso_8601(user.registered_on),
            "PersonalPIN": user.personal_pin,
            "PrivacySetting": user.privacy_setting,
            "SignedIn": user.signed_in and fields["Registration"] != "Suspended",
        }
    return fields


ROUTES = (
    Route("GET", "/accounts/{account_id}/invites", list_invites),
    Route("POST", "/invites/{invite_id}/accept", accept_invite),
    Route("POST", "/sign-ins", sign_in, 201),
    Route("GET", "/accounts/{account_id}/users/{user_id}", user_details),
    Route("PUT", "/accounts/{account_id}/users/{user_id}/privacy-setting", set_privacy),
)
