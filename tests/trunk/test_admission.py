"""Admission as a whole: settings that change, OPTIONS, methods, and the story told afterwards."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from voiceconnector.trunk.admission import AdmissionControl, explain_checks, refuse_method
from voiceconnector.trunk.attempts import Authentication, CallAttempt
from voiceconnector.trunk.checks import CHECKS
from voiceconnector.trunk.decisions import Outcome
from voiceconnector.trunk.model import Credential, Snapshot, Termination, VoiceConnector
from voiceconnector.trunk.profile import AWS, LAB

TERMINATION = Termination(calling_regions=("US",), cidr_allowed_list=("10.0.0.0/8", "198.51.100.4/32"))
CONNECTOR = VoiceConnector(
    voice_connector_id="abcdef1ghij2klmno3pqr4",
    name="office",
    phone_numbers=("+12065550100",),
    termination=TERMINATION,
)
ATTEMPT = CallAttempt(
    host=CONNECTOR.outbound_host_name,
    transport="UDP",
    source_address="198.51.100.4",
    region="us-east-1",
    called_user="+12065550199",
    from_user="+12065550100",
)
OPTIONS = CallAttempt(
    host=CONNECTOR.outbound_host_name, transport="UDP", source_address="198.51.100.4", region="us-east-1"
)


class RightAnswer:
    """Stands for a request whose digest answer is right."""

    def verify(self, credentials: Mapping[str, str], realm: str, /) -> Authentication:
        return Authentication("ok", next(iter(credentials)))


def test_a_changed_setting_holds_from_the_next_call() -> None:
    """Guide p. 62: credentials are updated immediately; so is the rest here."""
    control = AdmissionControl(LAB)
    elsewhere = replace(ATTEMPT, source_address="192.0.2.7")
    before, after = (
        Snapshot.of((CONNECTOR,)),
        Snapshot.of((replace(CONNECTOR, termination=replace(TERMINATION, cidr_allowed_list=("192.0.2.0/24",))),)),
    )
    outcomes = [
        control.admit(elsewhere, snapshot, RightAnswer(), now=0.0).decision.outcome
        for snapshot in (before, after, before)
    ]
    assert outcomes == [Outcome.REJECT, Outcome.ADMIT, Outcome.REJECT]


def test_a_call_that_outlives_its_connector_is_still_released() -> None:
    control = AdmissionControl(LAB)
    admission = control.admit(ATTEMPT, Snapshot.of((CONNECTOR,)), RightAnswer(), now=0.0)
    control.admit(ATTEMPT, Snapshot.of(()), RightAnswer(), now=1.0)
    assert control.limits.active_calls_in_region("us-east-1") == 1
    control.release(admission)
    assert control.limits.active_calls_in_region("us-east-1") == 0


def test_options_from_an_allowed_address_is_admitted_for_its_connector() -> None:
    """Termination health; case 15. Neither numbers nor credentials matter."""
    protected = replace(CONNECTOR, credentials=(Credential("pbx", "secret"),))
    admission = AdmissionControl(AWS).admit_options(OPTIONS, Snapshot.of((protected,)))
    assert admission.decision.outcome is Outcome.ADMIT
    assert admission.connector is protected


def test_options_counts_as_no_call() -> None:
    control, snapshot = AdmissionControl(AWS), Snapshot.of((CONNECTOR,))
    for _ in range(20):
        assert control.admit_options(OPTIONS, snapshot).decision.outcome is Outcome.ADMIT
    assert control.admit(ATTEMPT, snapshot, RightAnswer(), now=0.0).decision.outcome is Outcome.ADMIT


@pytest.mark.parametrize(
    ("options", "check", "status_code"),
    [
        (replace(OPTIONS, source_address="192.0.2.7"), "source address", 403),
        (replace(OPTIONS, host="sip.example.com"), "host name", 404),
    ],
)
def test_options_that_no_connector_allows_is_refused(options: CallAttempt, check: str, status_code: int) -> None:
    """Case 16."""
    decision = AdmissionControl(AWS).admit_options(options, Snapshot.of((CONNECTOR,))).decision
    assert (decision.outcome, decision.check, decision.status_code) == (Outcome.REJECT, check, status_code)


def test_a_profile_may_drop_options_from_unlisted_addresses_only() -> None:
    control, snapshot = AdmissionControl(replace(AWS, drop_unlisted_options=True)), Snapshot.of((CONNECTOR,))
    dropped = control.admit_options(replace(OPTIONS, source_address="192.0.2.7"), snapshot).decision
    assert (dropped.outcome, dropped.status_code) == (Outcome.DROP, 0)
    unknown = control.admit_options(replace(OPTIONS, host="sip.example.com"), snapshot).decision
    assert unknown.outcome is Outcome.REJECT
    call = control.admit(replace(ATTEMPT, source_address="192.0.2.7"), snapshot, RightAnswer(), now=0.0)
    assert call.decision.outcome is Outcome.REJECT


def test_the_methods_of_a_call_are_accepted() -> None:
    for method in ("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"):
        assert refuse_method(method, AWS) is None
    assert refuse_method("INFO", LAB) is None


def test_registering_is_refused_with_405_and_says_that_this_trunk_does_not_register() -> None:
    """No guide of the service mentions registration."""
    decision = refuse_method("REGISTER", LAB)
    assert decision is not None
    assert (decision.status_code, decision.reason_phrase) == (405, "This Trunk Does Not Register")
    assert "no registration" in decision.because
    assert "Switch registration off" in decision.remedy


@pytest.mark.parametrize(
    ("method", "status_code"),
    [("REFER", 405), ("SUBSCRIBE", 405), ("INFO", 405), ("invite", 501), ("FOO", 501)],
)
def test_a_method_that_is_not_accepted_gets_405_and_an_unknown_one_501(method: str, status_code: int) -> None:
    """RFC 3261 8.2.1 and 21.5.2; methods are case-sensitive (7.1)."""
    decision = refuse_method(method, AWS)
    assert decision is not None
    assert decision.status_code == status_code
    assert method in decision.because


def test_an_admitted_call_is_explained_check_by_check() -> None:
    control = AdmissionControl(LAB)
    protected = replace(CONNECTOR, credentials=(Credential("pbx", "secret"),))
    attempt = replace(ATTEMPT, called_user="%2B12065550199")
    admission = control.admit(attempt, Snapshot.of((protected,)), RightAnswer(), now=0.0)
    findings = explain_checks(attempt, admission, LAB)
    assert [finding.check for finding in findings] == [check.name for check in CHECKS]
    assert {finding.verdict for finding in findings} == {"passed"}
    assert [finding.sentence for finding in findings] == [
        'the Request-URI names Voice Connector abcdef1ghij2klmno3pqr4 ("office")',
        "the request came over UDP, and RequireEncryption is off",
        "198.51.100.4 is in the allowed network 198.51.100.4/32",
        "termination is enabled",
        'user "pbx" gave the right password',
        "calls per second are not limited",
        "active calls are not limited",
        '"%2B12065550199" was read as the E.164 number +12065550199',
        "the caller +12065550100 (From) is a number of the connector",
        "+12065550199 is in US, which the calling plan has",
    ]


def test_what_made_the_difference_is_in_the_explanation() -> None:
    connector = replace(
        CONNECTOR,
        require_encryption=True,
        termination=replace(TERMINATION, default_phone_number="+12065550100", cps_limit=5),
    )
    attempt = replace(
        ATTEMPT, host="127.0.0.1", addressed_to_listener=True, transport="TLS", source_address="10.1.2.3",
        from_user="1001",
    )  # fmt: skip
    profile = replace(LAB, active_calls_quota=10)
    admission = AdmissionControl(profile).admit(attempt, Snapshot.of((connector,)), RightAnswer(), now=0.0)
    sentences = [finding.sentence for finding in explain_checks(attempt, admission, profile)]
    assert sentences == [
        '127.0.0.1 is an address in us-east-1, whose only one is Voice Connector abcdef1ghij2klmno3pqr4 ("office")',
        "the request came over TLS, as RequireEncryption demands",
        "10.1.2.3 is in the allowed network 10.0.0.0/8",
        "termination is enabled",
        "the connector has no credentials, so no password was asked for",
        "fewer than 5 calls were started in the second before (Termination.CpsLimit)",
        "fewer than 10 calls were active in us-east-1",
        "+12065550199 is an E.164 number",
        'Termination.DefaultPhoneNumber +12065550100 replaces the caller "1001" (From)',
        "+12065550199 is in US, which the calling plan has",
    ]


def test_a_refused_call_is_explained_up_to_the_check_that_decided() -> None:
    attempt = replace(ATTEMPT, source_address="192.0.2.7", from_user="1001")
    admission = AdmissionControl(AWS).admit(attempt, Snapshot.of((CONNECTOR,)), RightAnswer(), now=0.0)
    findings = explain_checks(attempt, admission, AWS)
    assert [(finding.check, finding.verdict) for finding in findings] == [
        ("host name", "passed"),
        ("transport", "passed"),
        ("source address", "rejected"),
    ]
    assert findings[-1].sentence == admission.decision.because


def test_a_call_for_no_connector_is_explained_too() -> None:
    attempt = replace(ATTEMPT, host="sip.example.com")
    admission = AdmissionControl(AWS).admit(attempt, Snapshot.of((CONNECTOR,)), RightAnswer(), now=0.0)
    assert admission.connector is None
    assert [finding.verdict for finding in explain_checks(attempt, admission, AWS)] == ["rejected"]


# -- calls from the PSTN


def test_an_inbound_call_counts_as_active_until_it_is_released() -> None:
    control = AdmissionControl(replace(AWS, active_calls_quota=1))
    first = control.admit_inbound(CONNECTOR, "+12065550100", "+12065550199")
    assert (first.decision.outcome, first.called, first.caller) == (Outcome.ADMIT, "+12065550100", "+12065550199")
    second = control.admit_inbound(CONNECTOR, "+12065550100", "+12065550199")
    assert (second.decision.status_code, second.decision.check) == (503, "active calls")
    assert control.limits.throttles == {CONNECTOR.voice_connector_id: 1}
    control.release(first)
    assert control.admit_inbound(CONNECTOR, "+12065550100", "+12065550199").decision.outcome is Outcome.ADMIT


def test_where_the_profile_says_so_inbound_calls_do_not_count() -> None:
    control = AdmissionControl(replace(AWS, active_calls_quota=0, inbound_calls_are_active=False))
    admission = control.admit_inbound(CONNECTOR, "+12065550100", "+12065550199")
    assert admission.decision.outcome is Outcome.ADMIT
    assert control.limits.active_calls(CONNECTOR.voice_connector_id) == 0
    control.release(admission)


def test_the_calls_of_a_second_do_not_limit_what_comes_in() -> None:
    """CpsLimit is a setting of termination."""
    control = AdmissionControl(replace(AWS, active_calls_quota=None, default_cps_limit=1))
    outcomes = [control.admit_inbound(CONNECTOR, "+12065550100", "").decision.outcome for _ in range(5)]
    assert set(outcomes) == {Outcome.ADMIT}
