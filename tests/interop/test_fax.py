"""T.38 over real sockets: sipp turns calls into fax, and what fax machines send arrives as it was sent."""

import socket

import pytest

from tests.interop.emulator import wait_for
from tests.interop.peers import Message, Sipp
from tests.interop.stage import OWN_CALLEE, Stage

pytestmark = pytest.mark.interop

FAX_NUMBER = "+12065550185"
"""A number of the emulated PSTN that turns to fax by itself, and echoes."""
NO_SIGNAL = bytes.fromhex("0000 01 00 00 00")
"""UDPTL: sequence number 0, a primary field of one octet with the T.30 indicator "no signal", no redundancy."""
FAX_MS = 3000
"""How long sipp keeps the call a fax; the packets take a small part of it."""


class Machine:
    """A fax machine's socket at the address of a sipp."""

    def __init__(self, stage: Stage) -> None:
        host = stage.place.host
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, stage.place.peer_port(host)))
        self.socket.setblocking(False)
        stage.exit.callback(self.socket.close)
        self.key = ("-key", "fax_port", str(self.socket.getsockname()[1]))
        self.trunk = host, 0
        """Where the trunk takes its packets."""

    def connect(self, port: int) -> None:
        self.trunk = self.trunk[0], port

    def send(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.trunk)

    def received(self) -> bytes | None:
        """The next packet that is there, which must be the trunk's."""
        try:
            packet, source = self.socket.recvfrom(2048)
        except BlockingIOError:
            return None
        assert source == self.trunk
        return packet


def udptl(number: int) -> bytes:
    """A packet of T.4 data with the one before it as redundancy; some begin as RTP and RTCP do, or STUN."""
    sequence_number = (number if number % 2 else 0x8000 + 200 * number).to_bytes(2)
    primary = bytes([0xC0, number]) + bytes((number * step) % 256 for step in range(8 * number))
    return sequence_number + bytes([len(primary)]) + primary + bytes([0, 1, 2, 0xC0, number - 1 & 0xFF])


def exchange(sender: Machine, receiver: Machine) -> None:
    """What one sends is what the other receives; the first goes again until both sides are ready."""

    def heard() -> bytes | None:
        sender.send(NO_SIGNAL)
        return receiver.received()

    assert wait_for("the way to be open", heard) == NO_SIGNAL
    packets = [udptl(number) for number in range(1, 26)]
    for packet in packets:
        sender.send(packet)
    arrived: list[bytes] = []

    def all_there() -> bool:
        while packet := receiver.received():
            arrived.append(packet)
        return bool(arrived) and arrived[-1] == packets[-1]

    wait_for("the last packet", all_there)
    assert [packet for packet in arrived if packet != NO_SIGNAL] == packets


def fax_port(sipp: Sipp, who: str) -> int:
    """Where the trunk takes the fax of a sipp, from the offer or answer that it got."""

    def found() -> list[Message]:
        return [one for one in sipp.received() if "m=image" in one.body]

    body = wait_for(f"{who} to be told of the fax", found)[0].body
    return int(body.partition("m=image ")[2].split()[0])


def assert_completed(stage: Stage, sipp: Sipp) -> None:
    """The one record is of a call that went well."""
    record = stage.record(sipp.finish())
    assert (record["Status"], record["StatusMessage"]) == ("Completed", "OK"), record


def test_the_pbx_turns_a_call_into_fax_and_back_and_each_packet_arrives_as_it_was_sent(stage: Stage) -> None:
    """ITU-T T.38 annex D and 9.1, RFC 3264 8.3.3: re-INVITE to image, UDPTL both ways, and back to audio."""
    caller_machine, callee_machine = Machine(stage), Machine(stage)
    callee = stage.pstn("fax", *callee_machine.key)
    caller = stage.pbx("fax", OWN_CALLEE["udp"], *caller_machine.key, talk_ms=FAX_MS)
    caller_machine.connect(fax_port(caller, "the PBX"))
    callee_machine.connect(fax_port(callee, "the callee"))
    exchange(caller_machine, callee_machine)
    exchange(callee_machine, caller_machine)
    assert "T.38 fax over UDPTL" in stage.call(caller).explain()
    assert_completed(stage, caller)
    callee.finish()
    assert callee.requests() == ["INVITE", "ACK", "INVITE", "ACK", "INVITE", "ACK", "BYE"]


def test_a_fax_machine_of_the_emulated_pstn_turns_the_call_into_fax_and_echoes(stage: Stage) -> None:
    """The behaviour "fax": it re-INVITEs a second after its answer."""
    machine = Machine(stage)
    caller = stage.pbx("call_fax", FAX_NUMBER, *machine.key, talk_ms=FAX_MS)
    machine.connect(fax_port(caller, "the PBX"))
    exchange(machine, machine)
    assert "T.38 fax over UDPTL" in stage.call(caller).explain()
    assert_completed(stage, caller)
