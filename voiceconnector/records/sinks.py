"""Where records are kept: a journal that the call path writes, and one writer that makes objects of it.

Nothing on the call path waits for a disk, and every call attempt gets exactly one record, also when the
process is killed. `Sink.append` hands the lines of a turn to the kernel with one `write`, before the turn's
SIP messages leave; what the kernel holds outlives the process. The writer tails the journal, puts each
record where it belongs, and deletes the journal segments that it is done with. It is a process and not a
thread, because a thread that makes files competes with calls for the interpreter lock.

The journal is `data_dir/journal/`: numbered segments `<number>.log`, and `<number>.open`, the calls still
open at the end of that segment, which stands for it and all before it. A line is `+<bucket>/<object key>`, a tab
and `cdr.opening`, or `=<bucket>/<TransactionId>`, a tab and `cdr.ending`. The bucket is the one that records went
to at that moment, empty when nobody wanted any; a call's end decides where its record goes.

When the emulator is gone, in order or by a kill, the writer finishes the journal, gives calls that are still
open a Failed record, and ends. If both were killed, the next start does the same first.

Left out: a crash of the machine. Nothing is forced to the disk.
"""

import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Protocol

from voiceconnector.calls.events import CallEnded, CallEvent, CallMoved, CallStarted
from voiceconnector.records import cdr

SEGMENT_BYTES = 8 << 20
"""A journal segment is closed at about this size: some 8,000 calls."""
MEMORY_BYTES = 64 << 20
"""Lines kept in memory while the journal cannot be written: some 60,000 calls."""
FLUSH_BYTES, FLUSHES = 64 << 10, 16
"""So much of them is written at a time, and so many times in one turn, once they can be."""
POLL_SECONDS = 0.2
"""How often the writer looks for new lines."""
RETRY_SECONDS = 0.5
"""How long the writer waits after a failure."""
GRACE_SECONDS = 1.0
"""How long it goes on trying when the emulator is gone; what it cannot write then, the next start does."""
RESTART_SECONDS = 1.0
"""How long a writer that died stays away."""
PREDECESSOR_SECONDS = 5.0
"""How long a start waits for the writer of an emulator that was killed."""
READ_BYTES = 1 << 20
DIRECTORIES_HELD = 64

ALL_WRITTEN, LEFT_IN_JOURNAL = 0, 3
"""Exit statuses of a writer that ends in order."""

Report = Callable[[str], None]
"""Takes a sentence for the log; called from any thread."""


class InUse(Exception):
    """Another emulator has the data directory."""


