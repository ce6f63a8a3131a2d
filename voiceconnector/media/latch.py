"""Which source of packets a stream listens to: symmetric RTP with a guard (RFC 4961, RFC 7362).

A PBX behind NAT sends from another address than its SDP says, so the first source to send RTP is taken, and
media goes back there. The signalled address always has the better claim: once it sends, no other is listened
to. Only a changed address in the signalling, or a new plan while the source was a guess, opens the choice
again.
"""

from voiceconnector.media.plan import Address


class Latch:
    """The choice of one stream's source, and where to send meanwhile."""

    __slots__ = ("_open", "signalled", "source")

    def __init__(self, signalled: Address | None) -> None:
        self.signalled = signalled
        """What SDP says, or None while it says nothing."""
        self.source: Address | None = None
        """Where packets come from; None before the first and after the signalled address changed."""
        self._open = True

    def accepts(self, source: Address) -> bool:
        """Whether a packet from there may be relayed."""
        return self._open or source == self.source or source == self.signalled

    def take(self, source: Address) -> None:
        """Latches to the source of a packet that was accepted and is good."""
        self.source = source
        self._open = False

    def rearm(self, signalled: Address | None) -> None:
        """A new plan: a changed address starts again; the same one gives a guessed source a chance to change.

        None (hold without an address) changes nothing.
        """
        if signalled is not None and signalled != self.signalled:
            self.signalled = signalled
            if self.source != signalled:
                self.source = None
        self._open = not self.settled

    @property
    def settled(self) -> bool:
        """True once the source is the signalled address: nothing but new signalling can change it."""
        return self.source is not None and self.source == self.signalled

    @property
    def destination(self) -> Address | None:
        """Where to send: to the source once there is one, before that to the signalled address."""
        return self.source or self.signalled
