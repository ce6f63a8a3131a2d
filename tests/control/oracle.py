"""The rules of the AWS API in the small: what there is, and what may not be done with it, written from the guide.

It knows nothing of the code under test. `errors` of each question are the names of the exceptions that AWS may answer
with, as several rules can be broken at once; where there are none, it must be done.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

SERVED = ("us-east-1", "us-west-2")
QUOTA_CONNECTORS, QUOTA_GROUPS, QUOTA_NUMBERS, QUOTA_APPLICATIONS = 2, 2, 5, 2
"""Connectors of a Region; groups, numbers that are not deleted, and SIP media applications of the account."""
ORDER_SECONDS = 10.0
DELETION_SECONDS = 7 * 86_400.0
TOLL_FREE, BRITISH = "+18005550100", "+442079460018"
NEVER_ORDERED = "+12065550199"
NUMBERS = (*(f"+1206555010{line}" for line in range(7)), TOLL_FREE, BRITISH)

BAD, NOT_FOUND, CONFLICT = "BadRequestException", "NotFoundException", "ConflictException"
LIMIT, UNPROCESSABLE = "ResourceLimitExceededException", "UnprocessableEntityException"

Holder = tuple[str, str]
"""What has a number: VoiceConnectorId, VoiceConnectorGroupId, SipRuleId or UserId, and its value."""


@dataclass
class Connector:
    region: str
    encrypted: bool
    termination_enabled: bool | None = None
    origination_enabled: bool | None = None
    route_protocol: str | None = None
    emergency: bool = False
    tags: dict[str, str] = field(default_factory=dict)

    def serves_emergencies(self) -> bool:
        """Guide p. 62: both are needed."""
        return bool(self.termination_enabled and self.origination_enabled)


@dataclass
class Number:
    product_type: str
    order: str
    coming: bool = True
    holder: Holder | None = None
    deletion_due: float | None = None


@dataclass
class Order:
    numbers: tuple[str, ...]
    due: float
    status: str = "Processing"


@dataclass
class Rule:
    trigger: tuple[str, str]
    disabled: bool
    targets: tuple[str, ...]


@dataclass
class Account:
    """All that exists, by ids that the service gave."""

    connectors: dict[str, Connector] = field(default_factory=dict)
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Ids of connectors, by priority."""
    numbers: dict[str, Number] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    applications: dict[str, str] = field(default_factory=dict)
    """Regions."""
    rules: dict[str, Rule] = field(default_factory=dict)
    chime_accounts: set[str] = field(default_factory=set)
    users: dict[str, str] = field(default_factory=dict)
    """The Amazon Chime account of each."""

    # -- questions

    def held_by(self, name: str, id_: str) -> set[str]:
        """The numbers of a holder."""
        return {number for number, known in self.numbers.items() if known.holder == (name, id_)}

    def host_triggers(self, connector: str) -> bool:
        """Whether a SIP rule is triggered by the connector's host name."""
        trigger = ("RequestUriHostname", f"{connector}.voiceconnector.chime.aws")
        return any(rule.trigger == trigger for rule in self.rules.values())

    def room_for(self, count: int) -> bool:
        """Deleted numbers do not count."""
        return sum(known.deletion_due is None for known in self.numbers.values()) + count <= QUOTA_NUMBERS

    def why_not_associable(self, number: str, to: Holder, force: bool) -> set[str]:
        """Codes of PhoneNumberErrors (guide p. 56, 63-66)."""
        known = self.numbers.get(number)
        if known is None:
            return {"NotFound"}
        if known.holder == to:
            return set()
        reasons = {
            "PreconditionFailed": known.deletion_due is not None or known.coming,
            "BadRequest": known.product_type != "VoiceConnector",
            "PhoneNumberAssociationsExist": known.holder is not None and not force,
        }
        return {code for code, holds in reasons.items() if holds}

    def why_not_deletable(self, number: str) -> set[str]:
        """Guide p. 58: only numbers that are associated with nothing."""
        known = self.numbers.get(number)
        if known is None:
            return {NOT_FOUND}
        return {CONFLICT} if known.holder or known.coming or known.deletion_due is not None else set()

    def why_not_triggering(self, type_: str, value: str) -> set[str]:
        """Guide p. 73: a number of the inventory for SIP media applications, or a connector's host name."""
        errors = {CONFLICT} if any(rule.trigger == (type_, value) for rule in self.rules.values()) else set()
        if type_ == "RequestUriHostname":
            return errors if value.partition(".")[0] in self.connectors else errors | {BAD}
        known = self.numbers.get(value)
        fit = known and known.deletion_due is None and known.product_type == "SipMediaApplicationDialIn"
        return errors if fit else errors | {BAD}

    # -- changes

    def ordered(self, order: str, numbers: Iterable[str], product_type: str, now: float) -> None:
        """Numbers that somebody has cannot be had; those are found to have failed when the order is settled."""
        self.orders[order] = Order(tuple(numbers), now + ORDER_SECONDS)
        for number in self.orders[order].numbers:
            self.numbers.setdefault(number, Number(product_type, order))

    def pass_time(self, now: float) -> None:
        """Orders are settled, and numbers leave the deletion queue for good."""
        for id_, order in self.orders.items():
            if order.status == "Processing" and order.due <= now:
                coming = [known for number in order.numbers if (known := self.numbers.get(number)) and known.coming]
                acquired = [known for known in coming if known.order == id_]
                for known in acquired:
                    known.coming = False
                everything = len(acquired) == len(order.numbers)
                order.status = "Successful" if everything else "Partial" if acquired else "Failed"
        gone = [number for number, known in self.numbers.items() if (known.deletion_due or now + 1) <= now]
        for number in gone:
            del self.numbers[number]

    def free(self, holder: Holder) -> None:
        """What a holder had is associated with nothing."""
        for known in self.numbers.values():
            if known.holder == holder:
                known.holder = None


def product_types(number: str) -> set[str]:
    """What a number may be used for: outside the US only for SIP media applications (guide p. 40, 56)."""
    if number == BRITISH:
        return {"SipMediaApplicationDialIn"}
    both = {"VoiceConnector", "SipMediaApplicationDialIn"}
    return both if number == TOLL_FREE else both | {"BusinessCalling"}


def broken(rules: Mapping[str, object]) -> set[str]:
    """The names of those exceptions whose reason holds."""
    return {name for name, holds in rules.items() if holds}
