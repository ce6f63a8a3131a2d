"""Who is in which Amazon Chime account, with which licence: the rules of the 2018 guide.

Functions of a snapshot and the time. Those that change something return what is to be committed, and commit
nothing themselves.
"""

from dataclasses import replace

from ..trunk.account_model import Account, Directory, DirectoryUser, Domain, License, User
from ..trunk.model import PhoneNumber, Resource, Snapshot
from ..trunk.store import Conflict

TRIAL_SECONDS = 30 * 86_400.0
"""How long a ProTrial lasts (2018 guide p. 13)."""


class SignInRefused(Exception):
    """Somebody cannot sign in; the text says why."""


# Who and where


def users_of(snapshot: Snapshot, account_id: str) -> tuple[User, ...]:
    """The users of an account, invited ones too, in order of creation."""
    return tuple(user for user in snapshot.all(User).values() if user.account_id == account_id)


def user_of_email(snapshot: Snapshot, email: str) -> User | None:
    """The user whose primary address this is; case does not matter."""
    wanted = email.casefold()
    users = snapshot.all(User).values()
    return next((user for user in users if user.primary_email and user.primary_email.casefold() == wanted), None)


def claiming(snapshot: Snapshot, domain_name: str) -> Account | None:
    """The account that a domain was verified for."""
    accounts = snapshot.all(Account).values()
    return next((account for account in accounts if domain_name in account.verified_domains), None)


def domain_of(email: str) -> str:
    """The domain of an e-mail address, in lower case."""
    return email.rpartition("@")[2].lower()


def account_of_email(snapshot: Snapshot, email: str) -> Account | None:
    """The account that an address belongs to: its user's, or the one that has claimed its domain."""
    user = user_of_email(snapshot, email)
    if user and user.account_id:
        return snapshot.all(Account)[user.account_id]
    return claiming(snapshot, domain_of(email))


def number_of(snapshot: Snapshot, user: User) -> PhoneNumber | None:
    """The phone number of a user."""
    return numbers_by_user(snapshot).get(user.user_id)


def numbers_by_user(snapshot: Snapshot) -> dict[str, PhoneNumber]:
    """The phone numbers that users have."""
    return {number.user_id: number for number in snapshot.all(PhoneNumber).values() if number.user_id}


# Licences and registration


def license_of(snapshot: Snapshot, user: User, now: float) -> str:
    """Basic, Plus, Pro or ProTrial.

    A trial goes on for 30 days from the registration, unless an administrator chooses a licence (2018 guide p. 13).
    With a directory, its groups decide, and only those of Plus begin with a trial.
    """
    held, on_trial = user.license_type, not user.trial_ended
    account = snapshot.all(Account).get(user.account_id or "")
    if account and account.directory_id:
        held = _directory_license(snapshot, account, user) or "Basic"
        on_trial = held == "Plus"
    if user.user_type != "PrivateUser" or user.registered_on is None or now >= user.registered_on + TRIAL_SECONDS:
        on_trial = False
    return "ProTrial" if on_trial else held


def _directory_license(snapshot: Snapshot, account: Account, user: User) -> License | None:
    person = directory_user(snapshot, account, user.primary_email or "")
    return group_license(account, person) if person else None


def group_license(account: Account, person: DirectoryUser) -> License | None:
    """The licence that groups give a user of the directory: Pro before Plus; None: no group has one (p. 8)."""
    given = {group.license_type for group in account.groups if group.group_name in person.groups}
    return "Pro" if "Pro" in given else "Plus" if given else None


def registration_of(snapshot: Snapshot, user: User) -> str:
    """Registered, Unregistered or Suspended (p. 10); who is disabled in the directory is suspended (p. 8)."""
    account = snapshot.all(Account).get(user.account_id or "")
    if user.suspended or (account and _disabled(snapshot, account, user)):
        return "Suspended"
    return "Unregistered" if user.invite_pending or user.registered_on is None else "Registered"


def _disabled(snapshot: Snapshot, account: Account, user: User) -> bool:
    person = directory_user(snapshot, account, user.primary_email or "") if account.directory_id else None
    return person is not None and person.disabled


def directory_user(snapshot: Snapshot, account: Account, email: str) -> DirectoryUser | None:
    """The user of an account's directory who has this address, as the primary one or as a proxy address (p. 8)."""
    wanted = email.casefold()
    directory = snapshot.all(Directory).get(account.directory_id or "")
    for person in directory.users if directory else ():
        if wanted in (known.casefold() for known in (person.email_address, *person.proxy_addresses)):
            return person
    return None


# Joining


def invited(snapshot: Snapshot, account: Account, email: str, now: float, newcomer: User, invite_id: str) -> User:
    """A user whom an account invites; one who is invited again keeps the invitation there is.

    Raises Conflict for an address of another account, and for one whose user has joined already.
    """
    owner = account_of_email(snapshot, email)
    if owner and owner.account_id != account.account_id:
        raise Conflict(f"the address belongs to the account {owner.account_id}")
    known = user_of_email(snapshot, email)
    if known and known.account_id and not (known.invite_pending or known.suspended):
        raise Conflict("the address is that of a user of this account")
    user = known or newcomer
    return replace(
        user,
        account_id=account.account_id,
        license_type=account.default_license,
        invite_id=user.invite_id if user.invite_pending else invite_id,
        invited_on=now,
        invite_pending=True,
    )


