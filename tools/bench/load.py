"""One window of load on one target: what it cost, how late it answered, whether it stayed clean."""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bench.process import (
    SIPP_CORE,
    TARGET_CORE,
    BenchError,
    core_times,
    cpu_by_process,
    cpu_seconds,
    free_port,
)
from tools.bench.sipp import Counts, Sipp, caller, far_side, sipp
from tools.bench.targets import TARGETS, Setup, Target
from tools.bench.wire import percentile, wire

FOREIGN_SHARE, STOLEN_SHARE = 0.06, 0.02


def say(text: str, end: str = "\n") -> None:
    """Progress, on stderr."""
    print(text, end=end, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Stand:
    """A started target with its far side, in a directory of its own."""

    target: Target
    uas: Sipp
    work: Path
    setup: Setup

    def tick(self, seconds: float = 0.02) -> None:
        """A short wait that notices when the target has ended."""
        self.target.alive()
        time.sleep(seconds)


@contextlib.contextmanager
def stand(name: str, setup: Setup, *uas_arguments: str) -> Iterator[Stand]:
    """A fresh target and far side; ended, and its directory removed, on leaving."""
    with tempfile.TemporaryDirectory(prefix="bench-sip-", ignore_cleanup_errors=True) as directory:
        work, uas_port = Path(directory), free_port()
        with (
            TARGETS[name](setup, work, uas_port) as target,
            far_side(work, setup, uas_port, *uas_arguments) as uas,
        ):
            yield Stand(target, uas, work, setup)


@contextlib.contextmanager
def warm_stand(name: str, setup: Setup) -> Iterator[Stand]:
    """A stand that has had its first calls; raises BenchError, saying why, if none went through."""
    with stand(name, setup) as stood:
        first = load(stood, Window(rate=200, seconds=2))
        if not first.calls:
            raise BenchError(f"{name} takes no calls: {first.dirt}; {errors_in(stood.work)}")
        yield stood


def errors_in(work: Path) -> str:
    """The first thing that a sipp found unexpected, to say why calls failed."""
    for log in sorted(work.glob("ua[cs]*-*/errors.log")):
        if m := re.search(r"Aborting call.*?(?=\n\d{4}-|\Z)", log.read_text(errors="replace"), re.S):
            return " ".join(m[0].split())[:600]
    return "sipp reported nothing"


@dataclass(frozen=True, slots=True)
class Window:
    """What to measure: `seconds` at `rate` after `warmup`, and the delay until the answer `status`."""

    rate: int
    seconds: float
    warmup: float = 0.0
    status: int = 180
    stop_at_dirt: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What was measured. `dirt` and `noise` are empty when all was clean and the machine was quiet."""

    calls: int
    cpu_us: float
    shares: dict[str, float]
    p50_us: float | None
    p99_us: float | None
    dirt: str
    noise: str


@dataclass(frozen=True, slots=True)
class Moment:
    """Times read at one end of a window, in seconds: the clock's, and CPU of programs and cores."""

    clock: float
    target: dict[str, float]
    drivers: float
    target_core: tuple[float, float]
    sipp_core: tuple[float, float]


def moment(stood: Stand, drivers: Sequence[int]) -> Moment:
    """Reads the times now."""
    return Moment(
        clock=time.time(),
        target=cpu_by_process(stood.target.process.pid),
        drivers=sum(map(cpu_seconds, drivers)) + time.process_time(),
        target_core=core_times(TARGET_CORE),
        sipp_core=core_times(SIPP_CORE),
    )


def load(stood: Stand, window: Window, *drivers: int | None) -> Load:
    """Drives the target through a window; `drivers` are processes that load it besides.

    Raises BenchError when the target or sipp end by themselves.
    """
    target, uas, port = stood.target, stood.uas, free_port()
    calls = int(window.rate * (window.warmup + window.seconds + 1))
    before = uas.last()
    with sipp(target.calls.scenario, stood.work, stood.setup, caller(target, window.rate, calls), port) as uac:
        first = uac.await_row(max(window.warmup, 0.5), stood.tick, window.stop_at_dirt)
        pids = [uac.process.pid, uas.process.pid, *filter(None, drivers)]
        start = moment(stood, pids)
        with wire(target.port, port, window.status, target.calls.cseq) as clock:

            def tick() -> None:
                if clock:
                    clock.drain()
                stood.tick(0.01)

            last = uac.await_row(first.elapsed + window.seconds, tick, window.stop_at_dirt)
            stop = moment(stood, pids)
        final = last if window.stop_at_dirt and last.dirt else uac.finish(8.0)
    # The far side writes its retransmissions (of a 200 without ACK) once a second.
    time.sleep(1.1)
    resent = uas.last().retransmissions - before.retransmissions
    answered = clock.microseconds() if clock else []
    ended = last.succeeded - first.succeeded
    micros_per_call = 1e6 / max(ended, 1)
    used = {name: seconds - start.target.get(name, 0.0) for name, seconds in stop.target.items()}
    return Load(
        calls=ended,
        cpu_us=sum(used.values()) * micros_per_call,
        shares={name: seconds * micros_per_call for name, seconds in used.items()},
        p50_us=percentile(answered, 0.5),
        p99_us=percentile(answered, 0.99),
        dirt=", ".join(dirt(window.rate, first, last, final, resent)),
        noise=", ".join(noise(start, stop)),
    )


def dirt(rate: int, first: Counts, last: Counts, final: Counts, resent: int) -> Iterator[str]:
    """What kept a window from being clean."""
    kept = (last.created - first.created) / max(last.elapsed - first.elapsed, 0.001)
    if final.dirt:
        yield final.dirt
    elif kept < 0.98 * rate:
        yield f"only {kept:.0f}/s kept up"
    elif final.open:
        yield f"{final.open} calls never ended"
    if resent:
        yield f"{resent} retransmissions at the far side"


def noise(start: Moment, stop: Moment) -> Iterator[str]:
    """What kept a window from being quiet: other programs, or a host that ran something else."""
    wall = stop.clock - start.clock
    used = sum(stop.target.values()) - sum(start.target.values())
    busy, stolen = (b - a for a, b in zip(start.target_core, stop.target_core, strict=True))
    sipp_busy, sipp_stolen = (b - a for a, b in zip(start.sipp_core, stop.sipp_core, strict=True))
    foreign = max(busy - used, sipp_busy - (stop.drivers - start.drivers)) / wall
    lost = max(stolen, sipp_stolen) / wall
    if foreign > FOREIGN_SHARE:
        yield f"others used {foreign:.0%} of a core"
    if lost > STOLEN_SHARE:
        yield f"the host took {lost:.0%} of a core"


def quiet_load(stood: Stand, window: Window, retries: int) -> Load:
    """As `load`, repeated at most `retries` times while it was not clean or the machine not quiet."""
    found = load(stood, window)
    for _ in range(retries):
        if not (trouble := found.noise or found.dirt):
            break
        say(f"    {window.rate}/s again: {trouble}")
        found = load(stood, window)
    return found


@dataclass(frozen=True, slots=True)
class Search:
    """Where and how finely the highest clean rate is looked for, and how long a rate must stay clean."""

    start: int
    highest: int
    step: int
    seconds: float
    tries: int


def highest_clean_rate(name: str, setup: Setup, search: Search) -> int:
    """The highest clean rate, to the step; 0 when none is.

    Upwards by a quarter until a rate fails in all its tries, then the middle between clean and failed. Each
    try has a fresh target, so that none pays for the one before it.
    """
    clean, failed = 0, search.highest + 1
    rate = min(search.start, search.highest)
    while clean < rate < failed:
        if any(is_clean(name, setup, rate, search.seconds) for _ in range(search.tries)):
            clean = rate
        else:
            failed = rate
        if failed > search.highest:
            rate = min(max(clean * 5 // 4, clean + search.step), search.highest)
        else:
            rate = (clean + failed) // 2 if clean else failed * 3 // 4
        rate = rate // search.step * search.step
    return clean


def is_clean(name: str, setup: Setup, rate: int, seconds: float) -> bool:
    """Whether a fresh target keeps a rate clean."""
    say(f"    {rate}/s …", end=" ")
    with warm_stand(name, setup) as stood:
        found = load(stood, Window(rate, seconds, stop_at_dirt=True))
    say(f"{found.dirt} ({found.noise or 'quiet machine'})" if found.dirt else "clean")
    return not found.dirt
