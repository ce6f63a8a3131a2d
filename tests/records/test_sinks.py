"""Every call attempt gets one record, whatever happens to the processes and to the disk."""

import json
import os
import queue
import random
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from voiceconnector.calls.events import CallAnswered, CallEnded, CallMoved, CallStarted, MediaFinding
from voiceconnector.records import cdr, sinks

ROOT = Path(__file__).parents[2]
START = 1565399625.0
ACCOUNT = cdr.Account("111122223333", country_of=lambda number: "US")
STOPPED = "The emulator was stopped during the call"
BUCKET = "voiceconnector-cdrs"


def started(number: int) -> CallStarted:
    return CallStarted(
        aws_transaction_id=f"00000000-0000-4000-8000-{number:012d}",
        call_id=f"call-{number}@203.0.113.9",
        voice_connector_id="abcdef1ghij2klmno3pqr4",
        region="us-east-1",
        direction="Outbound",
        source_phone_number="+12065550100",
        destination_phone_number="+12065550101",
        sip_auth_user="pbx",
        start_time=START + number / 100,
    )


def ended(number: int) -> CallEnded:
    start = started(number)
    return CallEnded(start, start.start_time + 1, start.start_time + 5, completed=True, status_message="OK")


@dataclass
class Place:
    """A data directory, and what was reported about it."""

    path: Path
    said: "queue.Queue[str]" = field(default_factory=queue.Queue)
    opened: list[sinks.Sink] = field(default_factory=list)
    wanted: str | None = BUCKET
    """Where records go now."""

    @property
    def bucket(self) -> Path:
        return self.path / "buckets" / BUCKET

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    def sink(self, segment_bytes: int = sinks.SEGMENT_BYTES) -> sinks.Sink:
        sink = sinks.Sink(self.path, ACCOUNT, self.said.put, lambda: self.wanted, segment_bytes=segment_bytes)
        self.opened.append(sink)
        return sink

    def hears(self, words: str) -> None:
        sentence = self.said.get(timeout=20)
        assert words in sentence

    def hears_no_more(self) -> None:
        assert list(self.said.queue) == []

    def objects(self) -> dict[str, bytes]:
        """Every file of the bucket that is not hidden, by key: the writer tries out a new folder with a hidden one."""
        files = (path for path in self.bucket.rglob("[!.]*") if path.is_file())
        return {str(path.relative_to(self.bucket)): path.read_bytes() for path in files}

    def statuses(self) -> dict[str, str]:
        """StatusMessage of every record, by TransactionId. No call may have two."""
        records = [json.loads(body) for body in self.objects().values()]
        statuses = {record["TransactionId"]: record["StatusMessage"] for record in records}
        assert len(statuses) == len(records)
        return statuses

    def journal_size(self) -> int:
        """All its files together, in bytes."""
        size = 0
        for path in self.journal.iterdir():
            with suppress(FileNotFoundError):  # The writer is at work.
                size += path.stat().st_size
        return size

    def journal_files(self) -> list[str]:
        return sorted(path.name for path in self.journal.iterdir())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for sink in place.opened:
        sink.close()


