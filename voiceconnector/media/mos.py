"""How good a call sounds, foretold from loss and delay: the E-model of ITU-T G.107 (06/2015) for G.711.

    R = Ro - Is - Id - Ie,eff + A

Everything but delay and loss has its default value (G.107 table 2): of Ro, Is and A the result of those defaults
is all that is left here. Leaves out: other codecs, wideband, bursts of loss (the burst ratio is 1).
"""

from math import exp, log2, log10, sqrt

RO = 94.7688
"""Basic signal-to-noise ratio by the defaults (G.107 7.2)."""
IS = 1.4136
"""Simultaneous impairments by the defaults (G.107 7.3)."""
BPL_PLC = 25.1
"""Packet-loss robustness of G.711 with concealment after its Appendix I, random loss (G.113 table I.4)."""
BPL_NO_PLC = 4.3
"""The same without concealment (G.113 table I.4)."""
HIGHEST = 4.4
LOWEST = 1.0
"""The scale of the service's metric (guide p. 26)."""
WORST_IE = 95.0

_TELR, _WEPL = 65.0, 110.0
"""Loudness of the talker's echo, and of the path around the loop, dB (G.107 table 2)."""
_ECHO_FREE_MS = 1.0


def rating(delay_ms: float, loss: float, bpl: float = BPL_PLC) -> float:
    """The transmission rating R. `delay_ms` is one way, mouth to ear; `loss` a share of packets, 0 to 1."""
    return RO - IS - _delay_impairment(delay_ms) - _equipment_impairment(loss * 100, bpl)


def opinion(rating: float) -> float:
    """The mean opinion score, 1 to 4.5, of a rating (G.107 annex B)."""
    if rating <= 0:
        return 1.0
    if rating >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def mos(delay_ms: float, loss: float, bpl: float = BPL_PLC) -> float:
    """The score as the service shows it: 1.0 to 4.4. Arguments as `rating`."""
    return max(LOWEST, min(opinion(rating(delay_ms, loss, bpl)), HIGHEST))


def mouth_to_ear_ms(rtt_us: int, jitter_us: int, buffer_ms: float, ptime_ms: float = 20.0) -> float:
    """One way from mouth to ear: half the round trip, a packet, and a jitter buffer.

    The buffer holds `buffer_ms`, or twice the jitter where that is more.
    """
    return rtt_us / 2000 + ptime_ms + max(buffer_ms, jitter_us / 500)


def _equipment_impairment(loss_percent: float, bpl: float) -> float:
    """Ie,eff for G.711, whose Ie is 0 (G.107 7.5)."""
    return WORST_IE * loss_percent / (loss_percent + bpl)


def _delay_impairment(delay_ms: float) -> float:
    """Id, with Ta = T and Tr = 2 T (G.107 7.4)."""
    return _talker_echo(delay_ms) + _listener_echo(2 * delay_ms) + _too_long(delay_ms)


def _talker_echo(delay_ms: float) -> float:
    """Idte; without side tone beyond the default's, G.107 corrects nothing."""
    if delay_ms < _ECHO_FREE_MS:
        return 0.0
    terv = _TELR - 40 * log10((1 + delay_ms / 10) / (1 + delay_ms / 150)) + 6 * exp(-0.3 * delay_ms**2)
    half = (RO - (80 + 2.5 * (terv - 14))) / 2  # Roe is as Ro, as SLR and RLR have their defaults
    return (half + sqrt(half**2 + 100) - 1) * (1 - exp(-delay_ms))


def _listener_echo(round_trip_ms: float) -> float:
    """Idle."""
    half = (RO - 10.5 * (_WEPL + 7) / sqrt(sqrt(round_trip_ms + 1))) / 2
    return half + sqrt(half**2 + 169)


def _too_long(delay_ms: float) -> float:
    """Idd: delay that hurts even without any echo."""
    if delay_ms <= 100:
        return 0.0
    x = log2(delay_ms / 100)
    return 25 * (_sixth_root(1 + x**6) - 3 * _sixth_root(1 + (x / 3) ** 6) + 2)


def _sixth_root(value: float) -> float:
    return float(value ** (1 / 6))
