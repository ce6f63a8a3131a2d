"""The checks on a PBX's way to the PSTN, in one ordered table: `CHECKS`.

Each check looks at plain facts and answers with a `Decision`, or with None to let the call pass on; the first
decision stands. What a check finds out (the connector, the number called) it leaves in the `Examination`.

The order is the emulator's, as none is published: who the request is for and where it comes from (the source
checks; a request stopped by them leaves no record), whether the PBX may use the trunk, how busy the trunk is,
and who calls whom. Left out: approval of callers for calls to +86, for which there is no API.
"""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from .attempts import Admission, Authentication, Authenticator, CallAttempt
from .decisions import Decision, Outcome, listed, shown
from .emergency import EmergencyRoute, emergency_route, is_emergency
from .limits import Limits
from .model import Snapshot, Termination, VoiceConnector, identity
from .numbers import country_of, e164, suggestion, why_not_e164
from .profile import Profile

NO_CONNECTOR = VoiceConnector(voice_connector_id="", name="")
NO_TERMINATION = Termination(disabled=True)
GUIDE = "guide p. 61"
"""Administration guide, "Editing Amazon Chime Voice Connector settings"."""
QUOTAS = "Amazon Chime SDK quotas"


class Directory:
    """A snapshot as the checks ask it, with the answers that took work kept for the next call."""

    SOURCES_KEPT = 10_000
    """Source addresses whose allowlist answer is kept; beyond that, all are forgotten at once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.first_challenges: dict[str, Decision] = {}
        """What a request without a digest answer gets, by Voice Connector id."""
        self._allowed: dict[tuple[str, str], bool] = {}
        self._by_region: dict[str, list[VoiceConnector]] | None = None

    def in_region(self, region: str) -> list[VoiceConnector]:
        """The Voice Connectors of a Region."""
        if self._by_region is None:  # A call that names its connector does not wait for it.
            self._by_region = {}
            for connector in self.snapshot.by_id.values():
                self._by_region.setdefault(connector.aws_region, []).append(connector)
        return self._by_region.get(region, [])

    def allows(self, connector: VoiceConnector, source_address: str) -> bool:
        """Whether the connector's allowlist has this address."""
        key = (connector.voice_connector_id, source_address)
        allowed = self._allowed.get(key)
        if allowed is None:
            if len(self._allowed) >= self.SOURCES_KEPT:
                self._allowed.clear()
            allowed = self._allowed[key] = termination_of(connector).allows(source_address)
        return allowed


@dataclass(slots=True)
class Examination:
    """A call attempt on its way through the checks, and what they found out so far."""

    attempt: CallAttempt
    profile: Profile
    directory: Directory
    limits: Limits
    authenticator: Authenticator | None
    now: float
    connector: VoiceConnector = NO_CONNECTOR
    termination: Termination = NO_TERMINATION
    authentication: Authentication | None = None
    called: str = ""
    caller: str = ""
    destination_country: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """A decided call attempt, looked at again to explain it."""

    attempt: CallAttempt
    admission: Admission
    profile: Profile

    @property
    def connector(self) -> VoiceConnector:
        """The connector the attempt was for."""
        return self.admission.connector or NO_CONNECTOR

    @property
    def termination(self) -> Termination:
        """What it was allowed to do."""
        return termination_of(self.connector)


class Check(NamedTuple):
    """One line of the table."""

    name: str
    decide: Callable[[Examination], Decision | None]
    passed: Callable[[Review], str]
    """Says in a sentence, afterwards, why the call passed this check."""


def termination_of(connector: VoiceConnector) -> Termination:
    """The connector's termination; one that allows nothing where it was never put."""
    return connector.termination or NO_TERMINATION


def _refusal(
    check: str,
    status_code: int,
    reason_phrase: str,
    *,
    because: str,
    remedy: str,
    setting: str,
    source: str,
    drop: bool = False,
    retry_after: int | None = None,
) -> Decision:
    return Decision(
        Outcome.DROP if drop else Outcome.REJECT,
        check,
        because,
        setting,
        source,
        remedy,
        0 if drop else status_code,
        reason_phrase,
        retry_after,
    )


# --- Who the request is for


