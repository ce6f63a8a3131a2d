"""Random histories of an Amazon Chime account against a model of the 2018 guide's rules."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.control.cloud import ACCOUNT_ID, REGIONS, Clock
from voiceconnector.control import account_rules, accounts, chime_domains, chime_sign_in, users
from voiceconnector.control.chime_routes import LookUp, Texts
from voiceconnector.control.context import Control
from voiceconnector.control.errors import ApiError
from voiceconnector.trunk.account_model import Account, User
from voiceconnector.trunk.model import PhoneNumber
from voiceconnector.trunk.profile import LAB
from voiceconnector.trunk.store import Store

DAY = 86_400.0
DOMAIN = "example.com"
PEOPLE = (f"mary@{DOMAIN}", "richard@example.net")
NUMBERS = ("+12065550100", "+12065550101")
Step = tuple[Any, ...]

person = st.sampled_from(PEOPLE)
steps = st.one_of(
    st.tuples(st.just("invite"), person),
    st.tuples(st.just("accept"), person),
    st.tuples(st.just("sign_in"), person),
    st.tuples(st.just("license"), person, st.sampled_from(["Basic", "Plus", "Pro", "ProTrial"])),
    st.tuples(st.just("default"), st.sampled_from(["Basic", "Plus", "Pro"])),
    st.tuples(st.just("suspend"), person),
    st.tuples(st.just("unsuspend"), person),
    st.tuples(st.just("number"), person, st.sampled_from(NUMBERS)),
    st.tuples(st.just("no_number"), person),
    st.tuples(st.just("claim")),
    st.tuples(st.just("release")),
    st.tuples(st.just("wait"), st.sampled_from([1, 14, 15, 29, 30])),
)


@dataclass
class Person:
    """What the guide lets one say of somebody."""

    place: str = "nowhere"
    """nowhere, invited, member; free users are nowhere."""
    licence: str = "Basic"
    trial_over: bool = False
    registered: float | None = None
    suspended: bool = False
    number: str | None = None


class Oracle:
    """The guide's rules, told about one account and two people."""

    def __init__(self, now: float) -> None:
        self.people = {email: Person() for email in PEOPLE}
        self.enterprise = False
        self.default_licence = "Plus"
        self.now = now

    def invite(self, email: str) -> None:
        who = self.people[email]
        if not self.enterprise and (who.place != "member" or who.suspended):
            self.people[email] = replace(who, place="invited", licence=self.default_licence)

    def accept(self, email: str) -> None:
        who = self.people[email]
        if who.place == "invited":
            self._register(who)
            who.place, who.suspended = "member", False

    def sign_in(self, email: str) -> None:
        who = self.people[email]
        if who.suspended:
            return
        self._register(who)
        if self.enterprise and email.endswith(DOMAIN) and who.place != "member":
            who.place, who.licence = "member", self.default_licence

    def _register(self, who: Person) -> None:
        who.registered = self.now if who.registered is None else who.registered

    def license(self, email: str, licence: str) -> None:
        who = self.people[email]
        if who.place != "nowhere" and licence != "ProTrial":
            who.licence, who.trial_over = licence, True

    def default(self, licence: str) -> None:
        self.default_licence = licence

    def wait(self, days: int) -> None:
        self.now += days * DAY

    def suspend(self, email: str) -> None:
        who = self.people[email]
        if who.place == "nowhere":
            return
        if self.enterprise:
            who.suspended = True
        else:
            self.people[email] = Person(registered=who.registered, trial_over=who.trial_over)
            if who.registered is None:
                self.people[email] = Person()

    def unsuspend(self, email: str) -> None:
        if self.enterprise:
            self.people[email].suspended = False

    def number(self, email: str, number: str) -> None:
        who = self.people[email]
        taken = any(other.number == number for other in self.people.values())
        if who.place != "nowhere" and who.number is None and not taken:
            who.number = number

    def no_number(self, email: str) -> None:
        self.people[email].number = None

    def claim(self) -> None:
        if not self.enterprise:
            self.enterprise = True
            for email, who in self.people.items():
                if who.place == "nowhere" and who.registered is not None and email.endswith(DOMAIN):
                    who.place, who.licence = "member", self.default_licence

    def release(self) -> None:
        if self.enterprise:
            self.enterprise = False
            for email, who in self.people.items():
                if who.place != "nowhere" and email.endswith(DOMAIN):
                    who.suspended = True

    def can_be_deleted(self) -> bool:
        members = [who for who in self.people.values() if who.place != "nowhere"]
        return not self.enterprise and all(who.suspended for who in members)

    def shown(self) -> dict[str, tuple[str, str, str | None]]:
        """Licence, registration and number of all whom the administrator sees."""
        return {
            email: (self._licence(who), self._registration(who), who.number)
            for email, who in self.people.items()
            if who.place != "nowhere"
        }

    def _licence(self, who: Person) -> str:
        trial = who.registered is not None and self.now < who.registered + 30 * DAY and not who.trial_over
        return "ProTrial" if trial else who.licence

    def _registration(self, who: Person) -> str:
        if who.suspended:
            return "Suspended"
        return "Registered" if who.place == "member" and who.registered is not None else "Unregistered"


