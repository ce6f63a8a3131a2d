"""The checks on a call: one test for each rule, then their order."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from voiceconnector.trunk.admission import AdmissionControl, explain_checks
from voiceconnector.trunk.attempts import Admission, Authentication, AuthenticationResult, CallAttempt
from voiceconnector.trunk.checks import CHECKS, Directory
from voiceconnector.trunk.decisions import Decision, Outcome
from voiceconnector.trunk.model import (
    Credential,
    DNISEmergencyCallingConfiguration,
    EmergencyCallingConfiguration,
    PhoneNumber,
    Snapshot,
    Termination,
    VoiceConnector,
    VoiceConnectorGroup,
    VoiceConnectorItem,
)
from voiceconnector.trunk.profile import AWS, LAB, Profile

PASSWORD = "correct horse battery staple"
CONNECTOR = VoiceConnector(
    voice_connector_id="abcdef1ghij2klmno3pqr4",
    name="office",
    phone_numbers=("+12065550100", "+12065550101"),
    termination=Termination(
        cps_limit=1, calling_regions=("US",), cidr_allowed_list=("198.51.100.4/32", "2001:db8:7::/64")
    ),
)
ATTEMPT = CallAttempt(
    host="abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws",
    transport="UDP",
    source_address="198.51.100.4",
    region="us-east-1",
    called_user="+12065550199",
    from_user="+12065550100",
)


class Answer:
    """Stands for the digest answer of a request, whose outcome the test decides."""

    def __init__(self, result: AuthenticationResult, username: str = "") -> None:
        self.authentication = Authentication(result, username)
        self.asked_with: dict[str, str] | None = None

    def verify(self, credentials: Mapping[str, str], realm: str, /) -> Authentication:
        self.asked_with = dict(credentials)
        return self.authentication


NO_ANSWER = Answer("missing")


def with_termination(connector: VoiceConnector = CONNECTOR, **changes: object) -> VoiceConnector:
    assert connector.termination is not None
    return replace(connector, termination=replace(connector.termination, **changes))  # type: ignore[arg-type] # names are checked by replace


def admit(
    attempt: CallAttempt = ATTEMPT,
    *connectors: VoiceConnector,
    profile: Profile = AWS,
    answer: Answer = NO_ANSWER,
) -> Admission:
    snapshot = Snapshot.of(connectors or (CONNECTOR,))
    return AdmissionControl(profile).admit(attempt, snapshot, answer, now=0.0)


def refused(
    check: str, attempt: CallAttempt = ATTEMPT, *connectors: VoiceConnector, profile: Profile = AWS
) -> Decision:
    """Let one check refuse the attempt, and see that everything a user needs to know is there."""
    decision = admit(attempt, *connectors, profile=profile).decision
    assert (decision.outcome, decision.check) == (Outcome.REJECT, check), decision.because
    assert decision.because
    assert decision.setting
    assert decision.source
    assert decision.remedy
    assert decision.reason_phrase
    return decision


def test_a_call_from_an_allowed_address_with_an_owned_caller_is_admitted() -> None:
    """Guide p. 60-61; case 1."""
    admission = admit()
    assert admission.decision.outcome is Outcome.ADMIT
    assert admission.connector is CONNECTOR
    assert (admission.caller, admission.called) == ("+12065550100", "+12065550199")
    assert (admission.destination_country, admission.sip_auth_user) == ("US", "")
    assert admission.owes_record


# --- Host name


@pytest.mark.parametrize(
    "host",
    ["ABCDEF1GHIJ2KLMNO3PQR4.VoiceConnector.Chime.AWS", "abcdef1ghij2klmno3pqr4.voiceconnector.chime.aws."],
)
def test_a_host_name_matches_in_any_case_and_with_a_final_dot(host: str) -> None:
    """RFC 4343, RFC 1034 3.1."""
    assert admit(replace(ATTEMPT, host=host)).decision.outcome is Outcome.ADMIT


def test_an_unknown_host_name_is_refused_with_404_and_the_names_there_are() -> None:
    """404 for an unknown host."""
    decision = refused("host name", replace(ATTEMPT, host="sip.example.com"))
    assert decision.status_code == 404
    assert "sip.example.com" in decision.because
    assert CONNECTOR.outbound_host_name in decision.remedy


def test_a_region_without_connectors_says_so() -> None:
    decision = refused("host name", replace(ATTEMPT, host="sip.example.com", region="us-west-2"))
    assert "us-west-2, which has none" in decision.remedy


def test_a_connector_is_not_found_in_another_region() -> None:
    """A connector lives in one Region, where its host name resolves to; guide p. 61."""
    decision = refused("host name", replace(ATTEMPT, region="us-west-2"))
    assert decision.status_code == 404
    assert "is in us-east-1" in decision.because
    assert "us-west-2" in decision.because


def test_in_the_lab_the_listeners_address_names_the_only_connector_of_its_region() -> None:
    attempt = replace(ATTEMPT, host="127.0.0.1", addressed_to_listener=True)
    elsewhere = replace(CONNECTOR, voice_connector_id="x" * 22, aws_region="us-west-2", phone_numbers=("+12065550102",))
    assert admit(attempt, CONNECTOR, elsewhere, profile=LAB).connector is CONNECTOR
    assert "is an address and not" in refused("host name", attempt, profile=AWS).because


def test_the_listeners_address_names_none_of_two_connectors() -> None:
    attempt = replace(ATTEMPT, host="127.0.0.1", addressed_to_listener=True)
    second = replace(CONNECTOR, voice_connector_id="x" * 22, phone_numbers=())
    decision = refused("host name", attempt, CONNECTOR, second, profile=LAB)
    assert "us-east-1 has 2" in decision.because
    assert decision.setting == "profile.address_as_host"


# --- Transport


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_an_encrypted_connector_blocks_calls_without_tls(transport: str) -> None:
    """Guide p. 61: unencrypted outbound calls are blocked; case 12."""
    attempt = replace(ATTEMPT, transport=transport)  # type: ignore[arg-type] # parametrized literal
    decision = refused("transport", attempt, replace(CONNECTOR, require_encryption=True))
    assert decision.status_code == 403
    assert decision.setting == "RequireEncryption"
    assert transport in decision.because


def test_an_encrypted_connector_takes_calls_over_tls() -> None:
    """Guide p. 61; case 12."""
    encrypted = replace(CONNECTOR, require_encryption=True)
    assert admit(replace(ATTEMPT, transport="TLS"), encrypted).decision.outcome is Outcome.ADMIT


def test_a_connector_without_encryption_takes_calls_over_tls() -> None:
    assert admit(replace(ATTEMPT, transport="TLS")).decision.outcome is Outcome.ADMIT


# --- Source address


def test_a_call_from_an_unlisted_address_is_refused_with_403() -> None:
    """Guide p. 61, allowlist; case 2."""
    decision = refused("source address", replace(ATTEMPT, source_address="198.51.100.5"))
    assert decision.status_code == 403
    assert decision.because == ("198.51.100.5 is in none of the allowed networks (198.51.100.4/32, 2001:db8:7::/64)")
    assert '"198.51.100.5/32"' in decision.remedy


@pytest.mark.parametrize("address", ["::ffff:198.51.100.4", "2001:db8:7::1", "2001:DB8:7:0:1:2:3:4"])
def test_ipv6_addresses_are_matched_and_mapped_ones_count_as_ipv4(address: str) -> None:
    """RFC 4291 2.2 and 2.5.5.2."""
    assert admit(replace(ATTEMPT, source_address=address)).decision.outcome is Outcome.ADMIT


def test_an_unlisted_ipv6_address_is_refused() -> None:
    decision = refused("source address", replace(ATTEMPT, source_address="2001:db8:8::1"))
    assert '"2001:db8:8::1/128"' in decision.remedy


def test_an_empty_allowlist_allows_nobody() -> None:
    decision = refused("source address", ATTEMPT, with_termination(cidr_allowed_list=()))
    assert "allowlist is empty" in decision.because


def test_without_termination_settings_nobody_may_call() -> None:
    """Guide p. 61: termination settings apply to outbound calls."""
    decision = refused("source address", ATTEMPT, replace(CONNECTOR, termination=None))
    assert "no termination settings" in decision.because


def test_a_profile_may_drop_refused_calls_in_silence() -> None:
    unlisted = replace(ATTEMPT, source_address="198.51.100.5")
    decision = admit(unlisted, profile=replace(AWS, drop_unlisted=True)).decision
    assert (decision.outcome, decision.status_code) == (Outcome.DROP, 0)
    encrypted = replace(CONNECTOR, require_encryption=True)
    decision = admit(ATTEMPT, encrypted, profile=replace(AWS, drop_unencrypted=True)).decision
    assert (decision.outcome, decision.status_code) == (Outcome.DROP, 0)


def test_answers_about_source_addresses_are_kept_in_bounded_number() -> None:
    directory = Directory(Snapshot.of((CONNECTOR,)))
    directory.SOURCES_KEPT = 3
    for last in range(10):
        assert directory.allows(CONNECTOR, f"198.51.100.{last}") is (last == 4)
        assert directory.allows(CONNECTOR, f"198.51.100.{last}") is (last == 4)
        assert len(directory._allowed) <= 3


# --- Termination


def test_disabled_termination_is_refused_with_403() -> None:
    """API, Termination.Disabled: outbound calls cannot be made."""
    decision = refused("termination", ATTEMPT, with_termination(disabled=True))
    assert decision.status_code == 403
    assert decision.setting == "Termination.Disabled"


# --- Digest


PROTECTED = replace(CONNECTOR, credentials=(Credential("pbx", PASSWORD), Credential("sbc", "another one")))


def test_without_credentials_no_digest_is_asked_for() -> None:
    """Guide p. 61: if you don't specify credentials, no authentication is required."""
    assert NO_ANSWER.asked_with is None
    assert admit().authentication is None


