"""What is made of the files that the relay keeps, with files as it writes them."""

import os
import struct
import wave
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from tests.flows.stage import EPOCH, FAR, PBX, TRUNK, Stage
from voiceconnector.calls.history import CallHistory
from voiceconnector.captures import Captures
from voiceconnector.media.capture import MAGIC, CapturedPacket, record
from voiceconnector.media.plan import Srtp

KEY_LOG = "CLIENT_RANDOM 00 11\n"


@pytest.fixture
def call() -> CallHistory:
    """A call that took half a second."""
    stage = Stage()
    caller, _ = stage.answered()
    stage.run(0.5)
    caller.hang_up(stage.now)
    stage.end()
    return stage.history


@pytest.fixture
def captures(tmp_path: Path) -> Captures:
    (tmp_path / "keys.log").write_text(KEY_LOG)
    return Captures(tmp_path, 1_000_000, EPOCH, tmp_path / "keys.log")


def keep_packets(tmp_path: Path, call: CallHistory) -> None:
    """Three packets of each leg, one of them RTCP, between the answer and the end of the call."""
    assert call.plan
    folder = tmp_path / "captures" / call.aws_transaction_id
    folder.mkdir(parents=True)
    for stream, remote, name in zip(call.plan.streams, ((PBX, 4000), (FAR, 6000)), ("customer", "remote"), strict=True):
        file = MAGIC
        for number, rtcp in enumerate((False, False, True)):
            local = (TRUNK, stream.pair.rtcp if rtcp else stream.pair.rtp)
            at = round((EPOCH + 0.2 + 0.02 * number) * 1_000_000)
            file += record(CapturedPacket(at, name == "remote", rtcp, local, remote, f"{name} {number}".encode()))
        (folder / f"{name}.rtp").write_bytes(file + b"\0\0")


def packets(file: bytes) -> Iterator[tuple[float, bytes]]:
    """Time and bytes of every packet of a pcapng file."""
    while file:
        kind, size = struct.unpack_from("<II", file)
        if kind == 6:
            _, high, low, length = struct.unpack_from("<IIII", file, 8)
            yield (high << 32 | low) / 1e6, file[28 : 28 + length]
        file = file[size:]


def test_sip_and_rtp_of_both_legs_are_in_the_order_of_their_times(
    tmp_path: Path, captures: Captures, call: CallHistory
) -> None:
    keep_packets(tmp_path, call)
    found = list(packets(b"".join(captures.pcapng(call, "who", as_sent=False))))
    times = [time for time, _ in found]
    assert times == sorted(times)
    assert len(found) == len(call.log) + 6
    told = ["SIP" if b"SIP/2.0" in data else data[28:].decode() for _, data in found]
    assert [one for one in told if one != "SIP"] == [
        "customer 0", "remote 0", "customer 1", "remote 1", "customer 2", "remote 2",
    ]  # fmt: skip
    assert told[0] == told[-1] == "SIP"
    came, left = (next(data for _, data in found if one in data) for one in (b"customer 0", b"remote 0"))
    assert struct.unpack_from("!H", came, 20) == (4000,)
    assert struct.unpack_from("!H", left, 22) == (6000,)


def test_a_call_whose_packets_were_not_kept_has_its_sip_and_says_how_to_keep_them(
    captures: Captures, call: CallHistory
) -> None:
    file = b"".join(captures.pcapng(call, "who", as_sent=False))
    assert len(list(packets(file))) == len(call.log)
    assert b"[media] capture = true" in file
    assert b"who" in file


def test_as_sent_has_the_tls_keys_and_no_packet_that_was_encrypted(
    tmp_path: Path, captures: Captures, call: CallHistory
) -> None:
    assert call.plan
    keep_packets(tmp_path, call)
    protected = call.plan.streams[0]._replace(srtp=Srtp("AES_CM_128_HMAC_SHA1_80", bytes(30), bytes(30)))
    call.plan = call.plan._replace(streams=(protected, call.plan.streams[1]))
    file = b"".join(captures.pcapng(call, "who", as_sent=True))
    assert KEY_LOG.encode() in file
    assert [name in file for name in (b"customer 0", b"customer 2", b"remote 0", b"remote 2")] == [
        False,
        False,
        True,
        True,
    ]
    decoded = b"".join(captures.pcapng(call, "who", as_sent=False))
    assert KEY_LOG.encode() not in decoded
    assert b"customer 2" in decoded


def write_wav(path: Path, *samples: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def test_a_recording_has_the_caller_left_and_every_part_in_turn(
    tmp_path: Path, captures: Captures, call: CallHistory
) -> None:
    folder = tmp_path / "recordings" / call.aws_transaction_id
    write_wav(folder / "customer.wav", 1, 2)
    write_wav(folder / "remote.wav", 7)
    write_wav(folder / "remote-2.wav", 8)
    call.keeping = call.keeping._replace(recordings=2)
    with wave.open(BytesIO(b"".join(captures.recording(call)))) as file:
        frames = file.readframes(file.getnframes())
    assert list(struct.iter_unpack("<hh", frames)) == [(1, 7), (2, 0), (0, 8)]


def test_a_call_that_was_not_recorded_says_how_to_do_so(captures: Captures, call: CallHistory) -> None:
    with pytest.raises(LookupError, match=r"\[media\] record = true"):
        captures.recording(call)


def test_the_oldest_calls_that_are_over_make_room(tmp_path: Path, captures: Captures) -> None:
    """1,000,000 bytes may be kept: of five calls with 400,000 each, one of which still goes on, two remain."""
    for age, name in enumerate(("live", "oldest", "older", "newer", "newest")):
        folder = tmp_path / ("captures" if age % 2 else "recordings") / name
        folder.mkdir(parents=True)
        (folder / "customer.rtp").write_bytes(bytes(400_000))
        os.utime(folder / "customer.rtp", (age, age))
    assert captures.make_room({"live"}) == 3
    assert sorted(path.name for path in tmp_path.glob("*/*/")) == ["live", "newest"]
    assert captures.make_room(()) == 0