class Emulated:
    """The same account, as the operations have it. What they refuse is left to the oracle to know."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.account_id = accounts.create_account(control, {"Name": "example"})["Account"]["AccountId"]

    def user_id(self, email: str) -> str:
        user = account_rules.user_of_email(self.control.store.snapshot, email)
        return user.user_id if user else "nobody"

    def ask(self, operation: Callable[..., Any], email: str | None = None, **asked: Any) -> Any:
        asked["AccountId"] = self.account_id
        if email:
            asked["UserId"] = self.user_id(email)
        with suppress(ApiError):
            return operation(self.control, asked)

    def do(self, step: Step) -> None:
        match step:
            case ("invite", email):
                self.ask(users.invite_users, UserEmailList=[email])
            case ("accept", email):
                user = account_rules.user_of_email(self.control.store.snapshot, email)
                with suppress(ApiError):
                    chime_sign_in.accept_invite(self.control, {"invite_id": str(user and user.invite_id)}, {})
            case ("sign_in", email):
                with suppress(account_rules.SignInRefused):
                    chime_sign_in.sign_in(self.control, {}, {"Email": email})
            case ("license", email, licence):
                self.ask(users.update_user, email, LicenseType=licence)
            case ("default", licence):
                self.ask(accounts.update_account, DefaultLicense=licence)
            case ("suspend", email):
                self.ask(users.batch_suspend_user, UserIdList=[self.user_id(email)])
            case ("unsuspend", email):
                self.ask(users.batch_unsuspend_user, UserIdList=[self.user_id(email)])
            case ("number", email, number):
                self.ask(users.associate_phone_number_with_user, email, E164PhoneNumber=number)
            case ("no_number", email):
                self.ask(users.disassociate_phone_number_from_user, email)
            case ("claim",):
                self._claim()
            case ("release",):
                with suppress(ApiError):
                    chime_domains.delete_domain(self.control, self._ids(), None)
            case ("delete",):
                self.ask(accounts.delete_account)

    def _ids(self) -> dict[str, str]:
        return {"account_id": self.account_id, "domain_name": DOMAIN}

    def _claim(self) -> None:
        with suppress(ApiError):
            claimed: Any = chime_domains.add_domain(self.control, self._ids(), {"DomainName": DOMAIN})
            question = chime_domains.verify_domain(self.control, self._ids(), None)
            assert isinstance(question, LookUp)
            question.then(Texts((claimed["TxtRecord"]["Value"],)))

    def shown(self) -> dict[str, tuple[str, str, str | None]]:
        listed = users.list_users(self.control, {"AccountId": self.account_id})["Users"]
        return {
            user["PrimaryEmail"]: (
                user["LicenseType"],
                user["UserRegistrationStatus"],
                user["PrimaryProvisionedNumber"],
            )
            for user in listed
        }


def check_invariants(control: Control) -> None:
    """A PIN and an address are one user's; nothing refers to what is gone."""
    snapshot = control.store.snapshot
    known = snapshot.all(User)
    pins = [user.personal_pin for user in known.values() if user.personal_pin]
    assert len(pins) == len(set(pins))
    assert len({user.primary_email for user in known.values()}) == len(known)
    assert all(user.account_id in (None, *snapshot.all(Account)) for user in known.values())
    assert all(number.user_id in (None, *known) for number in snapshot.all(PhoneNumber).values())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=st.lists(steps, min_size=15, max_size=40))
def test_whatever_administrator_and_users_do_the_account_is_as_the_guide_has_it(history: list[Step]) -> None:
    clock = Clock()
    with TemporaryDirectory() as folder, closing(Store(Path(folder), clock)) as store:
        control = Control(store, LAB, ACCOUNT_ID, REGIONS, Random(1), clock)
        store.commit(*(PhoneNumber(number, "BusinessCalling") for number in NUMBERS))
        emulated, oracle = Emulated(control), Oracle(clock.now)
        for step in history:
            emulated.do(step)
            name, *asked = step
            getattr(oracle, name)(*asked)
            clock.now = oracle.now
            check_invariants(control)
            assert emulated.shown() == oracle.shown(), step
        emulated.do(("delete",))
        check_invariants(control)
        assert (emulated.account_id in store.snapshot.all(Account)) != oracle.can_be_deleted()
