"""A leg's sinks besides other legs: recordings, captures, taps. What goes wrong with one is told, and ends only it."""

from collections.abc import Callable
from typing import Protocol

from voiceconnector.media.capture import CaptureFile
from voiceconnector.media.file import File
from voiceconnector.media.plan import Address, Capture, PortPair, Record, Sink, StreamPlan, Tap
from voiceconnector.media.recording import Recording
from voiceconnector.media.tap import Listener, TapSocket

Tell = Callable[..., None]
Kept = Record | Capture | Tap


class Outlets(Protocol):
    """What only the process can open. OSError when it can not."""

    @property
    def wall_us(self) -> int:
        """What to add to its clock to get microseconds since 1970-01-01 UTC."""

    def open_new(self, path: str) -> File:
        """An empty file, with its folder."""

    def open_on(self, path: str) -> File:
        """A file to write on at its end, with its folder."""

    def open_tap(self, path: str) -> Listener:
        """A Unix datagram socket that another program listens on."""


class Sinks:
    """The open ones of one leg. Packets are to be given only while there is one that wants them."""

    __slots__ = (
        "_captures",
        "_dropped",
        "_now_us",
        "_open",
        "_outlets",
        "_tell",
        "_told",
        "_wanted",
        "call",
        "leg",
        "pair",
        "takers",
    )

    def __init__(self, call: int, plan: StreamPlan, outlets: Outlets, tell: Tell) -> None:
        self.call, self.leg, self.pair = call, plan.leg, plan.pair
        self.takers: tuple[Recording | TapSocket, ...] = ()
        """Those that take what comes in."""
        self._captures: tuple[CaptureFile, ...] = ()
        self._open: dict[Kept, Recording | CaptureFile | TapSocket] = {}
        self._wanted: tuple[Kept, ...] = ()
        self._outlets = outlets
        self._tell = tell
        self._told: set[Kept] = set()
        self._dropped = self._now_us = 0

    def replan(self, sinks: tuple[Sink, ...], pair: PortPair, now_us: int) -> None:
        """Opens what the plan names anew, and closes what it no longer does."""
        self._now_us = now_us
        wanted = tuple([sink for sink in sinks if isinstance(sink, Kept)])
        gone = [sink for sink in self._open if sink not in wanted or (pair != self.pair and isinstance(sink, Capture))]
        for sink in gone:
            self._close(sink)
        self.pair, self._wanted = pair, wanted
        self._told &= set(wanted)
        self._open_wanted()

    def _open_wanted(self) -> None:
        for sink in self._wanted:
            if sink not in self._open and (sink not in self._told or isinstance(sink, Tap)):
                try:
                    self._open[sink] = self._opened(sink)
                except OSError as error:
                    self._fail(sink, error)
        self._list()

    def _opened(self, sink: Kept) -> Recording | CaptureFile | TapSocket:
        outlets = self._outlets
        match sink:
            case Record(path):
                return Recording(outlets.open_new(path), self._now_us)
            case Capture(path):
                return CaptureFile(outlets.open_on(path), self.pair, outlets.wall_us)
            case Tap(path):
                return TapSocket(outlets.open_tap(path), self.call, self.leg, outlets.wall_us)

    def _list(self) -> None:
        opened = self._open.values()
        self.takers = tuple([one for one in opened if isinstance(one, Recording | TapSocket)])
        self._captures = tuple([one for one in opened if isinstance(one, CaptureFile)])

    @property
    def captures(self) -> bool:
        """Whether packets are to be given to `capture`."""
        return bool(self._captures)

    def take(self, packet: memoryview, now_us: int) -> None:
        """One packet that has come in, for recordings and taps."""
        for taker in self.takers:
            taker.take(packet, now_us)

    def capture(
        self, data: bytes | memoryview, now_us: int, remote: Address, sent: bool = False, rtcp: bool = False
    ) -> None:
        """One packet that has come in or that is sent, for captures."""
        for capture in self._captures:
            capture.add(data, now_us, remote, sent, rtcp)

    def sweep(self) -> None:
        """Writes what has gathered, and looks for listeners that were not there."""
        for sink, opened in list(self._open.items()):
            try:
                opened.flush()
            except OSError as error:
                self._close(sink)
                self._fail(sink, error)
        if len(self._open) < len(self._wanted):
            self._open_wanted()

    @property
    def dropped(self) -> int:
        """Copies for taps that did not arrive."""
        return self._dropped + sum(one.dropped for one in self.takers if isinstance(one, TapSocket))

    def close(self) -> None:
        """Writes all that is left and closes everything."""
        for sink in list(self._open):
            self._close(sink)
        self._wanted = ()
        self._list()

    def _close(self, sink: Kept) -> None:
        closing = self._open.pop(sink)
        if isinstance(closing, TapSocket):
            self._dropped += closing.dropped
        try:
            closing.close()
        except OSError as error:
            self._fail(sink, error)

    def _fail(self, sink: Kept, error: OSError) -> None:
        if sink not in self._told:
            self._told.add(sink)
            self._tell("SinkFailed", type(sink).__name__, sink.path, error.strerror or str(error))