def _host_name(examination: Examination) -> Decision | None:
    attempt, profile, directory = examination.attempt, examination.profile, examination.directory
    connector = directory.snapshot.for_host_name(attempt.host)
    if connector is None and attempt.addressed_to_listener and profile.address_as_host:
        neighbours = directory.in_region(attempt.region)
        connector = neighbours[0] if len(neighbours) == 1 else None
    if connector is None:
        return _unknown_host(examination)
    examination.connector = connector
    examination.termination = termination_of(connector)
    return None if connector.aws_region == attempt.region else _other_region(examination)


def _unknown_host(examination: Examination) -> Decision:
    attempt, profile = examination.attempt, examination.profile
    neighbours = examination.directory.in_region(attempt.region)
    host = shown(attempt.host)
    because, setting = f"no Voice Connector has the outbound host name {host}", "OutboundHostName"
    if attempt.addressed_to_listener:
        because, setting = f"{host} is an address and not a connector's host name", "profile.address_as_host"
        if profile.address_as_host:
            because = (
                f"{host} is an address, which stands for a connector only where its Region has exactly one; "
                f"{attempt.region} has {len(neighbours) or 'none'}"
            )
    return _refusal(
        "host name",
        profile.unknown_host_status,
        "No Voice Connector Has This Host Name",
        because=because,
        remedy="Put the outbound host name of the connector into the Request-URI; those of "
        f"{attempt.region}: {listed(tuple(known.outbound_host_name for known in neighbours), 3)}"
        if neighbours
        else f"Create a Voice Connector in {attempt.region}, which has none",
        setting=setting,
        source="profile",
    )


def _other_region(examination: Examination) -> Decision:
    connector, region = examination.connector, examination.attempt.region
    return _refusal(
        "host name",
        examination.profile.unknown_host_status,
        f"Voice Connector Is in {connector.aws_region}",
        because=f"{connector.voice_connector_id} is in {connector.aws_region}, the request came to {region}",
        remedy=f"Send the calls to the address that {connector.outbound_host_name} resolves to",
        setting="AwsRegion",
        source="profile",
    )


def _host_name_passed(review: Review) -> str:
    connector = review.connector
    which = f'Voice Connector {connector.voice_connector_id} ("{connector.name}")'
    if review.attempt.host.lower().removesuffix(".") == connector.outbound_host_name.lower():
        return f"the Request-URI names {which}"
    return f"{shown(review.attempt.host)} is an address in {review.attempt.region}, whose only one is {which}"


def _transport(examination: Examination) -> Decision | None:
    connector, transport = examination.connector, examination.attempt.transport
    if transport == "TLS" or not connector.require_encryption:
        return None
    return _refusal(
        "transport",
        examination.profile.unencrypted_status,
        f"Encryption Required and {transport} Has None",
        because=f"{connector.voice_connector_id} requires encryption, and the request came over {transport}",
        remedy="Let the PBX call over TLS (port 5061) and offer RTP/SAVP, or set RequireEncryption to false",
        setting="RequireEncryption",
        source=GUIDE,
        drop=examination.profile.drop_unencrypted,
    )


def _transport_passed(review: Review) -> str:
    if review.connector.require_encryption:
        return "the request came over TLS, as RequireEncryption demands"
    return f"the request came over {review.attempt.transport}, and RequireEncryption is off"


# --- Where it comes from


def _source_address(examination: Examination) -> Decision | None:
    connector, address = examination.connector, examination.attempt.source_address
    if examination.directory.allows(connector, address):
        return None
    allowed = examination.termination.cidr_allowed_list
    if connector.termination is None:
        because = f"{connector.voice_connector_id} has no termination settings, so nobody may call out"
    elif not allowed:
        because = f"the allowlist is empty, so nobody may call out; the request came from {address}"
    else:
        because = f"{address} is in none of the allowed networks ({listed(allowed)})"
    return _refusal(
        "source address",
        examination.profile.source_address_status,
        f"Source Address {address} Is Not Allowed",
        because=because,
        remedy=f'Add "{_single_address(address)}" to Termination.CidrAllowedList, or let the PBX call from '
        "an allowed address; behind NAT, the address after translation counts",
        setting="Termination.CidrAllowedList",
        source=GUIDE,
        drop=examination.profile.drop_unlisted,
    )


def _single_address(text: str) -> str:
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return f"{address}/{address.max_prefixlen}"