class Sink:
    """Takes the events of each turn, and owes every call attempt one record, as long as there is a bucket for it."""

    def __init__(
        self,
        data_dir: Path,
        account: cdr.Account,
        report: Report,
        bucket: Callable[[], str | None],
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """`report` is told of trouble once, and once when it is over; `bucket` says where records go now.

        Raises InUse, or OSError where the journal cannot be made.
        """
        self.process_id = 0
        """Of the writer at work; 0 while there is none."""
        self._account = account
        self._report = report
        self._bucket = bucket
        self._buckets = data_dir / "buckets"
        self._journal = data_dir / "journal"
        self._journal.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self._journal)
        self._first = self._number = max(_numbers(self._journal, "*"), default=0) + 1
        try:
            self._file = _new_segment(self._journal, self._number)
        except OSError:
            os.close(self._lock)
            raise
        self._size = 0
        self._segment_bytes = segment_bytes
        self._waiting = bytearray()
        self._lost = 0
        self._trouble = False
        # The writer ends when this pipe does: a kill closes it as surely as `close`.
        self._pipe, self._lifeline = os.pipe()
        self._closing = threading.Event()
        self._all_written = False
        self._supervisor = threading.Thread(target=self._supervise, name="record writer", daemon=True)
        self._supervisor.start()

    def append(self, events: Iterable[CallEvent] = ()) -> None:
        """Puts a turn's events on record. To be called before the turn's messages leave.

        Never waits and never raises. Where the journal cannot be written, lines stay in memory, and each
        call, also one without events, tries again.
        """
        lines = ""
        for event in events:
            if isinstance(event, CallStarted | CallMoved):  # The later beginning of a call counts.
                started = event if isinstance(event, CallStarted) else event.started
                lines += f"+{self._bucket() or ''}/{cdr.object_key(started)}\t{cdr.opening(started, self._account)}\n"
            elif isinstance(event, CallEnded):
                lines += f"={self._bucket() or ''}/{event.started.aws_transaction_id}\t{cdr.ending(event)}\n"
        if lines or self._waiting:
            self._write(cdr.encoded(lines))

    def _write(self, lines: bytes) -> None:
        if self._waiting:
            self._keep(lines)
            self._flush()
        else:
            self._waiting += lines[self._written(lines) :]
        if self._size >= self._segment_bytes and not self._waiting:
            self._next_segment()

    def _written(self, lines: bytes) -> int:
        """Writes what the journal takes; how much that was, in bytes."""
        try:
            written = os.write(self._file, lines)
        except OSError as error:
            self._in_trouble(error)
            return 0
        self._size += written
        return written

    def _flush(self) -> None:
        for _ in range(FLUSHES):
            written = self._written(bytes(self._waiting[:FLUSH_BYTES]))
            del self._waiting[:written]
            if not self._waiting:
                self._out_of_trouble()
            if written < FLUSH_BYTES:
                return

    def _keep(self, lines: bytes) -> None:
        if len(self._waiting) + len(lines) <= MEMORY_BYTES:
            self._waiting += lines
        else:
            self._lost += lines.count(b"\n")

    def _in_trouble(self, error: OSError) -> None:
        if not self._trouble:
            self._trouble = True
            self._report(
                f"The journal of calls in {self._journal} cannot be written ({error.strerror}). "
                "Calls go on; their records wait in memory."
            )

    def _out_of_trouble(self) -> None:
        if self._trouble:
            self._trouble = False
            lost = f" {self._lost} lines found no place in memory and are lost." if self._lost else ""
            self._lost = 0
            self._report(f"The journal of calls is written again.{lost}")

    def _next_segment(self) -> None:
        self._size = 0
        try:
            file = _new_segment(self._journal, self._number + 1)
        except OSError:
            return  # The old one serves as well, for another round.
        os.close(self._file)
        self._file = file
        self._number += 1

    def close(self, timeout: float = 30.0) -> bool:
        """Ends the journal and the writer; true when every record is where it belongs.

        Waits at most about `timeout` seconds. Where it is false, the report says what is left.
        """
        if self._closing.is_set():
            return self._all_written
        deadline = time.monotonic() + GRACE_SECONDS
        while self._waiting and time.monotonic() < deadline:
            self._write(b"")
            if self._trouble:
                time.sleep(0.05)
        if self._waiting:
            lost = self._lost + self._waiting.count(b"\n")
            self._report(f"{lost} lines of the journal of calls could not be written and are lost.")
        os.close(self._file)
        self._closing.set()
        os.close(self._lifeline)
        self._supervisor.join(timeout)
        if self._supervisor.is_alive():
            self._report(f"The record writer is still busy after {timeout:.0f} s; it goes on alone.")
            return False
        os.close(self._pipe)
        os.close(self._lock)
        return self._all_written and not self._waiting

    def _supervise(self) -> None:
        while True:
            closing = self._closing.is_set()
            try:
                status = self._run_writer()
                trouble = f"ended unexpectedly ({status})"
            except OSError as error:
                status, trouble = None, f"cannot be started ({error.strerror})"
            if closing or (self._closing.is_set() and status in (ALL_WRITTEN, LEFT_IN_JOURNAL)):
                self._all_written = status == ALL_WRITTEN
                return
            self._report(f"The record writer {trouble}. Another takes its place.")
            self._closing.wait(RESTART_SECONDS)

    def _run_writer(self) -> int:
        """Runs a writer until it ends, and passes on what it says. Its exit status, as subprocess has it."""
        arguments = (self._journal, self._buckets, self._first, os.getpid())
        with subprocess.Popen(
            [sys.executable, "-P", "-S", "-m", __name__, *map(str, arguments)],
            stdin=self._pipe,
            stdout=subprocess.PIPE,
            pass_fds=[self._lock],
            start_new_session=True,  # A terminal's ^C is for the emulator alone.
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            encoding="utf-8",
        ) as writer:
            self.process_id = writer.pid
            assert writer.stdout is not None
            for line in writer.stdout:
                self._report(line.rstrip("\n"))
        self.process_id = 0
        return writer.returncode


