"""The call detail record against the guide (p. 76-77) and AWS's public samples."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voiceconnector.calls.events import CallEnded, CallStarted
from voiceconnector.records import cdr

STARTED = CallStarted(
    aws_transaction_id="123abc4d-efg5-6789-h012-j3456789k012",
    call_id="123a4b567890123c456789012d3456e7@203.0.113.9:8080",
    voice_connector_id="abcdefghijklmno3pqr4",
    region="us-east-1",
    direction="Outbound",
    source_phone_number="+12065550100",
    destination_phone_number="+12065550101",
    sip_auth_user="XXXX",
    start_time=1565399625.0,
)
ENDED = CallEnded(
    started=STARTED,
    answer_time=1565399625.0,
    end_time=1565399629.0,
    completed=True,
    status_message="OK",
    streaming=True,
)
NAMES = {"+12065550100": "North Campus Reception", "+12065550101": "South Campus Reception"}
ACCOUNT = cdr.Account("111122223333", country_of=lambda number: "US", name_of=NAMES.__getitem__)
NAMELESS = cdr.Account("111122223333", country_of=lambda number: "US")

# The sample of the guide, p. 77, with the two names of today's edition of the page and IsProxyCall, which
# closes AWS's sample of record processing.
SAMPLE = """{
  "AwsAccountId": "111122223333",
  "TransactionId": "123abc4d-efg5-6789-h012-j3456789k012",
  "CallId": "123a4b567890123c456789012d3456e7@203.0.113.9:8080",
  "VoiceConnectorId": "abcdefghijklmno3pqr4",
  "Status": "Completed",
  "StatusMessage": "OK",
  "SipAuthUser": "XXXX",
  "BillableDurationSeconds": 6,
  "BillableDurationMinutes": 0.1,
  "SchemaVersion": "2.0",
  "SourcePhoneNumber": "+12065550100",
  "SourcePhoneNumberName": "North Campus Reception",
  "SourceCountry": "US",
  "DestinationPhoneNumber": "+12065550101",
  "DestinationPhoneNumberName": "South Campus Reception",
  "DestinationCountry": "US",
  "UsageType": "USE1-US-US-outbound-minutes",
  "ServiceCode": "AmazonChimeVoiceConnector",
  "Direction": "Outbound",
  "StartTimeEpochSeconds": 1565399625,
  "EndTimeEpochSeconds": 1565399629,
  "Region": "us-east-1",
  "Streaming": true,
  "IsProxyCall": false
}"""

times = st.floats(min_value=0, max_value=4e9)
text = st.text(st.characters(exclude_categories=[]), max_size=40)  # With control characters and lone surrogates.


def fields(ended: CallEnded, account: cdr.Account = ACCOUNT) -> dict[str, str | int | float | bool]:
    record = json.loads(cdr.call_detail_record(ended, account))
    assert isinstance(record, dict)
    return record


def test_the_guides_sample_comes_out_field_for_field_and_in_order() -> None:
    """Guide p. 77."""
    assert list(fields(ENDED).items()) == list(json.loads(SAMPLE).items())


def test_a_record_is_one_line() -> None:
    """Athena and Glue read one JSON object a line."""
    assert b"\n" not in cdr.call_detail_record(ENDED, ACCOUNT)


def test_numbers_are_numbers_and_flags_are_flags() -> None:
    """Types as AWS's Glue table of call detail records has them: int, float, bigint, boolean."""
    record = cdr.call_detail_record(ENDED, ACCOUNT)
    assert b'"BillableDurationSeconds":6,' in record
    assert b'"BillableDurationMinutes":0.1,' in record
    assert b'"StartTimeEpochSeconds":1565399625,' in record
    assert b'"Streaming":true,"IsProxyCall":false}' in record


def test_the_object_key_is_that_of_the_guide() -> None:
    """Guide p. 76, its example."""
    started = replace(
        STARTED,
        voice_connector_id="abcdef1ghij2klmno3pqr4",
        start_time=datetime(2019, 3, 1, 17, 10, 0, 20_000, tzinfo=UTC).timestamp(),
    )
    assert cdr.object_key(started) == (
        "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/03/01/17.10.00.020_"
        "123abc4d-efg5-6789-h012-j3456789k012"
    )


@given(times)
def test_the_object_key_tells_the_start_to_the_millisecond(start_time: float) -> None:
    key = cdr.object_key(replace(STARTED, start_time=start_time))
    day_and_time = key.removeprefix(f"{cdr.PREFIX}/{STARTED.voice_connector_id}/").partition("_")[0]
    told = datetime.strptime(day_and_time, "%Y/%m/%d/%H.%M.%S.%f").replace(tzinfo=UTC)
    assert told.timestamp() == pytest.approx(start_time, abs=0.00051)
    assert (
        int(told.timestamp())
        == fields(replace(ENDED, started=replace(STARTED, start_time=start_time)))["StartTimeEpochSeconds"]
    )