def eventually(holds: Callable[[], bool]) -> None:
    """Waits for something that another process does."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def writer_of(place: Place) -> int:
    """The process id of the writer at work there."""
    found = []

    def look() -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                words = path.read_text().split("\0")
                if "voiceconnector.records.sinks" in words and str(place.journal) in words:
                    found.append(int(path.parent.name))
        return bool(found)

    eventually(look)
    return found[0]


# In good order.


def test_the_record_of_an_ended_call_appears_under_its_key(place: Place) -> None:
    sink = place.sink()
    sink.append([started(1)])
    sink.append([CallAnswered(started(1), START + 1), MediaFinding("", START, "silence"), ended(1)])
    eventually(lambda: bool(place.objects()))
    assert place.objects() == {cdr.object_key(started(1)): cdr.call_detail_record(ended(1), ACCOUNT)}
    assert sink.close()
    place.hears_no_more()


def test_a_call_that_moved_to_another_connector_has_one_record_which_is_that_ones(place: Place) -> None:
    sink = place.sink()
    moved = replace(started(1), voice_connector_id="otheronenopqrstuvwxyz0", region="us-west-2")
    end = replace(ended(1), started=moved)
    sink.append([started(1)])
    sink.append([CallMoved(moved)])
    sink.append([end])
    assert sink.close()
    assert place.objects() == {cdr.object_key(moved): cdr.call_detail_record(end, ACCOUNT)}


def test_a_record_goes_to_the_bucket_of_the_moment_when_its_call_ends(place: Place) -> None:
    """Guide p. 76: logging of call detail records can be configured and stopped at any time."""
    sink = place.sink()
    sink.append([started(1), started(2)])
    place.wanted = "another.bucket"
    sink.append([ended(1), started(3), started(4)])
    place.wanted = None
    sink.append([ended(2), started(5), ended(5)])
    place.wanted = BUCKET
    sink.append([ended(3)])
    place.wanted = None
    sink.append([started(6)])
    assert sink.close()
    records = {path.name[-1]: path.relative_to(place.path).parts[1] for path in place.path.rglob("*_*")}
    assert records == {"1": "another.bucket", "3": BUCKET, "4": "another.bucket"}
    place.hears("1 calls were open when the emulator was stopped")


def test_close_leaves_every_record_written_and_no_journal(place: Place) -> None:
    sink = place.sink()
    for number in range(500):
        sink.append([started(number), ended(number)])
    assert sink.close()
    assert len(place.statuses()) == 500
    assert place.journal_files() == ["lock"]


def test_a_call_still_open_at_close_gets_a_failed_record(place: Place) -> None:
    sink = place.sink()
    sink.append([started(1), started(2), ended(2)])
    assert sink.close()
    assert place.statuses() == {
        started(1).aws_transaction_id: STOPPED,
        started(2).aws_transaction_id: "OK",
    }
    place.hears("1 calls were open when the emulator was stopped")


def test_events_that_neither_begin_nor_end_a_call_leave_no_line(place: Place) -> None:
    sink = place.sink()
    sink.append([CallAnswered(started(1), START), MediaFinding("", START, "silence")])
    assert [path.stat().st_size for path in place.journal.glob("*.log")] == [0]
    assert sink.close()
    assert not place.bucket.exists()


def test_a_bucket_that_was_deleted_is_made_again(place: Place) -> None:
    sink = place.sink()
    sink.append([started(1), ended(1)])
    eventually(lambda: len(place.objects()) == 1)
    shutil.rmtree(place.bucket)
    sink.append([started(2), ended(2)])
    assert sink.close()
    assert place.statuses() == {started(2).aws_transaction_id: "OK"}


def test_the_journal_stays_small_while_a_call_stays_open(place: Place) -> None:
    sink = place.sink(segment_bytes=20_000)
    sink.append([started(0)])
    for number in range(1, 1000):
        sink.append([started(number), ended(number)])
    eventually(lambda: place.journal_size() < 2 * 20_000)
    sink.append([ended(0)])
    assert sink.close()
    assert set(place.statuses().values()) == {"OK"}
    assert len(place.objects()) == 1000


def test_a_second_emulator_is_refused_the_data_directory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "PREDECESSOR_SECONDS", 0.0)
    sink = place.sink()
    with pytest.raises(sinks.InUse, match="in use by another emulator"):
        place.sink()
    assert sink.close()
    assert place.sink().close()


@pytest.mark.parametrize("place_object", [sinks._place_by_link, sinks._place_by_rename])
def test_nobody_ever_sees_half_an_object(tmp_path: Path, place_object: Callable[[int, str, bytes], None]) -> None:
    body = b"x" * 100_000
    sizes = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for path in tmp_path.glob("[0-9]*"):
                sizes.add(path.stat().st_size)

    reader = threading.Thread(target=read)
    reader.start()
    directory = os.open(tmp_path, os.O_RDONLY)
    for number in (*range(100), 0):
        place_object(directory, str(number), body)
    os.close(directory)
    done.set()
    reader.join()
    assert sizes <= {len(body)}
    assert len(list(tmp_path.iterdir())) == 100


def test_a_folder_holds_few_directories_open(tmp_path: Path) -> None:
    folder = sinks.LocalFolder(tmp_path)
    before = len(os.listdir("/proc/self/fd"))
    for number in (*range(200), *range(200)):
        folder.put(f"{number}/x", b"")
    assert len(os.listdir("/proc/self/fd")) <= before + sinks.DIRECTORIES_HELD
    folder.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert len(list(tmp_path.glob("*/x"))) == 200


def test_the_writer_knows_when_its_emulator_is_gone() -> None:
    pipe, end = os.pipe()
    lifeline, orphan = sinks.Lifeline(pipe, os.getppid()), sinks.Lifeline(pipe, os.getpid())
    lifeline.wait(0)
    orphan.wait(0)
    assert (lifeline.gone, orphan.gone) == (False, True)
    os.close(end)
    lifeline.wait(20)
    assert lifeline.gone
    assert not lifeline.grace_over
    os.close(pipe)


# Killed.


def emulate(data_dir: str, seed: str) -> None:
    """Begins and ends calls at random until it is killed, and tells of each after it is on record."""
    chance = random.Random(int(seed))
    sink = sinks.Sink(Path(data_dir), ACCOUNT, lambda sentence: None, lambda: BUCKET, segment_bytes=20_000)
    up: list[int] = []
    number = 0
    while True:
        if up and chance.random() < 0.5:
            over = up.pop(chance.randrange(len(up)))
            sink.append([ended(over)])
            os.write(1, b"ended %d\n" % over)
        else:
            number += 1
            up.append(number)
            sink.append([started(number)])
            os.write(1, b"started %d\n" % number)


def run_and_kill(place: Place, seed: int, *, writer_too: bool) -> dict[str, str]:
    """Kills an emulator in the middle of its work; the statuses that its calls must have now."""
    script = "import sys, test_sinks; test_sinks.emulate(*sys.argv[1:])"
    path = os.pathsep.join((str(ROOT), str(Path(__file__).parent)))
    with subprocess.Popen(
        [sys.executable, "-c", script, str(place.path), str(seed)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as emulator:
        assert emulator.stdout is not None
        told = [emulator.stdout.readline() for _ in range(random.Random(seed).randrange(1, 3000))]
        writer = writer_of(place)
        if writer_too:
            os.kill(writer, signal.SIGKILL)
        emulator.kill()
        told += emulator.stdout.readlines()
    statuses = {}
    for line in told:
        what, number = line.split()
        statuses[started(int(number)).aws_transaction_id] = STOPPED if what == b"started" else "OK"
    return statuses


def assert_owed(place: Place, owed: dict[str, str]) -> None:
    """Every call that was told of has its record; the one event that was not yet told of may be there too."""
    statuses = place.statuses()
    assert statuses.keys() >= owed.keys()
    different = {call for call, status in statuses.items() if status != owed.get(call)}
    assert len(different) <= 1
    assert [path.name for path in place.bucket.rglob(".*")] == []


@pytest.mark.parametrize("seed", [1, 2])
def test_when_the_emulator_is_killed_its_writer_finishes_every_record(place: Place, seed: int) -> None:
    owed = run_and_kill(place, seed, writer_too=False)
    eventually(lambda: place.journal_files() == ["lock"])
    assert_owed(place, owed)


@pytest.mark.parametrize("seed", [3, 4])
def test_when_emulator_and_writer_are_killed_the_next_start_finishes_every_record(place: Place, seed: int) -> None:
    owed = run_and_kill(place, seed, writer_too=True)
    assert place.journal_files() != ["lock"]
    assert place.sink().close()
    assert_owed(place, owed)
    assert place.journal_files() == ["lock"]


def test_a_start_may_follow_a_kill_at_once(place: Place) -> None:
    owed = run_and_kill(place, 5, writer_too=False)
    assert place.sink().close()
    assert_owed(place, owed)


def test_a_writer_that_dies_is_replaced_and_nothing_is_lost(place: Place) -> None:
    sink = place.sink(segment_bytes=20_000)
    sink.append([started(0)])
    for number in range(1, 100):
        sink.append([started(number), ended(number)])
    eventually(lambda: len(place.objects()) > 0)
    os.kill(sink.process_id, signal.SIGKILL)
    for number in range(100, 200):
        sink.append([started(number), ended(number)])
    place.hears("The record writer ended unexpectedly (-9)")
    sink.append([ended(0)])
    assert sink.close()
    assert set(place.statuses().values()) == {"OK"}
    assert len(place.objects()) == 200
    place.hears_no_more()


def test_a_writer_that_cannot_be_started_is_tried_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as no_python:
        no_python.setattr(sys, "executable", str(place.path / "python"))
        sink = place.sink()
        sink.append([started(1), ended(1)])
        place.hears("The record writer cannot be started (No such file or directory)")
    assert sink.close()
    assert place.statuses() == {started(1).aws_transaction_id: "OK"}


# What a kill may leave behind.


def begins(number: int) -> bytes:
    return f"+{BUCKET}/{cdr.object_key(started(number))}\t{cdr.opening(started(number), ACCOUNT)}\n".encode()


def ends(number: int) -> bytes:
    return f"={BUCKET}/{started(number).aws_transaction_id}\t{cdr.ending(ended(number))}\n".encode()


def left(place: Place, **files: bytes) -> None:
    """A journal as a killed emulator left it; `log_1` is the segment 1, `open_1` the calls open after it."""
    place.journal.mkdir()
    for name, content in files.items():
        suffix, number = name.split("_")
        (place.journal / f"{int(number):08d}.{suffix}").write_bytes(content)


def recovered(place: Place) -> dict[int, str]:
    """What a start makes of it: statuses by number of the call."""
    assert place.sink().close()
    assert place.journal_files() == ["lock"]
    return {int(call[-12:]): status for call, status in place.statuses().items()}


def test_a_line_cut_off_by_the_kill_is_reported_and_its_call_has_one_record(place: Place) -> None:
    left(place, log_1=begins(1) + begins(2) + ends(1) + ends(2)[:40])
    assert recovered(place) == {1: "OK", 2: STOPPED}
    place.hears("is cut off (40 bytes)")
    place.hears("1 calls were open")


def test_a_call_cut_short_ends_when_the_journal_does(place: Place) -> None:
    left(place, log_1=begins(1) + begins(2) + ends(1))
    recovered(place)
    record = json.loads(place.objects()[cdr.object_key(started(2))])
    assert record["EndTimeEpochSeconds"] == int(ended(1).end_time)


def test_a_call_cut_short_never_ends_before_it_began(place: Place) -> None:
    left(place, log_1=begins(900) + begins(2))
    recovered(place)
    record = json.loads(place.objects()[cdr.object_key(started(900))])
    assert record["EndTimeEpochSeconds"] == record["StartTimeEpochSeconds"] == int(START) + 9


def test_lines_that_a_disk_spoilt_are_passed_over_and_reported(place: Place) -> None:
    left(place, log_1=begins(1) + bytes(100) + b"\n" + ends(1) + b"=\n")
    assert recovered(place) == {1: "OK"}
    place.hears("2 lines of a journal of calls are damaged")


def test_a_kill_between_listing_open_calls_and_deleting_the_segment_does_no_harm(place: Place) -> None:
    left(
        place,
        open_1=begins(1) + begins(2),
        log_2=ends(1) + begins(3),
        open_2=begins(2) + begins(3),
        log_3=ends(2),
    )
    assert recovered(place) == {2: "OK", 3: STOPPED}


def test_a_kill_while_the_journal_is_deleted_does_no_harm(place: Place) -> None:
    left(place, log_2=ends(1) + begins(2) + ends(2))
    folder = (place.bucket / cdr.object_key(started(1))).parent
    folder.mkdir(parents=True)
    (place.bucket / cdr.object_key(started(1))).write_bytes(cdr.call_detail_record(ended(1), ACCOUNT))
    assert recovered(place) == {1: "OK", 2: "OK"}


def test_emulators_killed_one_after_another_leave_nothing_undone(place: Place) -> None:
    left(place, log_1=begins(1) + begins(2), log_2=b"", log_3=ends(2) + begins(3) + ends(3))
    assert recovered(place) == {1: STOPPED, 2: "OK", 3: "OK"}


class Killed(BaseException):
    """Nothing after it runs."""


@dataclass
class Memory:
    """A target that keeps objects in memory, and is killed when it has taken some."""

    objects: dict[str, bytes] = field(default_factory=dict)
    takes: int = sys.maxsize

    def put(self, key: str, body: bytes) -> None:
        if self.takes == 0:
            raise Killed
        self.takes -= 1
        self.objects.setdefault(key, body)

    def statuses(self) -> dict[str, str]:
        return {key[-1]: json.loads(body)["StatusMessage"] for key, body in self.objects.items()}


def recover(place: Place, target: Memory) -> None:
    sinks.Writer(place.journal, target, sinks.Lifeline(-1, 0), place.said.put).recover(sys.maxsize)


LINES = [begins(1), begins(2), ends(1), begins(3), ends(3), ends(2)]


def test_wherever_in_the_journal_the_kill_falls_each_call_has_one_record(place: Place) -> None:
    whole = b"".join(LINES)
    place.journal.mkdir()
    for size in range(len(whole) + 1):
        (place.journal / "00000001.log").write_bytes(whole[:size])
        target = Memory()
        recover(place, target)
        lines = whole[:size].count(b"\n")
        owed = {}
        for line in LINES[:lines]:
            number = line.partition(b"\t")[0][-1:].decode()
            owed[number] = "OK" if line.startswith(b"=") else STOPPED
        assert target.statuses() == owed


@pytest.mark.parametrize("takes", range(5))
def test_a_recovery_that_is_killed_itself_is_finished_by_the_next(place: Place, takes: int) -> None:
    left(place, log_1=begins(1) + begins(2), log_2=ends(1) + begins(3), log_3=ends(3) + begins(4))
    target = Memory(takes=takes)
    with suppress(Killed):
        recover(place, target)
    target.takes = sys.maxsize
    recover(place, target)
    assert target.statuses() == {"1": "OK", "2": STOPPED, "3": "OK", "4": STOPPED}
    assert list(place.journal.iterdir()) == []


# Trouble with the disk.


def test_a_bucket_that_cannot_be_written_is_reported_once_and_nothing_is_lost(place: Place) -> None:
    obstacle = place.path / "buckets"
    obstacle.write_text("A file where a folder should be.")
    sink = place.sink()
    for number in range(100):
        sink.append([started(number), ended(number)])
    place.hears("Records cannot be written (Not a directory). Calls go on")
    sink.append([started(100), ended(100)])
    obstacle.unlink()
    place.hears("Records are written again.")
    assert sink.close()
    assert len(place.statuses()) == 101
    place.hears_no_more()


def test_what_cannot_be_written_at_close_is_written_by_the_next_start(place: Place) -> None:
    obstacle = place.path / "buckets"
    obstacle.write_text("A file where a folder should be.")
    sink = place.sink()
    sink.append([started(1), started(2), ended(2)])
    assert not sink.close()
    place.hears("Records cannot be written")
    place.hears("stays in")
    obstacle.unlink()
    assert recovered(place) == {1: STOPPED, 2: "OK"}


@contextmanager
def longest_file(size: int) -> Iterator[None]:
    """No file of this process may grow beyond that size, as if its disk were full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_calls_go_on_while_the_journal_cannot_be_written_and_nothing_is_lost(place: Place) -> None:
    sink = place.sink()
    sink.append([started(0), ended(0)])
    eventually(lambda: len(place.objects()) == 1)
    with longest_file(50_000):
        for number in range(1, 200):
            sink.append([started(number), ended(number)])
        assert [path.stat().st_size for path in place.journal.glob("*.log")] == [50_000]
    place.hears("cannot be written (File too large). Calls go on; their records wait in memory.")
    place.hears_no_more()
    sink.append()
    place.hears("The journal of calls is written again.")
    assert sink.close()
    assert len(place.statuses()) == 200


def test_lines_that_find_no_place_in_memory_are_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "MEMORY_BYTES", 10_000)
    sink = place.sink()
    with longest_file(1000):
        for number in range(100):
            sink.append([started(number), ended(number)])
    sink.append()
    place.hears("cannot be written")
    lost = int(place.said.get(timeout=20).removeprefix("The journal of calls is written again.").split()[0])
    assert sink.close()
    assert len(place.statuses()) == 100 - lost / 2
    assert lost > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some fifteen objects."""
    path = tmp_path / "buckets"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=1000", "tmpfs", str(path)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", str(path)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_reported_once_and_nothing_is_lost(place: Place, small_disk: Path) -> None:
    sink = place.sink()
    for number in range(100):
        sink.append([started(number), ended(number)])
    place.hears("Records cannot be written (No space left on device). Calls go on")
    assert 0 < len(place.statuses()) < 100
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    place.hears("Records are written again.")
    assert sink.close()
    assert set(place.statuses().values()) == {"OK"}
    assert len(place.objects()) == 100
    place.hears_no_more()