class Collector:
    """Where copies of SIP messages go, over UDP. What it does not take is counted, and gone."""

    def __init__(self, host: str, port: int, report: Report) -> None:
        """Raises OSError where this machine has no way to that address."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._place = f"{host} port {port}"
        self._report = report
        self.sent = self.lost = 0
        try:
            self._socket.connect((host, port))
        except OSError:
            self._socket.close()
            raise

    def send(self, packet: bytes) -> None:
        """Never waits. That nobody listens there, the system says at the next packet (ICMP), and does not send that."""
        try:
            self._socket.send(packet)
        except ConnectionRefusedError as error:
            self.sent -= 1
            self._lose(error)
            self._send_once_more(packet)
        except OSError as error:
            self._lose(error)
        else:
            self.sent += 1

    def _send_once_more(self, packet: bytes) -> None:
        try:
            self._socket.send(packet)
            self.sent += 1
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if not self.lost:
            self._report(
                f"The collector of SIP messages at {self._place} takes none ({error.strerror}); calls go on. "
                "Further ones that are lost are counted and not told."
            )
        self.lost += 1

    def close(self) -> None:
        self._socket.close()


class Target(Protocol):
    """A place for objects."""

    def put(self, key: str, body: bytes) -> None:
        """Puts an object there, whole or not at all; one that is there already was put there before.

        Raises OSError where that cannot be done now; it will be tried again.
        """
        ...


class LocalFolder:
    """`data_dir/buckets`: what would be S3. A key begins with its bucket."""

    def __init__(self, root: Path) -> None:
        """The folder is made when the first object comes."""
        self._root = root
        self._directories: dict[str, int] = {}
        self._place = _place_by_link

    def put(self, key: str, body: bytes) -> None:
        """Makes the file. Nobody sees less than all of it."""
        folder, _, name = key.rpartition("/")
        try:
            self._place(self._directory(folder), name, body)
        except OSError:  # Perhaps somebody deleted a folder that is held open here.
            self.close()
            self._place(self._directory(folder), name, body)

    def _directory(self, folder: str) -> int:
        directory = self._directories.get(folder)
        if directory is None:
            if len(self._directories) == DIRECTORIES_HELD:
                self.close()
            path = self._root / folder
            path.mkdir(parents=True, exist_ok=True)
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._directories[folder] = directory
            self._place = _place_by_link if _can_link(directory) else _place_by_rename
        return directory

    def close(self) -> None:
        """Lets go of the directories held open."""
        while self._directories:
            os.close(self._directories.popitem()[1])


def _place_by_link(directory: int, name: str, body: bytes) -> None:
    """Makes a file without a name, and names it when it is whole."""
    file = os.open(".", os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o644, dir_fd=directory)
    try:
        _write_all(file, body)
        with suppress(FileExistsError):
            os.link(f"/proc/self/fd/{file}", name, dst_dir_fd=directory)
    finally:
        os.close(file)


def _can_link(directory: int) -> bool:
    """Whether the file system there has files without a name; some network and overlay ones do not."""
    try:
        _place_by_link(directory, ".probe", b"")
        os.unlink(".probe", dir_fd=directory)
    except OSError:
        return False
    return True


def _place_by_rename(directory: int, name: str, body: bytes) -> None:
    """Makes a hidden file, and gives it its name when it is whole."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    file = os.open(".partial", flags, 0o644, dir_fd=directory)
    try:
        _write_all(file, body)
    finally:
        os.close(file)
    os.rename(".partial", name, src_dir_fd=directory, dst_dir_fd=directory)


def _write_all(file: int, body: bytes) -> None:
    while body:
        body = body[os.write(file, body) :]


