"""Secure RTP against baresip: it calls out and is called over TLS, takes nothing but SRTP, and hears what was said."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.interop.emulator import Call, Emulator, configuration, new_place, running_emulator
from tests.interop.peers import program, samples
from tests.interop.test_baresip import WINDOW, find, same
from tests.interop.test_inbound_baresip import write_wav
from tests.interop.test_tls import baresip_over_tls

pytestmark = pytest.mark.interop

NUMBER = "+12065550104"
ACCOUNT = f"sip:{NUMBER}@encryptedtrunk00000000.voiceconnector.chime.aws"
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM")
"""Those that baresip 1.0 answers; of itself it offers the first, with which it answers AES_256_CM too."""


@contextmanager
def emulator_with(suite: str, folder: Path) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/baresip and this suite only, which records its calls."""
    program("baresip")
    only = f'[media]\nrecord = true\n\n[overrides]\nsrtp_suites = ["{suite}"]\nsrtp_offer = ["{suite}"]\n'
    text = configuration("baresip").replace("[overrides]\n", only)
    yield from running_emulator(text, new_place(), folder)


def assert_heard(said: list[int], heard: list[int], share: float = 0.95) -> None:
    """Windows of what was said are found in what was heard, sample for sample, but for a share that players drop."""
    for start in range(4000, len(said) - 8000, 4000):
        offset = find(said[start : start + WINDOW // 4], heard)
        pairs = zip(said[start : start + WINDOW], heard[offset : offset + WINDOW], strict=True)
        assert sum(same(*pair) for pair in pairs) >= WINDOW * share, f"not heard: what was said at {start / 8000} s"


def recorded(call: Call) -> list[int]:
    """What came from the PBX, after decryption, once the file is complete."""
    call.counters()
    folder = call.emulator.data_dir / "recordings" / call.fields["TransactionId"]
    return samples(folder / "customer.wav")


def test_baresip_calls_out_and_hears_what_it_said(tmp_path: Path) -> None:
    """Acceptance case 12, RFC 4568: through the trunk to the PSTN, which echoes plain RTP, and back."""
    suite = SUITES[0]
    with emulator_with(suite, tmp_path) as emulator:
        with baresip_over_tls(emulator, tmp_path, ACCOUNT, "+12065550199") as baresip:
            baresip.finish()
        (call,) = emulator.calls()
        assert call.details()["MediaProtection"] == {"Customer": suite, "Pstn": "plain RTP"}
        assert emulator.record(call.fields["CallId"])["Status"] == "Completed"
    assert_heard(baresip.said(), baresip.heard())


@pytest.mark.parametrize("suite", SUITES)
def test_baresip_is_called_and_hears_what_was_played(suite: str, tmp_path: Path) -> None:
    """Acceptance case 25, guide p. 61: TLS and RTP/SAVP with our key; what it says is recorded as it was said."""
    with emulator_with(suite, tmp_path) as emulator:
        with baresip_over_tls(emulator, tmp_path) as baresip:
            baresip.listens(5081, "tcp")
            played = baresip.said()[::-1]
            write_wav(tmp_path / "played.wav", played)
            done = emulator.command("call", "--to", NUMBER, "--duration", "20", "--play", str(tmp_path / "played.wav"))
            assert done.returncode == 0, done.stdout + done.stderr
            baresip.finish()
        assert "Audio went both ways" in done.stdout
        (call,) = emulator.calls()
        assert call.details()["MediaProtection"] == {"Customer": suite, "Pstn": "plain RTP"}
        assert_heard(baresip.said(), recorded(call), 1.0)
    assert_heard(played, baresip.heard())
