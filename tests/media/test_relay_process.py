"""The relay process from the inside: its channel, its ports, its plans; served by hand."""

import errno
import gc
import marshal
import socket
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media.test_relay import HOST
from voiceconnector.media import rtp
from voiceconnector.media.plan import Digits, Forward, MediaPlan, Play, PortPair, StreamPlan
from voiceconnector.media.quality import StreamStats
from voiceconnector.media.relay_process import Channel, Message, RelayProcess, sendable
from voiceconnector.media.stream import Stream

LOCAL = ("127.0.0.1", 20000)


def connected() -> tuple[Channel, socket.socket]:
    """A channel, and the raw other end."""
    ours, theirs = socket.socketpair()
    return Channel(ours), theirs


@given(
    st.lists(st.lists(st.tuples(st.text(max_size=5), st.integers()), max_size=3), max_size=5),
    st.lists(st.integers(1, 40), min_size=1, max_size=10),
)
def test_messages_arrive_whole_however_the_stream_is_cut(batches: list[list[Message]], cuts: list[int]) -> None:
    sender, wire = connected()
    receiver, feed = connected()
    with sender.socket, wire, receiver.socket, feed:
        for batch in batches:
            assert sender.send(batch)
        sender.socket.close()
        stream = b"".join(iter(lambda: wire.recv(65536), b""))
        received: list[Message] = []
        for cut in cycle(cuts):
            if not stream:
                break
            feed.sendall(stream[:cut])
            stream = stream[cut:]
            received += receiver.receive()
        feed.close()
        with pytest.raises(EOFError):
            receiver.receive()
    assert received == [message for batch in batches for message in batch]


def test_what_a_full_socket_does_not_take_is_sent_later() -> None:
    sender, other = connected()
    receiver = Channel(other)
    batch: list[Message] = [("x", "y" * 1000)] * 100
    sent = 0
    while sender.send(batch):
        sent += 1
    received: list[Message] = []
    for _ in range(1000):
        received += receiver.receive()
        if sender.flush() and len(received) == (sent + 1) * 100:
            break
    assert received == batch * (sent + 1)
    sender.socket.close()
    other.close()


@pytest.mark.parametrize(
    ("remote", "local", "expected"),
    [
        (("192.0.2.1", 4000), LOCAL, ("192.0.2.1", 4000)),
        (("2001:DB8:0::1", 4000), ("::1", 20000), ("2001:db8::1", 4000)),
        (None, LOCAL, None),
        (("0.0.0.0", 4000), LOCAL, None),  # RFC 2543's hold
        (("::", 4000), ("::1", 20000), None),
        (("224.0.0.1", 4000), LOCAL, None),
        (("255.255.255.255", 4000), LOCAL, None),
        (("ff02::1", 4000), ("::1", 20000), None),
        (("192.0.2.1", 0), LOCAL, None),
        (("192.0.2.1", 65536), LOCAL, None),
        (("pbx.example.com", 4000), LOCAL, None),
        (("192.0.2.1\0", 4000), LOCAL, None),
        (("2001:db8::1", 4000), LOCAL, None),  # the other family
        (("192.0.2.1", 4000), ("::1", 20000), None),
        (LOCAL, LOCAL, None),  # itself: packets would run in a circle
    ],
)
def test_media_is_only_sent_where_it_can_go(
    remote: tuple[str, int] | None, local: tuple[str, int], expected: tuple[str, int] | None
) -> None:
    assert sendable(remote, local) == expected


class Served:
    """A relay process whose turns the test takes."""

    def __init__(self) -> None:
        channel, other = connected()
        self.process = RelayProcess(channel, descriptors=72)
        self.channel = Channel(other)

    def tell(self, *messages: Message, until: str, count: int = 1) -> list[Message]:
        """Sends commands and serves them until so many events of a name have come."""
        self.channel.send([*messages])
        events: list[Message] = []
        for _ in range(2000):
            self.process.turn()
            events += self.channel.receive()
            if sum(event[0] == until for event in events) >= count:
                return events
        raise AssertionError(f"no {until} among {events}")


@pytest.fixture
def served() -> Iterator[Served]:
    made = Served()
    yield made
    made.channel.socket.close()
    made.process.close()


def two_legs(ports: list[int]) -> MediaPlan:
    remote = (HOST, 9)
    legs = [
        StreamPlan(leg, PortPair(HOST, port), remote, (0,), sinks=(Forward(other),))
        for leg, port, other in zip("ab", ports, "ba")
    ]
    return MediaPlan(tuple(legs))


