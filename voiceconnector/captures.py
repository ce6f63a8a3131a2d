"""What is shown of the packets of calls: captures, recordings, and copies of SIP messages for a collector.

The relay keeps packets and audio in files; here they are made into what a user opens, and the oldest deleted.

    var/captures/<TransactionId>/{customer,remote}.rtp       with the call's SIP: capture.pcapng
    var/recordings/<TransactionId>/{customer,remote}.wav     together: recording.wav
"""

import heapq
import re
import shutil
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

from .calls.events import AttemptRefused, CallEvent, CallStarted
from .calls.history import CallHistory
from .calls.keeping import AUDIO, CAPTURES, PACKETS, RECORDINGS, part_of
from .config import Hep
from .media import capture
from .records import hep, pcapng, stereo
from .records.ladder import without_secrets
from .records.pcapng import Frame
from .sip.hop import Hop
from .sip.transaction import LogEntry

LATEST = 100
"""Live calls that are looked at for who has sent a message."""
CALL_IDS = 10_000
"""Remembered with the calls they belong to."""
_call_id = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\s]+)").search


class Captures:
    """What there is of the media of calls."""

    def __init__(self, data_dir: Path, keep_bytes: int, epoch: float, tls_key_log: Path | None = None) -> None:
        """`epoch` makes seconds since 1970 of the times in a call's log."""
        self._data_dir = data_dir
        self._keep_bytes = keep_bytes
        self._epoch = epoch
        self._tls_key_log = tls_key_log

    def pcapng(self, call: CallHistory, comment: str, *, as_sent: bool) -> Iterator[bytes]:
        """The packets of a call for Wireshark, in pieces.

        Decoded: plain RTP, without keys and credentials. `as_sent`: SIP to the letter, and what decrypts TLS; of a
        leg with SRTP only the SIP, as what SRTP made of its packets is not kept.
        """
        protected = {stream.pair.rtp for stream in call.plan.streams if stream.srtp} if call.plan else set()
        files = sorted((self._data_dir / CAPTURES / call.aws_transaction_id).glob(f"*.{PACKETS}"))
        if not files:
            comment += f"\nNo RTP of it was kept: [media] capture = true, or {_path(call)}/capture, keeps it."
        messages = [frame_of(entry, self._epoch) for entry in call.log]
        messages.sort(key=lambda frame: frame.time)
        if not as_sent:
            messages = [pcapng.decoded(message) for message in messages]
            comment += "\nDecoded: plain RTP; passwords and keys are zeros."
            protected.clear()
        key_log = self._key_log() if as_sent else b""
        return pcapng.capture_file(_in_order(messages, files, protected), comment, key_log)

    def recording(self, call: CallHistory) -> Iterator[bytes]:
        """What the caller said, left, and the called side, right, as a WAV file in pieces.

        Raises LookupError where nothing was recorded.
        """
        folder = self._data_dir / RECORDINGS / call.aws_transaction_id
        parts = [
            [folder / f"{side}{part_of(number + 1)}.{AUDIO}" for side in _sides(call)]
            for number in range(call.keeping.recordings)
        ]
        if not any(path.exists() for sides in parts for path in sides):
            raise LookupError(f"nothing of the call was recorded: [media] record = true, or {_path(call)}/record, does")
        return _stereo(parts)

    def make_room(self, live: Collection[str]) -> int:
        """Delete the oldest of calls that are over until the rest is no more than may be kept; how many were."""
        kept = [_size_of(folder) for kind in (CAPTURES, RECORDINGS) for folder in (self._data_dir / kind).glob("*/")]
        excess = sum(size for _, size, _ in kept) - self._keep_bytes
        deleted = 0
        for _, size, folder in sorted(kept):
            if excess > 0 and folder.name not in live:
                shutil.rmtree(folder, ignore_errors=True)
                excess -= size
                deleted += 1
        return deleted

    def _key_log(self) -> bytes:
        with suppress(OSError):
            return self._tls_key_log.read_bytes() if self._tls_key_log else b""
        return b""


def frame_of(entry: LogEntry, epoch: float) -> Frame:
    """A message of a log as it crossed the wire."""
    time, hop, sent, data = entry
    ours, theirs = (hop.local.host, hop.local.port), hop.address[:2]
    source, destination = (ours, theirs) if sent else (theirs, ours)
    return Frame(time + epoch, hop.local.transport, source, destination, sent, data)