def test_with_credentials_a_call_without_an_answer_is_challenged() -> None:
    """Guide p. 61, credentials; case 3."""
    admission = admit(ATTEMPT, PROTECTED)
    assert admission.decision.outcome is Outcome.CHALLENGE
    assert (admission.decision.status_code, admission.decision.check) == (407, "digest")
    assert admission.decision.reason_phrase == "Proxy Authentication Required"
    assert not admission.owes_record, "its answer is on the way"
    as_called_party = admit(ATTEMPT, PROTECTED, profile=replace(AWS, challenge_status=401)).decision
    assert (as_called_party.status_code, as_called_party.reason_phrase) == (401, "Unauthorized")


def test_with_the_right_answer_the_call_goes_on_and_names_its_user() -> None:
    """Case 3."""
    answer = Answer("ok", "pbx")
    admission = admit(ATTEMPT, PROTECTED, answer=answer)
    assert admission.decision.outcome is Outcome.ADMIT
    assert admission.sip_auth_user == "pbx"
    assert answer.asked_with == {"pbx": PASSWORD, "sbc": "another one"}


@pytest.mark.parametrize(
    ("result", "because"),
    [
        ("wrong", 'the password for user "pbx" is wrong'),
        ("unknown user", 'no credential of the connector has the user name "pbx"'),
        ("stale", "the challenge that the PBX answered is unknown or older than 300 s"),
        ("replayed", 'the digest answer of user "pbx" was used before'),
    ],
)
def test_a_wrong_answer_is_challenged_again_and_explained(result: AuthenticationResult, because: str) -> None:
    """RFC 7616 3.3 and 5.12; case 4. No password is ever shown."""
    admission = admit(ATTEMPT, PROTECTED, answer=Answer(result, "pbx"))
    assert admission.decision.outcome is Outcome.CHALLENGE
    assert admission.decision.because == because
    assert admission.sip_auth_user == ""
    assert PASSWORD not in repr(admission)