def free_ports(count: int) -> list[int]:
    """Even ports that are free with the ones after them."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST, 0))
            port = probe.getsockname()[1] & ~1
            if port in found:
                continue
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                try:
                    other.bind((HOST, probe.getsockname()[1] ^ 1))
                except OSError:
                    continue
            found.append(port)
    return found


def test_ports_are_opened_and_those_that_are_taken_are_named(served: Served) -> None:
    """RFC 3550 11: a pair is of use only if both of its ports are."""
    first, second, third = free_ports(3)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, second + 1))
        events = served.tell(("open", HOST, [first, second, third]), until="opened", count=3)
    assert events == [
        ("opened", HOST, first, 0),
        ("opened", HOST, second, errno.EADDRINUSE),
        ("opened", HOST, third, 0),
    ]


def test_no_more_ports_are_opened_than_the_system_lets_it_and_the_rest_is_told_why(served: Served) -> None:
    """Sockets that are replaced during calls need descriptors to spare."""
    ports = free_ports(5)
    events = served.tell(("open", HOST, ports), until="opened", count=5)
    assert [problem for *_, problem in events] == [0, 0, 0, 0, errno.EMFILE]


def test_an_address_that_is_not_this_machines_is_named_with_its_error(served: Served) -> None:
    events = served.tell(("open", "192.0.2.1", [20000]), until="opened")
    assert events == [("opened", "192.0.2.1", 20000, errno.EADDRNOTAVAIL)]


def test_a_call_on_a_port_that_is_taken_is_told_so(served: Served) -> None:
    ports = free_ports(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, ports[0]))
        events = served.tell(("apply", 5, two_legs(ports).to_wire()), until="PortUnavailable")
    assert events == [("PortUnavailable", 5, "a", (HOST, ports[0]), "Address already in use")]


def test_a_call_that_is_over_leaves_nothing_behind(served: Served) -> None:
    """The collector is off in the process: streams have to be free without it."""
    ports = free_ports(2)
    gc.collect()
    gc.disable()
    try:
        for call in range(20):
            served.tell(("apply", call, two_legs(ports).to_wire()), ("release", call), until="CallStats")
        assert [thing for thing in gc.get_objects() if isinstance(thing, Stream)] == []
    finally:
        gc.enable()


def test_a_call_without_packets_is_not_made_until_the_first_one_comes(served: Served) -> None:
    """Two hundred set-ups with no media cost their plans alone; the packet that wakes a call is not lost."""
    ports = free_ports(2)
    plan = two_legs(ports)
    served.tell(("open", HOST, ports), until="opened", count=2)
    asleep = served.tell(("apply", 1, plan.to_wire()), ("query", 1), until="CallStats")
    assert asleep == [("CallStats", 1, False, [tuple(StreamStats("a")), tuple(StreamStats("b"))])]
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Stream)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote:
        remote.sendto(rtp.build(0, 1, 160, 7, b"\xff" * 160), (HOST, ports[0]))
        events = served.tell(("query", 1), until="FirstPacket")
    assert events[-1][:3] == ("FirstPacket", 1, "a")
    assert StreamStats._make(served.tell(("query", 1), until="CallStats")[-1][3][0]).packets == 1


def test_a_late_packet_of_a_call_that_was_never_made_wakes_nothing(served: Served) -> None:
    ports = free_ports(2)
    served.tell(("open", HOST, ports), until="opened", count=2)
    served.tell(("apply", 1, two_legs(ports).to_wire()), ("release", 1), until="CallStats")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote:
        remote.sendto(rtp.build(0, 1, 160, 7, b"\xff" * 160), (HOST, ports[0]))
    assert served.tell(("query", 1), until="CallStats") == [("CallStats", 1, False, [])]
    assert not [thing for thing in gc.get_objects() if isinstance(thing, Stream)]


def test_a_call_that_waits_in_vain_is_told_when_its_patience_ends(served: Served) -> None:
    ports = free_ports(2)
    legs = [leg._replace(no_media_seconds=0.2) for leg in two_legs(ports).streams]
    legs[0] = legs[0]._replace(receive=False)
    served.tell(("open", HOST, ports), until="opened", count=2)
    assert served.tell(("apply", 1, MediaPlan(tuple(legs)).to_wire()), until="NoMedia") == [("NoMedia", 1, "b", 0.2)]


def test_sources_are_sent_and_their_ends_are_told(served: Served, tmp_path: Path) -> None:
    """One leg plays what is not there, then digits (RFC 4733); each end is an event."""
    (port,) = free_ports(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as remote:
        remote.bind((HOST, 0))
        remote.setblocking(False)
        missing = str(tmp_path / "none.wav")
        sources = (Play(missing), Digits("7", duration_ms=40, pause_ms=40))
        plan = MediaPlan(
            (
                StreamPlan(
                    "a",
                    PortPair(HOST, port),
                    remote.getsockname(),
                    (0,),
                    sources=sources,
                    event_payload_type=97,
                ),
            )
        )
        wire = marshal.loads(marshal.dumps(plan.to_wire()))
        events = served.tell(("apply", 1, wire), until="SourceFinished", count=2)
        assert [event[3] for event in events] == ["Play", "Digits"]
        assert "No such file" in events[0][4]
        received = [remote.recv(100) for _ in range(4)]
    assert {packet[1] & 0x7F for packet in received} == {97}
    assert received[-1][12:] == bytes.fromhex("078a0140")


def test_the_other_end_closing_ends_the_process() -> None:
    channel, other = connected()
    process = RelayProcess(channel, descriptors=1024)
    other.close()
    process.run()
    process.close()
    assert channel.socket.fileno() == -1