def _source_address_passed(review: Review) -> str:
    termination = review.termination
    for network in termination.cidr_allowed_list:
        if Termination(cidr_allowed_list=(network,)).allows(review.attempt.source_address):
            return f"{review.attempt.source_address} is in the allowed network {network}"
    raise AssertionError(f"{review.attempt.source_address} passed without being allowed")


# --- Whether the PBX may use the trunk


def _termination(examination: Examination) -> Decision | None:
    if not examination.termination.disabled:
        return None
    return _refusal(
        "termination",
        examination.profile.termination_disabled_status,
        "Termination Is Disabled",
        because=f"termination (calling out) is disabled on {examination.connector.voice_connector_id}",
        remedy="Set Termination.Disabled to false",
        setting="Termination.Disabled",
        source=GUIDE,
    )


def _digest(examination: Examination) -> Decision | None:
    connector = examination.connector
    if not connector.credentials:
        return None
    assert examination.authenticator is not None
    authentication = examination.authenticator.verify(
        {credential.username: credential.password for credential in connector.credentials},
        connector.outbound_host_name,
    )
    examination.authentication = authentication
    if authentication.result == "ok":
        return None
    if authentication.result != "missing":
        return _challenge(examination, authentication)
    # Each call of a PBX that uses digest comes by here first.
    first_challenges = examination.directory.first_challenges
    challenge = first_challenges.get(connector.voice_connector_id)
    if challenge is None:
        challenge = _challenge(examination, authentication)
        first_challenges[connector.voice_connector_id] = challenge
    return challenge


def _challenge(examination: Examination, authentication: Authentication) -> Decision:
    status_code = examination.profile.challenge_status
    because, remedy = _why_challenged(examination, authentication)
    return Decision(
        Outcome.CHALLENGE,
        "digest",
        because,
        "Credentials",
        f"{GUIDE}, RFC 7616",
        remedy,
        status_code,
        "Proxy Authentication Required" if status_code == 407 else "Unauthorized",
    )


def _why_challenged(examination: Examination, authentication: Authentication) -> tuple[str, str]:
    """What was wrong with the answer, and what to do about it."""
    known = ", ".join([credential.username for credential in examination.connector.credentials[:5]])
    if authentication.result == "missing":
        return (
            "the connector has credentials, and the request carries no digest answer",
            f"Give the PBX a user name ({known}) and its password for this trunk; it then answers by itself",
        )
    user = f'"{shown(authentication.username)}"'
    match authentication.result:
        case "wrong":
            return (
                f"the password for user {user} is wrong",
                f"Enter the password of credential {user} on the PBX, or put the credential again",
            )
        case "unknown user":
            return (
                f"no credential of the connector has the user name {user}",
                f"Use one of its user names ({known}) on the PBX, or put a credential for {user}",
            )
        case "stale":
            lifetime = examination.profile.nonce_lifetime
            return (
                f"the challenge that the PBX answered is unknown or older than {lifetime:g} s",
                "Nothing: a PBX answers the new challenge by itself",
            )
        case _:
            return (
                f"the digest answer of user {user} was used before",
                "The PBX has to count each use of a challenge (nc); a repeated answer may also be an attack",
            )


def _digest_passed(review: Review) -> str:
    if review.admission.authentication is None:
        return "the connector has no credentials, so no password was asked for"
    return f'user "{shown(review.admission.sip_auth_user)}" gave the right password'


# --- How busy the trunk is


def _cps_limit(termination: Termination, profile: Profile) -> int | None:
    return profile.default_cps_limit if termination.cps_limit is None else termination.cps_limit


def _exempt(attempt: CallAttempt, profile: Profile) -> bool:
    """Whether this is an emergency call that no limit and no calling plan holds up."""
    return profile.emergency_calls_exempt and is_emergency(attempt.called_user, profile)


def _calls_per_second(examination: Examination) -> Decision | None:
    limit = _cps_limit(examination.termination, examination.profile)
    connector_id = examination.connector.voice_connector_id
    if limit is None or _exempt(examination.attempt, examination.profile):
        return None
    if examination.limits.take_start(connector_id, limit, examination.now):
        return None
    examination.limits.count_throttle(connector_id)
    return _refusal(
        "calls per second",
        examination.profile.cps_exceeded_status,
        f"Calls per Second Above the Limit of {limit}",
        because=f"{limit} {'call was' if limit == 1 else 'calls were'} started within the last second, and "
        f"{connector_id} allows no more",
        remedy="Let the PBX space its calls or try again after Retry-After, or raise Termination.CpsLimit",
        setting="Termination.CpsLimit",
        source=QUOTAS,
        retry_after=examination.profile.retry_after,
    )