# --- How busy the trunk is


def test_the_second_call_in_a_second_is_throttled_with_503_and_retry_after() -> None:
    """API, Termination.CpsLimit; metric Throttles; case 10."""
    control, snapshot = AdmissionControl(AWS), Snapshot.of((CONNECTOR,))
    first = control.admit(ATTEMPT, snapshot, NO_ANSWER, now=10.0)
    second = control.admit(ATTEMPT, snapshot, NO_ANSWER, now=10.5)
    assert first.decision.outcome is Outcome.ADMIT
    assert (second.decision.check, second.decision.status_code) == ("calls per second", 503)
    assert second.decision.retry_after == 1
    assert control.limits.throttles == {CONNECTOR.voice_connector_id: 1}
    assert control.admit(ATTEMPT, snapshot, NO_ANSWER, now=11.0).decision.outcome is Outcome.ADMIT


def test_a_limit_that_was_never_set_is_the_profiles() -> None:
    """Amazon Chime SDK quotas: 1 call per second by default."""
    unset = Snapshot.of((with_termination(cps_limit=None),))
    in_lab, in_aws = AdmissionControl(LAB), AdmissionControl(AWS)
    assert {in_lab.admit(ATTEMPT, unset, NO_ANSWER, 0.0).decision.outcome for _ in range(100)} == {Outcome.ADMIT}
    in_aws.admit(ATTEMPT, unset, NO_ANSWER, 0.0)
    assert in_aws.admit(ATTEMPT, unset, NO_ANSWER, 0.0).decision.check == "calls per second"