def _in_order(messages: list[Frame], files: Iterable[Path], protected: Collection[int]) -> Iterator[Frame]:
    """SIP and RTP by time; RTP of relay ports that are not `protected`."""
    with ExitStack() as opened:
        media = [_packets(capture.read(opened.enter_context(path.open("rb"))), protected) for path in files]
        yield from heapq.merge(messages, *media, key=lambda frame: frame.time)


def _packets(packets: Iterable[capture.CapturedPacket], protected: Collection[int]) -> Iterator[Frame]:
    for packet in packets:
        if packet.local[1] - packet.rtcp not in protected:
            ways = (packet.local, packet.remote) if packet.sent else (packet.remote, packet.local)
            yield Frame(packet.time_us / 1_000_000, "UDP", *ways, packet.sent, packet.data)


def _stereo(parts: Iterable[Iterable[Path]]) -> Iterator[bytes]:
    with ExitStack() as opened:
        sides = [[opened.enter_context(path.open("rb")) if path.exists() else None for path in part] for part in parts]
        yield from stereo.wav_file([(left, right) for left, right in sides])


def _sides(call: CallHistory) -> tuple[str, str]:
    """Of legs a and b."""
    return ("customer", "remote") if call.roles.customer == "a" else ("remote", "customer")


def _path(call: CallHistory) -> str:
    return f"POST /emulator/calls/{call.aws_transaction_id}"


def _size_of(folder: Path) -> tuple[float, int, Path]:
    """When it was last written to, how large it is, and the folder."""
    states = []
    for file in folder.iterdir():
        with suppress(OSError):  # Deleted since.
            states.append(file.stat())
    return max((state.st_mtime for state in states), default=0.0), sum(state.st_size for state in states), folder


class Copies:
    """Copies of SIP messages for a collector, each with the TransactionId of its call, or its own Call-ID."""

    def __init__(
        self, collector: Hep, send: Callable[[bytes], None], live: dict[str, CallHistory], epoch: float
    ) -> None:
        """`live`: the calls there are, by TransactionId, the latest last."""
        self._collector = collector
        self._send = send
        self._live = live
        self._epoch = epoch
        self._waiting: list[LogEntry] = []
        """What has come in this turn: whose it is, is known when the turn is over."""
        self._calls: OrderedDict[str, str] = OrderedDict()
        """Call-ID -> TransactionId."""

    def take(self, now: float, hop: Hop, sent: bool, data: bytes) -> None:
        """One message of the trunk; those received wait for `settle`."""
        if sent:
            self._copy((now, hop, sent, data))
        else:
            self._waiting.append((now, hop, sent, data))

    def settle(self, events: Iterable[CallEvent]) -> None:
        """The turn's messages have been worked on, and this has happened."""
        for event in events:
            if isinstance(event, CallStarted | AttemptRefused):
                self._learn(event.call_id, event.aws_transaction_id)
                if call := self._live.get(event.aws_transaction_id):
                    self._learn(call.pstn_call_id or call.call_id, event.aws_transaction_id)
        waiting, self._waiting = self._waiting, []
        for entry in waiting:
            self._copy(entry)

    def _copy(self, entry: LogEntry) -> None:
        frame = frame_of(entry, self._epoch)
        data = without_secrets(frame.data, same_length=True)
        identity, password = self._collector.capture_id, self._collector.password
        self._send(hep.packet(frame._replace(data=data), identity, password, self._correlation_id(entry)))

    def _correlation_id(self, entry: LogEntry) -> str:
        found = _call_id(entry[3])
        call_id = found[1].decode("utf-8", "replace") if found else ""
        if entry[2] and call_id not in self._calls:
            self._learn(call_id, self._sender(entry[3]) or call_id)
        return self._calls.get(call_id, call_id)

    def _sender(self, data: bytes) -> str:
        """The call that has just sent this, by its log, if it is one of the latest; else ""."""
        latest = islice(reversed(self._live.values()), LATEST)
        return next((call.aws_transaction_id for call in latest if any(data is sent for *_, sent in call.log[-4:])), "")

    def _learn(self, call_id: str, aws_transaction_id: str) -> None:
        self._calls[call_id] = aws_transaction_id
        if len(self._calls) > CALL_IDS:
            self._calls.popitem(last=False)