@pytest.mark.parametrize(
    ("seconds", "billable", "minutes"),
    [
        (0, 0, 0.0),
        (0.001, 6, 0.1),
        (4, 6, 0.1),
        (6, 6, 0.1),
        (6.001, 12, 0.2),
        (60, 60, 1.0),
        (3599.5, 3600, 60.0),
    ],
)
def test_a_call_is_billed_in_steps_of_six_seconds(seconds: float, billable: int, minutes: float) -> None:
    """Guide p. 77: 4 s are billed as 6 s, 0.1 minutes."""
    ended = replace(ENDED, answer_time=1565399625.123, end_time=1565399625.123 + seconds)
    assert fields(ended)["BillableDurationSeconds"] == billable
    assert fields(ended)["BillableDurationMinutes"] == minutes


@given(times, st.integers(min_value=0, max_value=86_400_000))
def test_rounding_gives_away_nothing_and_takes_less_than_a_step(answer_time: float, milliseconds: int) -> None:
    billable = cdr.billable_seconds(replace(ENDED, answer_time=answer_time, end_time=answer_time + milliseconds / 1000))
    assert billable % 6 == 0
    assert 0 <= billable * 1000 - milliseconds < 6000


def test_a_clock_set_back_during_a_call_bills_nothing() -> None:
    assert cdr.billable_seconds(replace(ENDED, answer_time=100.0, end_time=40.0)) == 0


def test_a_call_that_nobody_answered_is_not_billed() -> None:
    record = fields(replace(ENDED, answer_time=None, completed=False, status_message="Busy Here"))
    assert (record["Status"], record["StatusMessage"]) == ("Failed", "Busy Here")
    assert (record["BillableDurationSeconds"], record["BillableDurationMinutes"]) == (0, 0.0)


def test_a_failed_call_is_not_billed_even_if_it_was_answered() -> None:
    assert fields(replace(ENDED, completed=False))["BillableDurationSeconds"] == 0


def test_a_number_without_a_name_has_an_empty_one() -> None:
    record = fields(ENDED, NAMELESS)
    assert record["SourcePhoneNumberName"] == record["DestinationPhoneNumberName"] == ""


@pytest.mark.parametrize(
    ("region", "countries", "direction", "usage"),
    [
        ("us-east-1", ("US", "US"), "Outbound", "USE1-US-US-outbound-minutes"),
        ("us-west-2", ("US", "CA"), "Outbound", "USW2-US-CA-outbound-minutes"),
        ("eu-central-1", ("DE", "US"), "Inbound", "EUC1-DE-US-inbound-minutes"),
        ("lab-1", ("US", ""), "Outbound", "lab-1-US--outbound-minutes"),
    ],
)
def test_the_usage_type_names_region_countries_and_direction(
    region: str, countries: tuple[str, str], direction: str, usage: str
) -> None:
    """Guide p. 77; Region codes from AWS's list of billing codes."""
    assert cdr.usage_type(region, *countries, direction) == usage


@given(text, text, text, text)
def test_whatever_a_peer_sends_the_record_stays_one_line_of_json(
    call_id: str, source: str, user: str, message: str
) -> None:
    started = replace(STARTED, call_id=call_id, source_phone_number=source, sip_auth_user=user)
    body = cdr.call_detail_record(replace(ENDED, started=started, status_message=message), NAMELESS)
    assert b"\n" not in body
    assert b"\t" not in body
    record = json.loads(body)
    told = (record["CallId"], record["SourcePhoneNumber"], record["SipAuthUser"], record["StatusMessage"])
    assert told == tuple(value.encode("utf-8", "replace").decode() for value in (call_id, source, user, message))


def test_a_call_that_nobody_saw_end_has_a_failed_record_that_says_so() -> None:
    opening = cdr.opening(STARTED, ACCOUNT).encode()
    record = json.loads(cdr.woven(opening, cdr.cut_short(1565399700)))
    assert list(record) == list(json.loads(SAMPLE))
    assert record == json.loads(SAMPLE) | {
        "Status": "Failed",
        "StatusMessage": "The emulator was stopped during the call",
        "BillableDurationSeconds": 0,
        "BillableDurationMinutes": 0.0,
        "EndTimeEpochSeconds": 1565399700,
        "Streaming": False,
    }


def test_each_half_of_a_record_tells_its_time() -> None:
    assert cdr.time_of(cdr.opening(STARTED, ACCOUNT).encode()) == 1565399625
    assert cdr.time_of(cdr.ending(ENDED).encode()) == 1565399629
    liar = replace(STARTED, call_id='"EndTimeEpochSeconds":1')
    assert cdr.time_of(cdr.opening(liar, ACCOUNT).encode()) == 1565399625


@pytest.mark.parametrize("half", [b"", b"a\tb\tc", b"a\tb\tc\td\te"])
def test_what_is_no_half_of_a_record_is_refused(half: bytes) -> None:
    with pytest.raises(ValueError, match="half a record"):
        cdr.woven(half, cdr.cut_short(0))
    with pytest.raises(ValueError, match="half a record"):
        cdr.time_of(half)