def test_a_challenge_does_not_count_as_a_call_per_second() -> None:
    control, snapshot = AdmissionControl(AWS), Snapshot.of((PROTECTED,))
    control.admit(ATTEMPT, snapshot, NO_ANSWER, now=0.0)
    assert control.admit(ATTEMPT, snapshot, Answer("ok", "pbx"), now=0.1).decision.outcome is Outcome.ADMIT


def test_the_eleventh_active_call_is_throttled_until_one_ends() -> None:
    """Amazon Chime SDK quotas: 10 concurrent calls; case 11."""
    control, snapshot = AdmissionControl(AWS), Snapshot.of((CONNECTOR,))
    calls = [control.admit(ATTEMPT, snapshot, NO_ANSWER, now=float(second)) for second in range(11)]
    assert all(call.decision.outcome is Outcome.ADMIT for call in calls[:10])
    eleventh = calls[10].decision
    assert (eleventh.check, eleventh.status_code, eleventh.retry_after) == ("active calls", 503, 1)
    assert control.limits.throttles == {CONNECTOR.voice_connector_id: 1}
    control.release(calls[3])
    assert control.admit(ATTEMPT, snapshot, NO_ANSWER, now=11.0).decision.outcome is Outcome.ADMIT


def test_the_quota_of_active_calls_is_shared_by_the_connectors_of_a_region() -> None:
    """Amazon Chime SDK quotas: concurrent calls of an account in a Region."""
    other = replace(CONNECTOR, voice_connector_id="x" * 22, phone_numbers=("+12065550102",))
    snapshot = Snapshot.of((CONNECTOR, other))
    control = AdmissionControl(replace(AWS, active_calls_quota=1))
    control.admit(ATTEMPT, snapshot, NO_ANSWER, now=0.0)
    through_other = replace(ATTEMPT, host=other.outbound_host_name, from_user="+12065550102")
    assert control.admit(through_other, snapshot, NO_ANSWER, now=0.0).decision.check == "active calls"


def test_a_call_refused_later_is_not_active() -> None:
    control, snapshot = AdmissionControl(AWS), Snapshot.of((CONNECTOR,))
    control.admit(replace(ATTEMPT, from_user="1001"), snapshot, NO_ANSWER, now=0.0)
    assert control.limits.active_calls(CONNECTOR.voice_connector_id) == 0


# --- Called number


@pytest.mark.parametrize(
    ("dialled", "guess"),
    [
        ("2065550101", "+12065550101"),
        ("01112065550101", "+12065550101"),
        ("011493012345678", "+493012345678"),
        ("1001", "E.164"),
        ("%23", "E.164"),
    ],
)
def test_a_called_number_that_is_not_e164_is_refused_with_484_and_a_guess(dialled: str, guess: str) -> None:
    """Guide p. 60: E.164 format, no access code such as 011; case 9."""
    decision = refused("called number", replace(ATTEMPT, called_user=dialled))
    assert decision.status_code == 484
    assert dialled in decision.because
    assert f"dial {guess}:" in decision.remedy


def test_a_call_to_nobody_is_refused_with_484() -> None:
    decision = refused("called number", replace(ATTEMPT, called_user=""))
    assert (decision.status_code, decision.reason_phrase) == (484, "Called Number Is Missing")


