"""The call detail record: a pure function of a call's end.

Field names, order, types and object key are those of the administration guide (p. 76-77). Also written are
the names of the two numbers, which today's edition of that page has, and IsProxyCall, the last field in
AWS's own sample of record processing.

A record is made in two halves: `opening` is known when the call begins, `ending` when it is over. Each is one
line of JSON text in four parts, with a tab between them; a record is the parts in turn. So a journal of
halves loses nothing when the process is killed between them, and a half costs a few microseconds.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as quoted
from operator import add

from voiceconnector.calls.events import CallEnded, CallStarted

PREFIX = "Amazon-Chime-Voice-Connector-CDRs/json"
BILLING_INCREMENT_SECONDS = 6
"""The guide's sample bills a call of 4 s as 6 s, 0.1 minutes."""
STOPPED = "The emulator was stopped during the call"
"""StatusMessage of a call that nobody saw end."""

# Unverified: only USE1 is seen in a record; the others are AWS's public billing codes of its Regions.
REGION_CODES = {
    "us-east-1": "USE1",
    "us-west-2": "USW2",
    "ca-central-1": "CAN1",
    "eu-central-1": "EUC1",
    "eu-west-1": "EU",
    "eu-west-2": "EUW2",
    "ap-northeast-1": "APN1",
    "ap-northeast-2": "APN2",
    "ap-southeast-1": "APS1",
    "ap-southeast-2": "APS2",
}


def unnamed(_number: str) -> str:
    """The name of a number that nobody named."""
    return ""


@dataclass(frozen=True, slots=True)
class Account:
    """What a record says that the call itself does not know."""

    account_id: str
    """AWS account, 12 digits."""
    country_of: Callable[[str], str]
    """The country of an E.164 number, ISO 3166-1 alpha-2; empty where it belongs to none."""
    name_of: Callable[[str], str] = unnamed
    """The name that the account gave to a number; empty where there is none."""


def call_detail_record(ended: CallEnded, account: Account) -> bytes:
    """The record as the body of its object: one line of JSON, the guide's fields in the guide's order."""
    return woven(encoded(opening(ended.started, account)), encoded(ending(ended)))


def object_key(started: CallStarted) -> str:
    """Where the record lies: `<prefix>/<VoiceConnectorId>/<yyyy>/<mm>/<dd>/<HH.MM.SS.mmm>_<TransactionId>`.

    The time is the call's start, in UTC. The guide's example has `_` before the TransactionId and its
    template `-`; records that were seen have `_`.
    """
    second, millisecond = divmod(round(started.start_time * 1000), 1000)
    return (
        f"{PREFIX}/{started.voice_connector_id}/{_date_and_time(second)}.{millisecond:03d}_{started.aws_transaction_id}"
    )


@lru_cache(maxsize=64)
def _date_and_time(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y/%m/%d/%H.%M.%S}"


def billable_seconds(ended: CallEnded) -> int:
    """The seconds from answer to end, rounded up to the billing increment; none for a call that failed."""
    # Unverified: that a call which was answered and then failed costs nothing.
    if ended.answer_time is None or not ended.completed:
        return 0
    # Whole milliseconds first: times are floats, and a call of exactly 6 s must not become one of 12.
    milliseconds = max(0, round((ended.end_time - ended.answer_time) * 1000))
    return -(-milliseconds // (BILLING_INCREMENT_SECONDS * 1000)) * BILLING_INCREMENT_SECONDS


def usage_type(region: str, source_country: str, destination_country: str, direction: str) -> str:
    """The line of the price list: "USE1-US-US-outbound-minutes"."""
    # Unverified: the form of inbound calls; a sample generator of AWS's names one country only there.
    code = REGION_CODES.get(region, region)
    return f"{code}-{source_country}-{destination_country}-{direction.lower()}-minutes"


def opening(started: CallStarted, account: Account) -> str:
    """The half of a record that is known when the call begins."""
    source, destination = started.source_phone_number, started.destination_phone_number
    source_country, destination_country = account.country_of(source), account.country_of(destination)
    usage = usage_type(started.region, source_country, destination_country, started.direction)
    # Spelled out, because a dictionary and a general encoder take three times as long.
    return (
        f'{{"AwsAccountId":{quoted(account.account_id)}'
        f',"TransactionId":{quoted(started.aws_transaction_id)}'
        f',"CallId":{quoted(started.call_id)}'
        f',"VoiceConnectorId":{quoted(started.voice_connector_id)}'
        "\t"
        f',"SipAuthUser":{quoted(started.sip_auth_user)}'
        "\t"
        ',"SchemaVersion":"2.0"'
        f',"SourcePhoneNumber":{quoted(source)}'
        f',"SourcePhoneNumberName":{quoted(account.name_of(source))}'
        f',"SourceCountry":{quoted(source_country)}'
        f',"DestinationPhoneNumber":{quoted(destination)}'
        f',"DestinationPhoneNumberName":{quoted(account.name_of(destination))}'
        f',"DestinationCountry":{quoted(destination_country)}'
        f',"UsageType":{quoted(usage)}'
        ',"ServiceCode":"AmazonChimeVoiceConnector"'
        f',"Direction":"{started.direction}"'
        f',"StartTimeEpochSeconds":{round(started.start_time * 1000) // 1000}'
        "\t"
        f',"Region":{quoted(started.region)}'
    )


def ending(ended: CallEnded) -> str:
    """The half of a record that is known when the call is over."""
    seconds = billable_seconds(ended)
    return (
        f',"Status":"{"Completed" if ended.completed else "Failed"}"'
        f',"StatusMessage":{quoted(ended.status_message)}'
        "\t"
        f',"BillableDurationSeconds":{seconds}'
        f',"BillableDurationMinutes":{seconds / 60}'
        "\t"
        f',"EndTimeEpochSeconds":{round(ended.end_time * 1000) // 1000}'
        "\t"
        f',"Streaming":{"true" if ended.streaming else "false"}'
        ',"IsProxyCall":false}'
    )


def cut_short(end_time: int) -> bytes:
    """The ending of a call that the emulator did not live to see, last known alive at that time (epoch)."""
    return encoded(
        f',"Status":"Failed","StatusMessage":{quoted(STOPPED)}'
        '\t,"BillableDurationSeconds":0,"BillableDurationMinutes":0.0'
        f'\t,"EndTimeEpochSeconds":{end_time}'
        '\t,"Streaming":false,"IsProxyCall":false}'
    )


def woven(opening: bytes, ending: bytes) -> bytes:
    """The record that two halves make. Raises ValueError where one of them is no half."""
    first, second = opening.split(b"\t"), ending.split(b"\t")
    if len(first) != 4 or len(second) != 4:
        raise ValueError("half a record has four parts")
    return b"".join(map(add, first, second))


def encoded(half: str) -> bytes:
    """Text as it is kept. Bytes of a peer that were no UTF-8, lone surrogates in the text, become `?`."""
    return half.encode("utf-8", "replace")


_time_in = re.compile(rb'"(?:Start|End)TimeEpochSeconds":([0-9]+)').search


def time_of(half: bytes) -> int:
    """When the call began or ended, in seconds since the epoch. Raises ValueError where it is no half."""
    found = _time_in(half)
    if found is None:
        raise ValueError("half a record has a time")
    return int(found[1])