def accepted(user: User, display_name: str | None, now: float, pin: str) -> User:
    """An invited user who has chosen Accept, and registers where it had not (p. 4)."""
    return _registered(replace(user, invite_pending=False, suspended=False), display_name, now, pin)


def signed_in(snapshot: Snapshot, email: str, display_name: str | None, now: float, newcomer: User, pin: str) -> User:
    """A user who signs in, for the first time or again.

    Who has an address of a claimed domain becomes a user of that account (p. 12). Where it has a directory, the
    user is the directory's, whichever address of a claimed domain was used (p. 8-9). Raises SignInRefused.
    """
    account = claiming(snapshot, domain_of(email))
    if account and account.directory_id:
        person = _admitted(snapshot, account, email)
        email, display_name = person.email_address, person.display_name
    user = user_of_email(snapshot, email) or replace(newcomer, primary_email=email)
    if user.suspended:
        raise SignInRefused(f"an administrator of the account {user.account_id} has suspended this user")
    if account and (user.account_id is None or user.invite_pending):
        user = managed(user, account)
    return replace(_registered(user, display_name, now, pin), signed_in=True)


def managed(user: User, account: Account) -> User:
    """A user who comes into an account because of its domain."""
    return _uninvited(replace(user, account_id=account.account_id, license_type=account.default_license))


def _uninvited(user: User) -> User:
    return replace(user, invite_id=None, invited_on=None, invite_pending=False)


def _admitted(snapshot: Snapshot, account: Account, email: str) -> DirectoryUser:
    person = directory_user(snapshot, account, email)
    if person is None:
        raise SignInRefused(f"the directory {account.directory_id} has no user with this address")
    if person.disabled:
        raise SignInRefused(f"this user is disabled in the directory {account.directory_id}")
    if group_license(account, person) is None:
        raise SignInRefused("this user is in no group of the directory that has a licence, Plus or Pro")
    return person


def _registered(user: User, display_name: str | None, now: float, pin: str) -> User:
    """The trial and the PIN begin with the registration, and only once."""
    return replace(
        user,
        display_name=display_name or user.display_name or (user.primary_email or "").partition("@")[0],
        registered_on=now if user.registered_on is None else user.registered_on,
        personal_pin=user.personal_pin or pin,
    )


# Leaving


def removed(snapshot: Snapshot, user: User) -> tuple[list[Resource], list[Resource]]:
    """What is put and what is removed when a user leaves a team account (p. 12).

    Who has registered goes on as a free user; the licence and the number stay with the account.
    """
    number = number_of(snapshot, user)
    put: list[Resource] = [replace(number, user_id=None, associated=None)] if number else []
    if user.registered_on is None:
        return put, [user]
    free = replace(user, account_id=None, license_type="Basic", suspended=False)
    return [*put, _uninvited(free)], []


def obstacle_to_deletion(snapshot: Snapshot, account: Account) -> str:
    """Why an account cannot be deleted, in words; empty where it can (p. 6)."""
    domains = account.verified_domains
    if domains:
        return f"the account has claimed {', '.join(domains)}; delete its domains first, which makes it a team account"
    staying = [user for user in users_of(snapshot, account.account_id) if not user.suspended]
    if staying:
        count = "1 user" if len(staying) == 1 else f"{len(staying)} users"
        return f"the account has {count}; remove them first (BatchSuspendUser)"
    return ""


def deleted(snapshot: Snapshot, account: Account) -> tuple[list[Resource], list[Resource]]:
    """What is put and what is removed with an account that can be deleted: its suspended users go with it."""
    put: list[Resource] = []
    users = users_of(snapshot, account.account_id)
    for user in users:
        number = number_of(snapshot, user)
        put += [replace(number, user_id=None, associated=None)] if number else []
    return put, [account, *users]


# Domains


def verified(snapshot: Snapshot, account: Account, domain: Domain, now: float) -> list[Resource]:
    """A claimed domain whose record was found: the account is an enterprise account, free users of it are managed.

    Raises Conflict where the domain was verified for another account meanwhile.
    """
    owner = claiming(snapshot, domain.domain_name)
    if owner and owner.account_id != account.account_id:
        raise Conflict(f"{domain.domain_name} was verified for the account {owner.account_id}")
    known = tuple(replace(each, verified=now) if each == domain else each for each in account.domains)
    free = (user for user in snapshot.all(User).values() if user.account_id is None)
    joining = [managed(user, account) for user in free if domain_of(user.primary_email or "") == domain.domain_name]
    return [replace(account, domains=known), *joining]


def released(snapshot: Snapshot, account: Account, domain: Domain) -> list[Resource]:
    """An account without one of its domains: users with an address of it are suspended and signed out.

    Raises Conflict for the last domain of an account that is connected to a directory, which only an enterprise
    account can be.
    """
    left = tuple(each for each in account.domains if each != domain)
    if account.directory_id and not replace(account, domains=left).verified_domains:
        raise Conflict(
            f"{domain.domain_name} is the last domain of an account that is connected to the directory "
            f"{account.directory_id}; disconnect that first"
        )
    suspended = [
        replace(user, suspended=True, signed_in=False)
        for user in users_of(snapshot, account.account_id)
        if domain.verified is not None and domain_of(user.primary_email or "") == domain.domain_name
    ]
    return [replace(account, domains=left), *suspended]