def test_a_called_number_in_another_writing_is_called_in_e164() -> None:
    """RFC 3966 5.1.1."""
    admission = admit(replace(ATTEMPT, called_user="%2B1-206-555-0199;npdi"))
    assert admission.called == "+12065550199"


# --- Caller ID


@pytest.mark.parametrize("caller", ["+12065550102", "1001", "2065550100", "12065550100", "alice"])
def test_an_unowned_caller_is_refused_with_the_reason_phrase_of_the_service(caller: str) -> None:
    """The phrase was seen on the real service; case 5."""
    decision = refused("caller ID", replace(ATTEMPT, from_user=caller))
    assert (decision.status_code, decision.reason_phrase) == (403, f"Caller Id {caller} is not valid")


def test_an_unowned_caller_learns_which_numbers_are_owned() -> None:
    decision = refused("caller ID", replace(ATTEMPT, from_user="1001"))
    assert decision.because == (
        'the caller "1001" (From) is no number of the connector, '
        "and abcdef1ghij2klmno3pqr4 has +12065550100, +12065550101"
    )
    assert "to +12065550100 on the PBX" in decision.remedy
    assert "Termination.DefaultPhoneNumber" in decision.remedy


def test_an_owned_caller_without_plus_learns_how_to_write_it() -> None:
    decision = refused("caller ID", replace(ATTEMPT, from_user="2065550101"))
    assert "to +12065550101 on the PBX, written with +" in decision.remedy


def test_a_number_of_another_connector_is_not_owned_by_this_one() -> None:
    other = replace(CONNECTOR, voice_connector_id="x" * 22, phone_numbers=("+12065550102",))
    decision = refused("caller ID", replace(ATTEMPT, from_user="+12065550102"), CONNECTOR, other)
    assert "is a number of Voice Connector xxxx" in decision.because


def test_a_connector_without_numbers_says_so() -> None:
    decision = refused("caller ID", ATTEMPT, replace(CONNECTOR, phone_numbers=()))
    assert "has no numbers" in decision.because
    assert "Associate a phone number" in decision.remedy


@pytest.mark.parametrize("caller", ["+12065550102", "anonymous", "", "+12065550100"])
def test_the_default_number_replaces_any_caller(caller: str) -> None:
    """API, Termination.DefaultPhoneNumber; console, caller ID override; case 6."""
    overridden = with_termination(default_phone_number="+12065550101")
    assert admit(replace(ATTEMPT, from_user=caller), overridden).caller == "+12065550101"


def test_a_profile_may_keep_an_owned_caller_beside_a_default_number() -> None:
    profile = replace(AWS, default_number_replaces_owned_caller=False)
    connector = with_termination(default_phone_number="+12065550101")
    assert admit(ATTEMPT, connector, profile=profile).caller == "+12065550100"
    unowned = replace(ATTEMPT, from_user="anonymous")
    assert admit(unowned, connector, profile=profile).caller == "+12065550101"


def test_the_profile_decides_which_header_names_the_caller() -> None:
    """RFC 3325 for P-Asserted-Identity; every public trace of the service uses From."""
    asserted = replace(ATTEMPT, from_user="anonymous", asserted_user="+12065550101")
    assert admit(asserted, profile=LAB).caller == "+12065550101"
    assert "(From)" in refused("caller ID", asserted, profile=AWS).because
    assert admit(ATTEMPT, profile=LAB).caller == "+12065550100", "without P-Asserted-Identity, From names it"


# --- Calling plan


@pytest.mark.parametrize(
    ("called", "country"),
    [
        ("+493012345678", "DE"),
        ("+14165550199", "CA"),
        ("+17875550199", "PR"),
        ("+18765550199", "JM"),
        ("+442071838750", "GB"),
    ],
)
def test_a_country_outside_the_calling_plan_is_refused_with_403(called: str, country: str) -> None:
    """Guide p. 61, calling plan; cases 7 and 8: +1 is split by area code."""
    decision = refused("calling plan", replace(ATTEMPT, called_user=called))
    assert decision.status_code == 403
    assert decision.reason_phrase == f"Country {country} Is Not in the Calling Plan"
    assert decision.setting == "Termination.CallingRegions"
    assert f'Add "{country}"' in decision.remedy
    assert ("area code" in decision.because) is called.startswith("+1")


