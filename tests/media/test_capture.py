"""Captures of a leg's packets: written and read again."""

from io import BytesIO

import pytest

from voiceconnector.media.capture import MAGIC, CapturedPacket, read, record

V4 = CapturedPacket(1_700_000_000_123_456, False, False, ("127.0.0.1", 20000), ("192.0.2.7", 4000), b"\x80\x00rest")
V6 = CapturedPacket(1_700_000_000_143_456, True, True, ("::1", 20001), ("2001:db8::1", 65535), b"\x80\xc9")


def test_a_packet_stands_in_the_file_as_the_drawing_shows() -> None:
    assert record(V4) == bytes.fromhex(
        "0006 0000"
        + V4.time_us.to_bytes(8).hex()
        + "00000000000000000000ffff7f000001 00000000000000000000ffffc0000207 4e20 0fa0 800072657374"
    )


def test_what_was_written_is_read_again_in_order() -> None:
    assert list(read(BytesIO(MAGIC + record(V4) + record(V6)))) == [V4, V6]


@pytest.mark.parametrize("cut", [1, 2, 3, 40, 49])
def test_a_record_that_was_cut_short_is_left_out(cut: int) -> None:
    """The writer may be killed at any moment."""
    assert list(read(BytesIO(MAGIC + record(V4) + record(V6)[:-cut]))) == [V4]


def test_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a capture"):
        list(read(BytesIO(b"RIFF" + bytes(100))))