def _calls_per_second_passed(review: Review) -> str:
    limit = _cps_limit(review.termination, review.profile)
    if limit is None:
        return "calls per second are not limited"
    if _exempt(review.attempt, review.profile):
        return "an emergency call does not count as a call per second (profile.emergency_calls_exempt)"
    started = f"fewer than {limit} calls were" if limit > 1 else "no other call was"
    return f"{started} started in the second before (Termination.CpsLimit)"


def _active_calls(examination: Examination) -> Decision | None:
    if _exempt(examination.attempt, examination.profile):
        return None
    return above_quota(examination.connector, examination.profile, examination.limits)


def above_quota(connector: VoiceConnector, profile: Profile, limits: Limits) -> Decision | None:
    """Refuse, and count as a throttle, a call beyond the active calls of the connector's Region."""
    quota, region = profile.active_calls_quota, connector.aws_region
    if quota is None or limits.active_calls_in_region(region) < quota:
        return None
    limits.count_throttle(connector.voice_connector_id)
    return _refusal(
        "active calls",
        profile.active_calls_status,
        f"Active Calls Above the Quota of {quota}",
        because=f"{region} has {quota} active calls, and its quota is {quota}",
        remedy="Wait until a call ends; on the real service, have the quota of the account raised",
        setting="profile.active_calls_quota",
        source=QUOTAS,
        retry_after=profile.retry_after,
    )


def _active_calls_passed(review: Review) -> str:
    if review.profile.active_calls_quota is None:
        return "active calls are not limited"
    if _exempt(review.attempt, review.profile):
        return "no quota of active calls holds up an emergency call (profile.emergency_calls_exempt)"
    quota = review.profile.active_calls_quota
    active = f"fewer than {quota} calls were" if quota > 1 else "no other call was"
    return f"{active} active in {review.attempt.region}"


# --- Who calls whom


def _called_number(examination: Examination) -> Decision | None:
    user = examination.attempt.called_user
    called = e164(user)
    if called:
        examination.called = called
        return None
    if is_emergency(user, examination.profile):
        examination.called = _emergency_route(examination.attempt, examination.connector, examination.profile).number
        return None
    guess = suggestion(user)
    return _refusal(
        "called number",
        examination.profile.not_e164_status,
        f"{shown(user)} Is Not an E.164 Number" if user else "Called Number Is Missing",
        because=f'the called number "{shown(user)}" {why_not_e164(user)}',
        remedy=f"Let the PBX dial {guess or 'E.164'}: +, country code and number, without access code",
        setting="profile.not_e164_status",
        source="guide p. 60",
    )


def _emergency_route(attempt: CallAttempt, connector: VoiceConnector, profile: Profile) -> EmergencyRoute:
    _, caller = _caller(attempt, profile)
    return emergency_route(attempt.called_user, e164(caller), connector, profile)


def _called_number_passed(review: Review) -> str:
    if is_emergency(review.attempt.called_user, review.profile):
        return _emergency_route(review.attempt, review.connector, review.profile).because
    if review.attempt.called_user == review.admission.called:
        return f"{review.admission.called} is an E.164 number"
    return f'"{shown(review.attempt.called_user)}" was read as the E.164 number {review.admission.called}'


def _caller(attempt: CallAttempt, profile: Profile) -> tuple[str, str]:
    """The header that names the caller, and the user part in it."""
    for header in profile.caller_headers:
        if header == "From":
            return header, attempt.from_user
        if attempt.asserted_user:
            return header, attempt.asserted_user
    return "From", attempt.from_user


def _caller_id(examination: Examination) -> Decision | None:
    profile, default_number = examination.profile, examination.termination.default_phone_number
    if default_number and profile.default_number_replaces_owned_caller:
        examination.caller = default_number
        return None
    header, user = _caller(examination.attempt, profile)
    number = e164(user)
    if number and _may_present(examination, number):
        examination.caller = number
        return None
    if default_number:
        examination.caller = default_number
        return None
    return _unowned_caller(examination, header, user)


