"""Users of Amazon Chime accounts: invite, find, license, suspend, give a PIN and a number (2018 guide p. 10-13).

What users do themselves (accepting an invitation, signing in) has no API at AWS; `chime_sign_in` has it here.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from ..trunk.account_model import Account, AlexaForBusinessMetadata, TelephonySettings, User, UserType
from ..trunk.model import PhoneNumber
from ..trunk.store import Conflict
from . import account_rules as rules
from .accounts import check_license
from .context import Control, Fields, not_found
from .errors import ApiError
from .pages import page

_PIN_DIGITS = 10  # p. 11: 0123456789


def invite_users(control: Control, asked: Fields) -> Fields:
    """Invitations to a team account, one for each address; those that fail say so, and hold up no others."""
    account = control.known(Account, asked["AccountId"])
    if account.account_type != "Team":
        raise ApiError(
            "BadRequestException",
            f"Account {account.account_id} is an enterprise account: users join it by signing in with an address of "
            "its domains; only team accounts invite",
        )
    user_type = asked.get("UserType", "PrivateUser")
    return {"Invites": [_invite(control, account, email, user_type) for email in asked["UserEmailList"]]}


def _invite(control: Control, account: Account, email: str, user_type: UserType) -> Fields:
    newcomer = User(control.new_uuid(), account.account_id, email, user_type=user_type)
    snapshot, invite_id = control.store.snapshot, control.new_uuid()
    try:
        user = rules.invited(snapshot, account, email, control.clock(), newcomer, invite_id)
    except Conflict:
        return {"InviteId": invite_id, "Status": "Failed", "EmailAddress": email, "EmailStatus": "NotSent"}
    control.store.commit(user)
    return {"InviteId": user.invite_id, "Status": "Pending", "EmailAddress": email, "EmailStatus": "Sent"}


def create_user(control: Control, asked: Fields) -> Fields:
    """A user without an invitation: a shared device is registered at once, a person by signing in."""
    account = control.known(Account, asked["AccountId"])
    email, name = asked.get("Email"), asked.get("Username")
    if not (email or name):
        raise ApiError("BadRequestException", "a user must have an Email or a Username")
    if email:
        _check_address_is_free(control, account, email)
    # Unverified: which users are registered from the beginning; an answer of the API shows a shared device that is.
    shared = asked.get("UserType") == "SharedDevice"
    user = User(
        control.new_uuid(),
        account.account_id,
        email,
        display_name=name or (email or "").partition("@")[0],
        license_type=account.default_license,
        user_type="SharedDevice" if shared else "PrivateUser",
        registered_on=control.clock() if shared else None,
        personal_pin=new_pin(control) if shared else None,
    )
    control.store.commit(user)
    return {"User": _shown(control, user.user_id)}


def _check_address_is_free(control: Control, account: Account, email: str) -> None:
    owner = rules.account_of_email(control.store.snapshot, email)
    if rules.user_of_email(control.store.snapshot, email):
        raise ApiError("ConflictException", "there is a user with this e-mail address already")
    if owner and owner.account_id != account.account_id:
        raise ApiError("ConflictException", "the domain of this e-mail address belongs to another account")


def list_users(control: Control, asked: Fields) -> Fields:
    """The users of an account, invited ones too; all, or by primary e-mail address or type."""
    account = control.known(Account, asked["AccountId"])
    wanted_email, wanted_type = asked.get("UserEmail"), asked.get("UserType")
    found = tuple(
        user
        for user in rules.users_of(control.store.snapshot, account.account_id)
        if wanted_email is None or (user.primary_email or "").casefold() == wanted_email.casefold()
        if wanted_type is None or user.user_type == wanted_type
    )
    users, token = page(found, asked)
    numbers = rules.numbers_by_user(control.store.snapshot)
    return {"Users": [_fields(control, user, numbers.get(user.user_id)) for user in users], "NextToken": token}


def get_user(control: Control, asked: Fields) -> Fields:
    return {"User": _shown(control, known_user(control, asked).user_id)}


def update_user(control: Control, asked: Fields) -> Fields:
    """Another licence (which ends a ProTrial), another type, other metadata of Alexa for Business."""
    user = known_user(control, asked)
    control.store.commit(_updated(control, user, asked))
    return {"User": _shown(control, user.user_id)}


def batch_update_user(control: Control, asked: Fields) -> Fields:
    """The same for up to 20 users; what fails for one holds up no other."""
    account = control.known(Account, asked["AccountId"])
    errors = []
    for item in asked["UpdateUserRequestItems"]:
        errors += _for_each(control, account, [item["UserId"]], partial(_update, control, item))
    return {"UserErrors": errors}


def _update(control: Control, asked: Fields, user: User) -> None:
    control.store.commit(_updated(control, user, asked))


def _updated(control: Control, user: User, asked: Fields) -> User:
    license_type = asked.get("LicenseType")
    if license_type:
        check_license(license_type)
        account = control.known(Account, user.account_id or "")
        if account.directory_id:
            raise ApiError(
                "BadRequestException",
                f"the groups of the directory {account.directory_id} decide the licences of this account's users; "
                "change a group or its licence",
            )
        user = replace(user, license_type=license_type, trial_ended=True)
    alexa = user.alexa_for_business_metadata
    given = asked.get("AlexaForBusinessMetadata", {})
    return replace(
        user,
        user_type=asked.get("UserType", user.user_type),
        alexa_for_business_metadata=AlexaForBusinessMetadata(
            given.get("IsAlexaForBusinessEnabled", alexa.is_alexa_for_business_enabled),
            given.get("AlexaForBusinessRoomArn", alexa.alexa_for_business_room_arn),
        ),
    )


def batch_suspend_user(control: Control, asked: Fields) -> Fields:
    """Removes users from a team account, who become free users; suspends those of an enterprise account (p. 12)."""
    account = control.known(Account, asked["AccountId"])
    if account.account_type == "EnterpriseDirectory":
        raise ApiError(
            "BadRequestException",
            f"Account {account.account_id} has a directory: disable users in {account.directory_id}, which keeps "
            "them from signing in",
        )
    change = _remove if account.account_type == "Team" else _suspend
    return {"UserErrors": _for_each(control, account, asked["UserIdList"], partial(change, control))}


def _remove(control: Control, user: User) -> None:
    put, remove = rules.removed(control.store.snapshot, user)
    control.store.commit(*put, remove=remove)


def _suspend(control: Control, user: User) -> None:
    control.store.commit(replace(user, suspended=True, signed_in=False))


def batch_unsuspend_user(control: Control, asked: Fields) -> Fields:
    """Lets suspended users of an enterprise account sign in again; who is not suspended is left alone."""
    account = control.known(Account, asked["AccountId"])
    if account.account_type != "EnterpriseLWA":
        raise ApiError(
            "BadRequestException",
            f"Account {account.account_id} is of the type {account.account_type}, and only users of EnterpriseLWA "
            "accounts can be unsuspended; invite those of a team account again (InviteUsers)",
        )
    return {"UserErrors": _for_each(control, account, asked["UserIdList"], partial(_unsuspend, control))}


def _unsuspend(control: Control, user: User) -> None:
    if user.suspended:
        control.store.commit(replace(user, suspended=False))


def _for_each(
    control: Control, account: Account, user_ids: Iterable[str], change: Callable[[User], None]
) -> list[Fields]:
    """Change users of an account one by one; the errors of those for whom it failed."""
    errors = []
    for user_id in user_ids:
        try:
            change(known_user(control, {"AccountId": account.account_id, "UserId": user_id}))
        except ApiError as error:
            errors.append({"UserId": user_id, "ErrorCode": error.code, "ErrorMessage": error.message})
    return errors


def reset_personal_pin(control: Control, asked: Fields) -> Fields:
    """A new PIN, which no other user has; meetings of the old one are to be scheduled anew (p. 12)."""
    user = known_user(control, asked)
    if user.personal_pin is None or user.invite_pending:
        raise ApiError("BadRequestException", f"User {user.user_id} has not registered yet, and has no PIN")
    control.store.commit(replace(user, personal_pin=new_pin(control)))
    return {"User": _shown(control, user.user_id)}


def logout_user(control: Control, asked: Fields) -> Fields:
    """Signs a user out of all devices; one who is signed in nowhere stays so."""
    control.store.commit(replace(known_user(control, asked), signed_in=False))
    return {}


def get_user_settings(control: Control, asked: Fields) -> Fields:
    telephony = known_user(control, asked).telephony
    settings = {
        "InboundCalling": telephony.inbound_calling,
        "OutboundCalling": telephony.outbound_calling,
        "SMS": telephony.sms,
    }
    return {"UserSettings": {"Telephony": settings}}


def update_user_settings(control: Control, asked: Fields) -> Fields:
    user, settings = known_user(control, asked), asked["UserSettings"]["Telephony"]
    telephony = TelephonySettings(settings["InboundCalling"], settings["OutboundCalling"], settings["SMS"])
    control.store.commit(replace(user, telephony=telephony))
    return {}


def associate_phone_number_with_user(control: Control, asked: Fields) -> Fields:
    """A number of the inventory for Business Calling, which nobody else has, for a user who has none."""
    user = known_user(control, asked)
    number = _free_number(control, asked["E164PhoneNumber"])
    held = rules.number_of(control.store.snapshot, user)
    if held:
        raise ApiError("BadRequestException", f"User {user.user_id} has a phone number; disassociate it first")
    control.store.commit(replace(number, user_id=user.user_id, associated=control.clock()))
    return {}


def _free_number(control: Control, e164: str) -> PhoneNumber:
    """Raises ApiError. The texts do not name the number, which the model calls sensitive."""
    snapshot = control.store.snapshot
    written = e164 if e164.startswith("+") else f"+{e164}"
    number = snapshot.all(PhoneNumber).get(written)
    if number is None or number.deletion_due is not None:
        raise ApiError("NotFoundException", "the phone number is not in the inventory, or is in the deletion queue")
    if number.progress:
        raise ApiError(
            "BadRequestException", f"the phone number is {number.progress}; wait until its order is fulfilled"
        )
    if number.product_type != "BusinessCalling":
        raise ApiError(
            "BadRequestException",
            f"the phone number is for {number.product_type}; users have numbers for BusinessCalling "
            "(UpdatePhoneNumber changes the product type)",
        )
    if number.user_id is not None or written in snapshot.by_phone_number:
        raise ApiError("BadRequestException", "the phone number is associated already; disassociate it first")
    return number


def disassociate_phone_number_from_user(control: Control, asked: Fields) -> Fields:
    user = known_user(control, asked)
    number = rules.number_of(control.store.snapshot, user)
    if number is None:
        raise ApiError("BadRequestException", f"User {user.user_id} has no phone number")
    control.store.commit(replace(number, user_id=None, associated=None))
    return {}


def known_user(control: Control, asked: Fields) -> User:
    """The user of AccountId and UserId. Raises ApiError."""
    account = control.known(Account, asked["AccountId"])
    user = control.known(User, asked["UserId"])
    if user.account_id != account.account_id:
        raise not_found(User, user.user_id)
    return user


def new_pin(control: Control) -> str:
    """Ten digits that no user has."""
    taken = {user.personal_pin for user in control.store.snapshot.all(User).values()}
    while (pin := "".join(control.chance.choices("0123456789", k=_PIN_DIGITS))) in taken:
        pass
    return pin


def _shown(control: Control, user_id: str) -> Fields:
    user = control.store.snapshot.all(User)[user_id]
    return _fields(control, user, rules.number_of(control.store.snapshot, user))


def _fields(control: Control, user: User, number: PhoneNumber | None) -> Fields:
    """A user as the API has it; of one who has not accepted the invitation not all is shown (p. 10)."""
    snapshot = control.store.snapshot
    fields: Fields = {
        "UserId": user.user_id,
        "AccountId": user.account_id,
        "PrimaryEmail": user.primary_email,
        "PrimaryProvisionedNumber": number.e164_phone_number if number else None,
        "LicenseType": rules.license_of(snapshot, user, control.clock()),
        "UserType": user.user_type,
        "UserRegistrationStatus": rules.registration_of(snapshot, user),
        "UserInvitationStatus": user.invite_id and ("Pending" if user.invite_pending else "Accepted"),
        "InvitedOn": user.invited_on,
        "AlexaForBusinessMetadata": {
            "IsAlexaForBusinessEnabled": user.alexa_for_business_metadata.is_alexa_for_business_enabled,
            "AlexaForBusinessRoomArn": user.alexa_for_business_metadata.alexa_for_business_room_arn,
        },
    }
    if not user.invite_pending:
        fields |= {
            "DisplayName": user.display_name,
            "RegisteredOn": user.registered_on,
            "PersonalPIN": user.personal_pin,
        }
    return fields