@pytest.mark.parametrize("called", ["+18005550199", "+18885550199", "+15551234567"])
def test_toll_free_and_unassigned_area_codes_are_in_a_plan_with_the_us(called: str) -> None:
    assert admit(replace(ATTEMPT, called_user=called)).destination_country == "US"


def test_each_country_of_the_plan_may_be_called() -> None:
    connector = with_termination(calling_regions=("US", "CA", "PR"))
    for called, country in (("+14165550199", "CA"), ("+17875550199", "PR"), ("+12065550199", "US")):
        assert admit(replace(ATTEMPT, called_user=called), connector).destination_country == country


def test_an_empty_plan_allows_no_country() -> None:
    assert "has no country" in refused("calling plan", ATTEMPT, with_termination(calling_regions=())).because


def test_a_number_of_no_country_is_refused() -> None:
    """ITU-T E.164: +881 is a satellite service."""
    decision = refused("calling plan", replace(ATTEMPT, called_user="+881612345678"))
    assert decision.reason_phrase == "+881612345678 Belongs to No Country"


# --- Order


def test_a_call_that_fails_every_check_is_refused_by_the_first_and_so_on() -> None:
    """The order of the table: mend one failure after the other, and the next check speaks."""
    attempt = CallAttempt(
        host="sip.example.com", transport="UDP", source_address="192.0.2.7", region="us-east-1",
        called_user="1002", from_user="1001",
    )  # fmt: skip
    connector = with_termination(replace(PROTECTED, require_encryption=True), disabled=True, cps_limit=0)
    profile = replace(AWS, active_calls_quota=0)
    answer = NO_ANSWER
    deciding = []
    for _ in CHECKS:
        decision = admit(attempt, connector, profile=profile, answer=answer).decision
        deciding.append(decision.check)
        match decision.check:
            case "host name":
                attempt = replace(attempt, host=connector.outbound_host_name)
            case "transport":
                attempt = replace(attempt, transport="TLS")
            case "source address":
                attempt = replace(attempt, source_address="198.51.100.4")
            case "termination":
                connector = with_termination(connector, disabled=False)
            case "digest":
                answer = Answer("ok", "pbx")
            case "calls per second":
                connector = with_termination(connector, cps_limit=1)
            case "active calls":
                profile = AWS
            case "called number":
                attempt = replace(attempt, called_user="+493012345678")
            case "caller ID":
                attempt = replace(attempt, from_user="+12065550100")
            case "calling plan":
                connector = with_termination(connector, calling_regions=("DE",))
    assert deciding == [check.name for check in CHECKS]
    assert deciding == [
        "host name", "transport", "source address", "termination", "digest",
        "calls per second", "active calls", "called number", "caller ID", "calling plan",
    ]  # fmt: skip
    assert admit(attempt, connector, profile=profile, answer=answer).decision.outcome is Outcome.ADMIT


def test_only_refusals_after_the_source_checks_owe_a_record() -> None:
    """A record is written for each attempt that got past the source checks."""
    unlisted = admit(replace(ATTEMPT, source_address="198.51.100.5"))
    disabled = admit(ATTEMPT, with_termination(disabled=True))
    challenged = admit(ATTEMPT, PROTECTED)
    assert [unlisted.past_source_checks, disabled.past_source_checks, challenged.past_source_checks] == [
        False,
        True,
        True,
    ]
    assert [unlisted.owes_record, disabled.owes_record, challenged.owes_record] == [False, True, False]


# --- Emergency calls, and the numbers of groups

EMERGENCY = replace(
    CONNECTOR,
    emergency_calling_configuration=EmergencyCallingConfiguration(
        (DNISEmergencyCallingConfiguration("+12065550911", "US", "+12065550933"),)
    ),
)


@pytest.mark.parametrize(
    ("dialled", "called"), [("911", "+12065550911"), ("933", "+12065550933"), ("911;user=dialstring", "+12065550911")]
)
def test_an_emergency_number_needs_no_e164_and_is_rewritten(dialled: str, called: str) -> None:
    """Guide p. 62-63."""
    attempt = replace(ATTEMPT, called_user=dialled)
    admission = admit(attempt, EMERGENCY)
    assert (admission.decision.outcome, admission.called) == (Outcome.ADMIT, called)
    sentences = {finding.check: finding.sentence for finding in explain_checks(attempt, admission, AWS)}
    assert f"was rewritten to {called}" in sentences["called number"]