class Lifeline:
    """What the writer knows of the emulator that it works for."""

    def __init__(self, pipe: int, process_id: int) -> None:
        """`pipe` ends when the emulator lets go of it; its process id tells where the pipe leaked."""
        self._pipe = pipe
        self._process_id = process_id
        self._gone_since: float | None = None

    @property
    def gone(self) -> bool:
        """Whether the emulator was gone when `wait` last looked."""
        return self._gone_since is not None

    @property
    def grace_over(self) -> bool:
        """Whether it has been gone for so long that the writer should give up what fails."""
        return self._gone_since is not None and time.monotonic() - self._gone_since > GRACE_SECONDS

    def wait(self, seconds: float) -> None:
        """Sleeps, but not through the emulator's end."""
        if self._gone_since is not None:
            time.sleep(seconds)
            return
        ended, _, _ = select.select([self._pipe], [], [], seconds)
        if ended or os.getppid() != self._process_id:
            self._gone_since = time.monotonic()


class LeftInJournal(Exception):
    """The emulator is gone, and records cannot be written; they stay in the journal."""


class Writer:
    """Makes objects of journal lines. Runs in a process of its own."""

    def __init__(self, journal: Path, target: Target, lifeline: Lifeline, report: Report) -> None:
        self._journal = journal
        self._target = target
        self._lifeline = lifeline
        self._report = report
        self._open: dict[bytes, bytes] = {}
        """The lines of calls that began and are not over, by TransactionId."""
        self._last = b""
        """The last half of a record: tells when the emulator was last alive."""
        self._damaged = 0
        self._trouble = False

    def recover(self, first: int) -> None:
        """Finishes what earlier emulators left: every segment below `first`. Raises LeftInJournal."""
        listed = self._load_open(range(first))
        for number in _numbers(self._journal, "log"):
            if listed < number < first:
                with self._segment(number) as segment:
                    self._take_all(segment, complete=True)
        self._abandon()
        self._insist(self._remove, first - 1)

    def follow(self, first: int) -> None:
        """Keeps up with the segments from `first` on until the emulator is gone. Raises LeftInJournal."""
        number = max(self._load_open(range(first, sys.maxsize)), first - 1) + 1
        while self._follow_segment(number):
            self._insist(self._retire, number)
            number += 1
        self._abandon()
        self._insist(self._remove, number)

    def _follow_segment(self, number: int) -> bool:
        """Takes the lines of a segment as they come; true when it is closed and another has begun."""
        successor = self._journal / _name(number + 1, "log")
        with self._segment(number) as segment:
            rest = b""
            while True:
                # In this order, so that nothing can be written after the last look at the segment.
                gone = self._lifeline.gone
                closed = successor.exists()
                rest = self._take_all(segment, rest, complete=closed or gone)
                if closed or gone:
                    return closed
                self._lifeline.wait(POLL_SECONDS)

    def _segment(self, number: int) -> FileIO:
        return open(self._journal / _name(number, "log"), "rb", buffering=0)

    def _take_all(self, segment: FileIO, rest: bytes = b"", *, complete: bool) -> bytes:
        """Takes the lines there are; the beginning of one is returned, or is damage if no more will come."""
        while data := segment.read(READ_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            self._take(lines)
        if complete and rest:
            self._report(
                f"The last line of a journal of calls is cut off ({len(rest)} bytes): the emulator was "
                "killed as it wrote it. A call that began there had no answer yet, and has no record."
            )
        if complete and self._damaged:
            self._report(f"{self._damaged} lines of a journal of calls are damaged and were passed over.")
            self._damaged = 0
        return rest

    def _take(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            head, _, half = line.partition(b"\t")
            if half.count(b"\t") != 3 or head[:1] not in (b"+", b"=") or b"/" not in head:
                self._damaged += 1
                continue
            self._last = half
            if head.startswith(b"+"):
                self._open[head.rpartition(b"/")[2].partition(b"_")[2]] = line
            else:
                bucket, _, aws_transaction_id = head[1:].rpartition(b"/")
                if aws_transaction_id in self._open:
                    self._finish(aws_transaction_id, bucket, half)

    def _finish(self, aws_transaction_id: bytes, bucket: bytes, ending: bytes) -> None:
        head, _, opening = self._open[aws_transaction_id].partition(b"\t")
        if bucket:
            key = bucket + head[head.index(b"/") :]
            self._insist(self._target.put, key.decode(), cdr.woven(opening, ending))
        del self._open[aws_transaction_id]

    def _abandon(self) -> None:
        """Gives calls that nobody will end their record: the emulator was stopped during the call."""
        if not self._open:
            return
        count, alive = 0, cdr.time_of(self._last)
        for aws_transaction_id, line in list(self._open.items()):
            bucket = line[1 : line.index(b"/")]
            count += bool(bucket)
            self._finish(aws_transaction_id, bucket, cdr.cut_short(max(alive, cdr.time_of(line))))
        if count:
            self._report(f"{count} calls were open when the emulator was stopped. Their records say so.")

    def _retire(self, number: int) -> None:
        """Writes down which calls are open at the end of a segment, and deletes what that stands for."""
        partial = self._journal / "open.partial"
        partial.write_bytes(b"".join(b"%b\n" % line for line in self._open.values()))
        partial.rename(self._journal / _name(number, "open"))
        self._remove(number, keep_open=number)

    def _load_open(self, numbers: range) -> int:
        """Loads the newest list of open calls in that range; its number, or -1 where there is none."""
        newest = max((n for n in _numbers(self._journal, "open") if n in numbers), default=-1)
        if newest >= 0:
            self._take((self._journal / _name(newest, "open")).read_bytes().splitlines())
        return newest

    def _remove(self, last: int, keep_open: int = 0) -> None:
        """Deletes files up to a number; oldest first, so that no beginning of a call outlives its end."""
        for suffix in ("open", "log"):
            for number in _numbers(self._journal, suffix):
                if number <= last and not (suffix == "open" and number == keep_open):
                    (self._journal / _name(number, suffix)).unlink(missing_ok=True)

    def _insist(self, act: Callable[..., None], *args: object, **kwargs: object) -> None:
        """Tries until it succeeds. Raises LeftInJournal when it fails and the emulator is long gone."""
        while True:
            try:
                act(*args, **kwargs)
            except OSError as error:
                if not self._trouble:
                    self._trouble = True
                    self._report(
                        f"Records cannot be written ({error.strerror}). Calls go on; "
                        f"their records wait in {self._journal}."
                    )
                if self._lifeline.grace_over:
                    raise LeftInJournal from error
                self._lifeline.wait(RETRY_SECONDS)
            else:
                if self._trouble:
                    self._trouble = False
                    self._report("Records are written again.")
                return


def _name(number: int, suffix: str) -> str:
    return f"{number:08d}.{suffix}"


def _numbers(journal: Path, suffix: str) -> list[int]:
    """Numbers of the files with that suffix, ascending."""
    return sorted(int(path.stem) for path in journal.glob(f"[0-9]*.{suffix}"))


def _new_segment(journal: Path, number: int) -> int:
    return os.open(journal / _name(number, "log"), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)


def _lock(journal: Path) -> int:
    """Takes the data directory for this emulator and its writer; both hold the same lock. Raises InUse."""
    lock = os.open(journal / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + PREDECESSOR_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(lock)
                raise InUse(f"{journal.parent} is in use by another emulator") from None
            time.sleep(0.02)
        else:
            return lock


def main(journal: str, buckets: str, first: str, emulator: str) -> int:
    """The writer's process. Its standard input is the emulator's lifeline, its standard output the report."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # It ends when the emulator does, and not before.

    def report(sentence: str) -> None:
        with suppress(OSError):  # Nobody listens any more.
            os.write(sys.stdout.fileno(), f"{sentence}\n".encode())

    lifeline = Lifeline(sys.stdin.fileno(), int(emulator))
    writer = Writer(Path(journal), LocalFolder(Path(buckets)), lifeline, report)
    try:
        writer.recover(int(first))
        writer.follow(int(first))
    except LeftInJournal:
        report(f"What could not be written stays in {journal}; the next start writes it.")
        return LEFT_IN_JOURNAL
    return ALL_WRITTEN


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
