"""Lines by the day: none is lost to a disk that refuses for a while, and whoever hands one over never waits."""

import json
import queue
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voiceconnector.records.day_files import MEMORY_BYTES, DayFiles

MIDNIGHT = 1_650_067_200.0
"""2022-04-16T00:00:00Z"""


class Place:
    """A folder, and what was reported about it."""

    def __init__(self, path: Path, memory_bytes: int = MEMORY_BYTES) -> None:
        self.path = path
        self.said: queue.Queue[str] = queue.Queue()
        self.files = DayFiles(path, "Events of the API", self.said.put, memory_bytes=memory_bytes)

    def lines(self) -> dict[str, list[str]]:
        return {path.name: path.read_text().splitlines() for path in sorted(self.path.glob("*"))}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "cloudtrail")
    yield place
    place.files.close()


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process becomes longer than so many bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_each_line_goes_into_the_file_of_its_day(place: Place) -> None:
    for late in (-1, 0, 1, -2):
        place.files.append(MIDNIGHT + late, json.dumps({"late": late}))
    assert place.files.close()
    assert place.lines() == {
        "2022-04-15.jsonl": ['{"late": -1}', '{"late": -2}'],
        "2022-04-16.jsonl": ['{"late": 0}', '{"late": 1}'],
    }
    assert place.said.empty()


def test_lines_appear_without_anybody_closing_the_files(place: Place) -> None:
    place.files.append(MIDNIGHT, "one")
    eventually(lambda: place.lines() == {"2022-04-16.jsonl": ["one"]})


def test_nothing_is_made_where_there_is_nothing_to_write(place: Place) -> None:
    assert place.files.close()
    assert not place.path.exists()


def test_many_lines_keep_their_order(place: Place) -> None:
    for number in range(5000):
        place.files.append(MIDNIGHT, str(number))
    assert place.files.close()
    assert place.lines() == {"2022-04-16.jsonl": [str(number) for number in range(5000)]}


def test_lines_go_on_behind_those_of_before_also_behind_one_that_was_cut(tmp_path: Path) -> None:
    (tmp_path / "2022-04-16.jsonl").write_text('{"whole": 1}\n{"cu')
    place = Place(tmp_path)
    place.files.append(MIDNIGHT, '{"whole": 2}')
    assert place.files.close()
    assert place.lines() == {"2022-04-16.jsonl": ['{"whole": 1}', '{"cu', '{"whole": 2}']}


def test_a_full_disk_delays_lines_and_is_reported_once(place: Place) -> None:
    place.files.append(MIDNIGHT, "first")
    eventually(lambda: place.lines() == {"2022-04-16.jsonl": ["first"]})
    with full_disk(room=10):
        for number in range(100):
            place.files.append(MIDNIGHT, str(number))
        told = place.said.get(timeout=20)
        assert told.startswith(f"Events of the API cannot be written to {place.path} (")
        assert place.lines() == {"2022-04-16.jsonl": ["first"]}
    assert place.said.get(timeout=20) == "Events of the API are written again."
    eventually(lambda: place.lines() == {"2022-04-16.jsonl": ["first", *map(str, range(100))]})
    assert place.files.close()
    assert place.said.empty()


def test_a_folder_that_somebody_deleted_is_made_again(place: Place) -> None:
    place.files.append(MIDNIGHT, "one")
    eventually(lambda: bool(place.lines()))
    (place.path / "2022-04-16.jsonl").unlink()
    place.path.rmdir()
    place.files.append(MIDNIGHT, "two")
    eventually(lambda: place.lines() == {"2022-04-16.jsonl": ["two"]})


def test_lines_that_find_no_place_in_memory_are_counted(tmp_path: Path) -> None:
    place = Place(tmp_path, memory_bytes=20)
    with full_disk(room=0):
        for number in range(9):
            place.files.append(MIDNIGHT, f"line {number}")
        assert "cannot be written" in place.said.get(timeout=20)
    assert place.said.get(timeout=20) == "Events of the API: 7 found no place in memory and are lost."
    assert place.files.close()
    assert place.lines() == {"2022-04-16.jsonl": ["line 0", "line 1"]}


def test_what_the_disk_refuses_to_the_end_is_told(place: Place) -> None:
    with full_disk(room=0):
        place.files.append(MIDNIGHT, "one")
        assert not place.files.close(timeout=0.1)
        told = {place.said.get(timeout=20), place.said.get(timeout=20)}
    assert f"Events of the API: 1 could not be written to {place.path} and are lost." in told
