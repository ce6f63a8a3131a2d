"""baresip, as a PBX that never registers, calls through the trunk and hears what it said."""

from collections.abc import Iterator
from operator import sub
from pathlib import Path

import pytest

from tests.interop.emulator import Emulator, configuration, new_place, running_emulator, wait_for
from tests.interop.peers import Baresip, program

pytestmark = pytest.mark.interop

ACCOUNTS = {
    "by its address, over UDP": "sip:+12065550100@opentrunk0000000000000.voiceconnector.chime.aws",
    "with a password, over TCP": "sip:+12065550101@digesttrunk00000000000.voiceconnector.chime.aws",
}
WINDOW = 800
"""Samples that are compared at a time: 100 ms."""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulator with the configuration of sbc_configs/baresip."""
    program("baresip")
    yield from running_emulator(configuration("baresip"), new_place(), tmp_path_factory.mktemp("baresip"))


def find(window: list[int], within: list[int]) -> int:
    """Where a window stands in a longer sound: the offset at which they differ least."""

    def difference(offset: int) -> int:
        return sum(map(abs, map(sub, window, within[offset : offset + len(window)])))

    return min(range(len(within) - len(window)), key=difference)


def same(said: int, heard: int) -> bool:
    """Whether two samples are the same but for the coarseness of mu-law.

    A step of G.711 is at most a sixteenth of the sample, and 8 near zero (ITU-T G.711, table 2a).
    """
    return abs(said - heard) <= max(8, abs(said) // 16)


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
def test_baresip_hears_what_it_said(account: str, emulator: Emulator, tmp_path: Path) -> None:
    """G.711 both ways, through the trunk to the emulated PSTN, which echoes, and back."""
    with Baresip(emulator, tmp_path, account, "+12065550199") as baresip:
        baresip.finish()
    said, heard = baresip.said(), baresip.heard()
    for start in range(4000, len(said) - 8000, 4000):
        offset = find(said[start : start + WINDOW // 4], heard)
        pairs = zip(said[start : start + WINDOW], heard[offset : offset + WINDOW], strict=True)
        assert sum(same(*pair) for pair in pairs) >= WINDOW * 0.95, f"not heard: what was said at {start / 8000} s"
    (record,) = wait_for(
        "the record", lambda: [record for record in emulator.records() if record["SourcePhoneNumber"] in account]
    )
    assert (record["Status"], record["StatusMessage"]) == ("Completed", "OK")
    assert record["SipAuthUser"] == ("pbx" if "digest" in account else "")