def test_an_emergency_call_without_an_entry_goes_out_as_it_was_dialled() -> None:
    assert admit(replace(ATTEMPT, called_user="911")).called == "911"


def test_no_limit_and_no_calling_plan_holds_up_an_emergency_call() -> None:
    connector = with_termination(EMERGENCY, calling_regions=(), cps_limit=1)
    profile = replace(AWS, active_calls_quota=0)
    control, snapshot = AdmissionControl(profile), Snapshot.of([connector])
    for _ in range(3):
        attempt = replace(ATTEMPT, called_user="911")
        admission = control.admit(attempt, snapshot, NO_ANSWER, now=0.0)
        assert admission.decision.outcome is Outcome.ADMIT
    sentences = [finding.sentence for finding in explain_checks(attempt, admission, profile)]
    assert len([sentence for sentence in sentences if "profile.emergency_calls_exempt" in sentence]) == 3
    assert control.limits.throttles == {}


def test_a_profile_may_hold_up_emergency_calls_too() -> None:
    profile = replace(AWS, emergency_calls_exempt=False)
    decision = refused(
        "calling plan", replace(ATTEMPT, called_user="911"), with_termination(EMERGENCY, calling_regions=("DE",)),
        profile=profile,
    )  # fmt: skip
    assert "is in US" in decision.because
    busy = replace(profile, active_calls_quota=0)
    refused("active calls", replace(ATTEMPT, called_user="911"), EMERGENCY, profile=busy)


def test_an_emergency_call_passes_every_other_check() -> None:
    attempt = replace(ATTEMPT, called_user="911")
    refused("caller ID", replace(attempt, from_user="1001"), EMERGENCY)
    refused("source address", replace(attempt, source_address="192.0.2.7"), EMERGENCY)


def test_a_connector_of_a_group_may_present_the_groups_numbers() -> None:
    other = replace(CONNECTOR, voice_connector_id="x" * 22, phone_numbers=())
    items = (VoiceConnectorItem(CONNECTOR.voice_connector_id, 1),)
    group = VoiceConnectorGroup("g" * 22, "both", items, ("+12065550111",))
    attempt = replace(ATTEMPT, from_user="+12065550111")
    snapshot = Snapshot.of([CONNECTOR, other], [group])
    admission = AdmissionControl(AWS).admit(attempt, snapshot, NO_ANSWER, 0.0)
    assert admission.caller == "+12065550111"
    sentences = [finding.sentence for finding in explain_checks(attempt, admission, AWS)]
    assert "the caller +12065550111 (From) is a number of a group that the connector is in" in sentences
    strict = replace(AWS, group_numbers_call_out=False)
    because = AdmissionControl(strict).admit(attempt, snapshot, NO_ANSWER, 0.0).decision.because
    assert f"is a number of Voice Connector group {group.voice_connector_group_id}" in because
    elsewhere = replace(attempt, host=other.outbound_host_name)
    assert AdmissionControl(AWS).admit(elsewhere, snapshot, NO_ANSWER, 0.0).decision.check == "caller ID"


def test_a_caller_in_the_deletion_queue_is_told_so() -> None:
    snapshot = Snapshot.of([CONNECTOR], (), [PhoneNumber("+12065550199", deletion_due=1.0)])
    attempt = replace(ATTEMPT, from_user="+12065550199")
    assert "is in the deletion queue" in AdmissionControl(AWS).admit(attempt, snapshot, NO_ANSWER, 0.0).decision.because


def test_a_caller_that_is_not_in_service_is_told_so() -> None:
    number = CONNECTOR.phone_numbers[0]
    snapshot = Snapshot.of([CONNECTOR], (), [PhoneNumber(number, progress="PortinInProgress")])
    attempt = replace(ATTEMPT, from_user=number)
    because = AdmissionControl(AWS).admit(attempt, snapshot, NO_ANSWER, 0.0).decision.because
    assert "is not in service, as its order is not fulfilled" in because