def _may_present(examination: Examination, number: str) -> bool:
    """Whether the number is the connector's own, or one of a group that it is in."""
    connector, snapshot = examination.connector, examination.directory.snapshot
    if snapshot.owner(number) is connector:
        return True
    return examination.profile.group_numbers_call_out and connector in snapshot.inbound(number)


def _unowned_caller(examination: Examination, header: str, user: str) -> Decision:
    connector, snapshot = examination.connector, examination.directory.snapshot
    holder = snapshot.by_phone_number.get(e164(user))
    guess = suggestion(user)
    if e164(user) in snapshot.expected:
        because = f"the caller {e164(user)} ({header}) is not in service, as its order is not fulfilled"
    elif holder is not None:
        kind = "Voice Connector" if isinstance(holder, VoiceConnector) else "Voice Connector group"
        because = f"the caller {e164(user)} ({header}) is a number of {kind} {identity(holder)}"
    elif snapshot.awaits_deletion(e164(user)):
        because = f"the caller {e164(user)} ({header}) is in the deletion queue"
    else:
        because = f'the caller "{shown(user)}" ({header}) is no number of the connector'
    because += f", and {connector.voice_connector_id} has {listed(connector.phone_numbers) or 'no numbers'}"
    if guess in connector.phone_numbers:
        remedy = f"Set the outbound caller ID of the trunk to {guess} on the PBX, written with +"
    elif connector.phone_numbers:
        remedy = f"Set the outbound caller ID of the trunk to {connector.phone_numbers[0]} on the PBX"
    else:
        remedy = "Associate a phone number with the connector and make it the outbound caller ID on the PBX"
    return _refusal(
        "caller ID",
        403,
        f"Caller Id {e164(user) or shown(user) or 'anonymous'} is not valid",
        because=because,
        remedy=f"{remedy}; or set Termination.DefaultPhoneNumber, which then replaces any caller",
        setting="PhoneNumbers, Termination.DefaultPhoneNumber",
        source="seen on the real service",
    )


def _caller_id_passed(review: Review) -> str:
    header, user = _caller(review.attempt, review.profile)
    presented = review.admission.caller
    if e164(user) == presented:
        whose = "the connector" if presented in review.connector.phone_numbers else "a group that the connector is in"
        return f"the caller {presented} ({header}) is a number of {whose}"
    return f'Termination.DefaultPhoneNumber {presented} replaces the caller "{shown(user)}" ({header})'


def _calling_plan(examination: Examination) -> Decision | None:
    country = examination.destination_country = country_of(examination.called)
    plan = examination.termination.calling_regions
    if country in plan or _exempt(examination.attempt, examination.profile):
        return None
    called = examination.called
    if country:
        because = f"{called} is in {country}"
        if called.startswith("+1"):
            because += " (+1 is told apart by area code)"
    else:
        because = f"{called} belongs to no country, as its calling code is unassigned or serves the whole world"
    because += f", and the calling plan has {listed(plan, 10) or 'no country'}"
    return _refusal(
        "calling plan",
        examination.profile.calling_plan_status,
        f"Country {country} Is Not in the Calling Plan" if country else f"{called} Belongs to No Country",
        because=because,
        remedy=f'Add "{country}" to Termination.CallingRegions' if country else "Call a number of a country",
        setting="Termination.CallingRegions",
        source=GUIDE,
    )


def _calling_plan_passed(review: Review) -> str:
    if _exempt(review.attempt, review.profile):
        return "no calling plan holds up an emergency call (profile.emergency_calls_exempt)"
    called, country = review.admission.called, review.admission.destination_country
    return f"{called} is in {country}, which the calling plan has"


SOURCE_CHECKS = (
    Check("host name", _host_name, _host_name_passed),
    Check("transport", _transport, _transport_passed),
    Check("source address", _source_address, _source_address_passed),
)
"""What any request has to pass; one stopped here leaves no record."""

CHECKS = (
    *SOURCE_CHECKS,
    Check("termination", _termination, lambda _: "termination is enabled"),
    Check("digest", _digest, _digest_passed),
    Check("calls per second", _calls_per_second, _calls_per_second_passed),
    Check("active calls", _active_calls, _active_calls_passed),
    Check("called number", _called_number, _called_number_passed),
    Check("caller ID", _caller_id, _caller_id_passed),
    Check("calling plan", _calling_plan, _calling_plan_passed),
)
"""All checks on a call, in order."""
