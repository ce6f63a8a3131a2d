"""May this call go out?

`AdmissionControl` takes the plain facts of a request through the table of `checks`, and answers with an
`Admission`: the decision, and everything the call needs that was found out on the way. `explain_checks` tells
the same story in sentences afterwards, at no cost to the call.
"""

from dataclasses import replace
from typing import Literal, NamedTuple

from .attempts import Admission, Authenticator, CallAttempt
from .checks import CHECKS, NO_CONNECTOR, SOURCE_CHECKS, Check, Directory, Examination, Review, above_quota
from .decisions import Decision, Outcome, shown
from .limits import Limits
from .model import Snapshot, VoiceConnector
from .profile import Profile

ADMITTED = Decision(Outcome.ADMIT, check="", because="every check was passed", setting="", source="")


class AdmissionControl:
    """Decides on call attempts. Its own state are the limits, and what it remembers of the snapshot."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.limits = Limits()
        self._directory = Directory(Snapshot.of(()))

    def admit(self, attempt: CallAttempt, snapshot: Snapshot, authenticator: Authenticator, now: float) -> Admission:
        """Decide on an initial INVITE at `now` (monotonic seconds).

        An admitted call counts as active until `release`. Of a refused one, its share of the calls per second
        stays, or its count in `limits.throttles`.
        """
        examination = self._examination(attempt, snapshot, authenticator, now)
        admission = _decide(CHECKS, examination)
        if admission.decision is ADMITTED:
            connector = examination.connector
            self.limits.acquire(connector.voice_connector_id, connector.aws_region)
        return admission

    def admit_inbound(self, connector: VoiceConnector, called: str, caller: str) -> Admission:
        """Decide whether a connector takes one more call from the PSTN; it then counts until `release`."""
        counts = self.profile.inbound_calls_are_active
        decision = (above_quota(connector, self.profile, self.limits) if counts else None) or ADMITTED
        if counts and decision is ADMITTED:
            self.limits.acquire(connector.voice_connector_id, connector.aws_region)
        return Admission(decision, connector, None, called, caller, past_source_checks=True, counts=counts)

    def release(self, admission: Admission) -> None:
        """An admitted call is over, however it went."""
        if not admission.counts:
            return
        assert admission.connector is not None
        self.limits.release(admission.connector.voice_connector_id, admission.connector.aws_region)

    def admit_options(self, attempt: CallAttempt, snapshot: Snapshot) -> Admission:
        """Decide on an OPTIONS outside a dialog: admitted, it is the termination health of the connector.

        It has to pass the source checks only: a disabled termination answers too.
        """
        admission = self.examine_source(attempt, snapshot)
        if self.profile.drop_unlisted_options and admission.decision.check == "source address":
            return replace(admission, decision=replace(admission.decision, outcome=Outcome.DROP, status_code=0))
        return admission

    def examine_source(self, attempt: CallAttempt, snapshot: Snapshot) -> Admission:
        """Decide by the source checks alone, on a request that will be refused for another reason."""
        return _decide(SOURCE_CHECKS, self._examination(attempt, snapshot))

    def _examination(
        self,
        attempt: CallAttempt,
        snapshot: Snapshot,
        authenticator: Authenticator | None = None,
        now: float = 0.0,
    ) -> Examination:
        if self._directory.snapshot is not snapshot:
            self._directory = Directory(snapshot)
            self.limits.retain(snapshot.by_id)
        return Examination(attempt, self.profile, self._directory, self.limits, authenticator, now)


def _decide(checks: tuple[Check, ...], examination: Examination) -> Admission:
    for check in checks:
        refusal = check.decide(examination)
        if refusal is not None:
            return _admission(refusal, examination, past_source_checks=check not in SOURCE_CHECKS)
    return _admission(ADMITTED, examination, past_source_checks=True)


def _admission(decision: Decision, examination: Examination, past_source_checks: bool) -> Admission:
    connector = examination.connector
    return Admission(
        decision,
        None if connector is NO_CONNECTOR else connector,
        examination.authentication,
        examination.called,
        examination.caller,
        examination.destination_country,
        past_source_checks,
    )


class Finding(NamedTuple):
    """What one check said, for `explain`."""

    check: str
    verdict: Literal["passed", "admitted", "challenged", "rejected", "dropped"]
    sentence: str


def explain_checks(attempt: CallAttempt, admission: Admission, profile: Profile) -> list[Finding]:
    """What each check said about a call, in order, up to the one that decided."""
    review = Review(attempt, admission, profile)
    findings: list[Finding] = []
    for check in CHECKS:
        if check.name == admission.decision.check:
            findings.append(Finding(check.name, admission.decision.outcome.value, admission.decision.because))
            break
        findings.append(Finding(check.name, "passed", check.passed(review)))
    return findings


def refuse_method(method: str, profile: Profile) -> Decision | None:
    """Why a request is refused for its method; None where the method is accepted.

    A 405 carries an Allow header with `profile.methods` (RFC 3261 21.4.6).
    """
    if method in profile.methods:
        return None
    if method == "REGISTER":
        return Decision(
            Outcome.REJECT,
            check="method",
            because="the PBX tried to register, and a Voice Connector has no registration: it knows its PBX "
            "by the address calls come from, and by digest on each call",
            setting="profile.register_status",
            source="profile",
            remedy="Switch registration off for this trunk (a static or peer trunk), allow the address of "
            "the PBX in Termination.CidrAllowedList, and send INVITE",
            status_code=profile.register_status,
            reason_phrase="This Trunk Does Not Register",
        )
    known = method in profile.known_methods
    key = "unsupported_method_status" if known else "unknown_method_status"
    return Decision(
        Outcome.REJECT,
        check="method",
        because=f"the trunk does not accept {shown(method)}, only {', '.join(profile.methods)}",
        setting=f"profile.{key}",
        source="RFC 3261 8.2.1",
        remedy=f"Switch off on the PBX whatever sends {shown(method)} to this trunk",
        status_code=profile.unsupported_method_status if known else profile.unknown_method_status,
        reason_phrase="Method Not Allowed" if known else "Not Implemented",
    )
