"""Lines kept by the day: `<folder>/<yyyy-mm-dd>.jsonl`, as CloudTrail's events are.

Whoever has a line hands it over and goes on; a thread writes all that are waiting at once. Where the disk refuses,
they wait in memory and are tried again, and the trouble is told once, and once more when it is over.

A kill of the process takes the lines that are waiting, which are those of the last hundredths of a second. One that
was cut in the middle stands alone, as the next start begins a new line.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path

MEMORY_BYTES = 64 << 20
"""What may wait in memory while the disk refuses: some 60,000 events."""
BATCH_LINES = 1000
"""Written at a time, so that a disk with little room takes some of what is waiting."""
RETRY_SECONDS = 0.5
PAUSE_SECONDS = 0.02
"""Lines that come within it are written together: opening a file for each costs more than making what is in it."""

Report = Callable[[str], None]
"""Takes a sentence for the log; called from any thread."""


class DayFiles:
    """Writes lines into the file of their day, in Universal Time."""

    def __init__(self, folder: Path, what: str, report: Report, *, memory_bytes: int = MEMORY_BYTES) -> None:
        """`what` these lines are, for the report: "Events of the API". The folder is made with the first line."""
        self._folder = folder
        self._what = what
        self._report = report
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._memory_bytes = memory_bytes
        self._bytes = self._lost = 0
        self._trouble = False
        self._closing = False
        self._change = threading.Condition()
        self._writer = threading.Thread(target=self._write_all, name=f"writer of {folder.name}", daemon=True)
        self._writer.start()

    def append(self, at: float, line: str) -> None:
        """Takes a line, without its end, for the day of that Unix time. Never waits and never raises."""
        day = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"
        written = f"{line}\n".encode("utf-8", "backslashreplace")
        with self._change:
            if self._bytes + len(written) > self._memory_bytes:
                self._lost += 1
                return
            self._waiting.append((day, written))
            self._bytes += len(written)
            self._change.notify()

    def close(self, timeout: float = 5.0) -> bool:
        """Writes what is waiting; false where lines were lost, or the disk refuses for `timeout` seconds."""
        with self._change:
            self._closing = True
            self._change.notify()
        self._writer.join(timeout)
        with self._change:
            left = len(self._waiting) + self._lost
        if left:
            self._report(f"{self._what}: {left} could not be written to {self._folder} and are lost.")
        return not left

    def _write_all(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closing)
            time.sleep(PAUSE_SECONDS)
            with self._change:
                batch = list(islice(self._waiting, BATCH_LINES))
            if not batch:
                return
            try:
                for day, lines in _by_day(batch):
                    self._write(day, lines)
            except OSError as error:
                self._in_trouble(error)
                time.sleep(RETRY_SECONDS)
            else:
                self._out_of_trouble()

    def _write(self, day: str, lines: list[bytes]) -> None:
        """Appends lines to a file, all that it takes; those are waiting no longer. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._folder / f"{day}.jsonl", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if _is_cut(file):
                os.write(file, b"\n")
            _write_whole(file, b"".join(lines))
        finally:
            os.close(file)
        with self._change:
            for line in lines:
                self._waiting.popleft()
                self._bytes -= len(line)

    def _in_trouble(self, error: OSError) -> None:
        if not self._trouble:
            self._trouble = True
            self._report(f"{self._what} cannot be written to {self._folder} ({error.strerror}). They wait in memory.")

    def _out_of_trouble(self) -> None:
        with self._change:
            lost, self._lost = self._lost, 0
        if lost:
            self._report(f"{self._what}: {lost} found no place in memory and are lost.")
        if self._trouble:
            self._trouble = False
            self._report(f"{self._what} are written again.")


def _by_day(batch: list[tuple[str, bytes]]) -> Iterator[tuple[str, list[bytes]]]:
    for day, lines in groupby(batch, key=lambda pair: pair[0]):
        yield day, [line for _, line in lines]


def _is_cut(file: int) -> bool:
    """Whether a file ends within a line."""
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"


def _write_whole(file: int, data: bytes) -> None:
    """Appends all of it or nothing. Raises OSError."""
    size = os.fstat(file).st_size
    try:
        while data:
            data = data[os.write(file, data) :]
    except OSError:
        os.ftruncate(file, size)
        raise
