"""Child processes of a benchmark: started on a core, measured as a family, ended for certain."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

LOOPBACK = "127.0.0.1"
TARGET_CORE, SIPP_CORE = 0, 1
SOCKET_BUFFER = 4 * 1024 * 1024


class BenchError(Exception):
    """Something needed for the measurement is missing or failed; the text says what and what to do."""


@contextlib.contextmanager
def running(
    command: Sequence[str], core: int, log: Path, nice: int, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child on one core, in a session of its own so that its processes can be found; ended on leaving."""

    def prepare() -> None:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: not to outlive this program
        os.sched_setaffinity(0, {core})
        prefer(nice)

    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env=environment,
            start_new_session=True,
            preexec_fn=prepare,
        )
    try:
        yield process
    finally:
        end(process)


def prefer(nice: int) -> None:
    """Gives this process a priority, and its session too, which is what Linux weighs against others (sched(7))."""
    if nice:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
        with contextlib.suppress(FileNotFoundError):
            Path("/proc/self/autogroup").write_text(str(nice))


def end(process: subprocess.Popen[bytes], grace: float = 10.0) -> None:
    """TERM, then KILL for what is left of the child's own processes after `grace` seconds."""
    ours = members(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(grace)
    for pid in ours & members(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command name: state, ppid, pgrp, session, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def members(root: int) -> set[int]:
    """The process `root`, its descendants and whatever else lives in its session."""
    parents: dict[int, int] = {}
    found: set[int] = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                _, parent, _, session, *_ = stat_fields(int(entry.name))
                parents[int(entry.name)] = int(parent)
                if session == str(root):
                    found.add(int(entry.name))
    grew = True
    while grew:
        grew = bool(more := {pid for pid, parent in parents.items() if parent in found and pid not in found})
        found |= more
    return found


def cpu_by_process(root: int) -> dict[str, float]:
    """User and system seconds of each process of a family: its threads, live and ended, and reaped children.

    Read from the processes' CPU clocks (nanoseconds; clock_getcpuclockid(3)), as stat counts in hundredths.
    """
    found = {}
    for pid in members(root):
        with contextlib.suppress(OSError):
            reaped = sum(map(int, stat_fields(pid)[13:15])) / os.sysconf("SC_CLK_TCK")
            found[f"{program(pid)} [{pid}]"] = time.clock_gettime((~pid << 3) | 2) + reaped
    return found


def program(pid: int) -> str:
    """What a process runs: the module given to python -m, else the command's name."""
    words = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
    module = words[words.index("-m") + 1] if "-m" in words[:-1] and "python" in words[0] else ""
    return module or Path(f"/proc/{pid}/comm").read_text().strip()


def cpu_seconds(root: int) -> float:
    """User and system time of a process family."""
    return sum(cpu_by_process(root).values())


def resident_mb(root: int) -> float:
    """RSS of a process family, in MB."""
    total = 0
    for pid in members(root):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            total += int(m[1]) if (m := re.search(r"VmRSS:\s+(\d+)", status)) else 0
    return total / 1024


def core_times(core: int) -> tuple[float, float]:
    """(busy, stolen by the host) seconds of a core since boot."""
    line = re.search(rf"^cpu{core} (.*)$", Path("/proc/stat").read_text(), re.M)
    assert line, "/proc/stat names every core"
    user, nice, system, _, _, irq, softirq, steal, *_ = map(int, line[1].split())
    tick = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + softirq) / tick, steal / tick


def free_port() -> int:
    """A UDP and TCP port of the loopback that is free now."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind((LOOPBACK, 0))
            port: int = udp.getsockname()[1]
            with contextlib.suppress(OSError):
                tcp.bind((LOOPBACK, port))
                return port


def receive_buffer(port: int) -> str:
    """The receive buffer the kernel grants the UDP socket on `port`, as `ss` tells it ("?" without ss)."""
    if not shutil.which("ss"):
        return "?"
    listing = subprocess.run(
        ["ss", "-Huanm", f"sport = :{port}"], capture_output=True, text=True, timeout=10, check=False
    ).stdout
    return m[1] if (m := re.search(r"\brb(\d+)", listing)) else "?"
