"""The desk: what users ask of calls, and have done to them, by HTTP and on the command line.

Calls are named by their TransactionId; what is asked of one that is not known is answered with None.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

from .calls import explain
from .calls.history import CallHistory
from .calls.keeping import What
from .calls.roles import PSTN
from .calls.switch import Switch
from .captures import Captures, frame_of
from .config import wav_file
from .control.call_orders import CallOrder, CannotCall
from .media.relay import Relay
from .pstn.carrier import NoPort, PublicNetwork
from .records import ladder
from .records.ladder import Packet, render_messages
from .sip.hop import Hop, host_port
from .sip.transport import Transport
from .trunk.model import Snapshot
from .trunk.routing import unassigned
from .way import PHONES

ACCEPT_SECONDS = 5.0
"""How long a call that is to be placed may be on its way to the trunk."""
COUNTING_SECONDS = 0.2
"""How long somebody who looks at a call waits for its counters; those of before are shown then."""


class Desk:
    """All calls, as users see them."""

    def __init__(
        self,
        switch: Switch,
        service: Transport,
        network: PublicNetwork,
        outside: Transport,
        relay: Relay,
        captures: Captures,
        snapshot: Callable[[], Snapshot],
        epoch: float,
    ) -> None:
        """`service` turns the switch, `outside` the public network; `epoch` as in `Switch`."""
        self._switch = switch
        self._profile = switch.profile
        self._service = service
        self._network = network
        self._outside = outside
        self._relay = relay
        self._captures = captures
        self._snapshot = snapshot
        self._epoch = epoch

    def calls(self) -> list[dict[str, object]]:
        return [explain.summary(call, self._epoch) for call in self._switch.history.all()]

    async def call(self, aws_transaction_id: str) -> dict[str, object] | None:
        """A call, with its media counters of this moment."""
        call = self._switch.history.find(aws_transaction_id)
        if call:
            await self._count(call)
        return explain.details(call, self._profile, self._epoch) if call else None

    async def _count(self, call: CallHistory) -> None:
        """Have the relay tell a live call's counters; a relay that does not answer at once is not waited for."""
        key = self._switch.key_of(call)
        if key is None or call.plan is None:
            return
        counted, deadline = call.counted, time.monotonic() + COUNTING_SECONDS
        self._relay.query(key)
        self._relay.flush()
        while call.counted == counted and time.monotonic() < deadline:
            await asyncio.sleep(0.002)

    async def place_call(self, order: CallOrder) -> str:
        """Have a phone of the public network call a number of the trunk; the call's TransactionId.

        Raises CannotCall.
        """
        snapshot = self._snapshot()
        if not snapshot.inbound(order.to):
            decision = unassigned(order.to, snapshot, self._profile)
            raise CannotCall(404, f"{decision.because}. {decision.remedy}.")
        try:
            play = str(wav_file(order.play)) if order.play else ""
        except ValueError as error:
            raise CannotCall(400, f"Play = '{order.play}': {error}") from None
        trunk, phones = self._switch.stack.locals[PSTN, "UDP"], self._network.stack.locals[PHONES, "UDP"]
        hop = Hop(phones, (trunk.host, trunk.port))
        call_id = problem = ""

        def dial(now: float) -> None:
            nonlocal call_id, problem
            try:
                call_id = self._network.call(hop, order.to, order.from_, order.duration, now, play)
            except NoPort as error:
                problem = str(error)

        self._outside.turn(dial)
        deadline = time.monotonic() + ACCEPT_SECONDS
        while call_id and time.monotonic() < deadline:
            history = self._switch.history.from_pstn(call_id)
            if history:
                return history.aws_transaction_id
            await asyncio.sleep(0.002)
        raise CannotCall(503, problem or f"the trunk has not taken the INVITE for {ACCEPT_SECONDS:g} s")

    async def hang_up(self, aws_transaction_id: str) -> dict[str, object] | None:
        """Have the phone that placed a call hang up; the call. One that is over stays as it is. Raises CannotCall."""
        call = self._switch.history.live.get(aws_transaction_id)
        hung_up = call is None

        def change(now: float) -> None:
            nonlocal hung_up
            assert call
            hung_up = self._network.hang_up(call.pstn_call_id, now)

        if call:
            self._outside.turn(change)
        if not hung_up:
            raise CannotCall(409, "the call was placed by no phone of the emulated PSTN, so let its caller hang up")
        return await self.call(aws_transaction_id)

    async def explain(self, aws_transaction_id: str) -> str | None:
        call = self._switch.history.find(aws_transaction_id)
        if call:
            await self._count(call)
        return explain.explain(call, self._profile) if call else None

    def in_brief(self, aws_transaction_id: str) -> str | None:
        call = self._switch.history.find(aws_transaction_id)
        return explain.in_brief(call, self._profile) if call else None

    def ladder(self, aws_transaction_id: str, *, messages: bool = False, width: int = 110) -> str | None:
        """The ladder as text; with `messages`, the messages in full behind it."""
        call = self._switch.history.find(aws_transaction_id)
        if call is None:
            return None
        frames = [frame_of(entry, self._epoch) for entry in call.log]
        packets = [
            Packet(frame.time, frame.transport, host_port(*frame.source), host_port(*frame.destination), frame.data)
            for frame in frames
        ]
        names = {address.partition(" ")[2]: who for address, who in call.peers.items()} | _our_names(call)
        text = ladder.ladder(packets, names, width=width)
        return f"{text}\n{render_messages(packets, names, width=width)}" if messages else text

    async def keep(self, aws_transaction_id: str, what: What, enabled: bool) -> dict[str, object] | None:
        """Keep packets or recordings of a live call from now on, or no longer; the call. Raises CannotCall."""
        kept = False

        def change(now: float) -> None:
            nonlocal kept
            kept = self._switch.keep(aws_transaction_id, what, enabled, now)

        self._service.turn(change)
        call = await self.call(aws_transaction_id)
        if call and not kept:
            raise CannotCall(409, f"the call is over, so there is nothing to {what} any more")
        return call

    def capture(self, aws_transaction_id: str, *, as_sent: bool) -> Iterator[bytes] | None:
        """The packets of a call as a pcapng file."""
        call = self._switch.history.find(aws_transaction_id)
        if call is None:
            return None
        verdict = explain.details(call, self._profile, self._epoch)["MediaVerdict"] or "No audio was seen."
        comment = f"{aws_transaction_id}\n{explain.in_brief(call, self._profile)}\n{verdict}"
        return self._captures.pcapng(call, comment, as_sent=as_sent)

    def recording(self, aws_transaction_id: str) -> Iterator[bytes] | None:
        """Both sides of a call as a stereo WAV file. Raises LookupError where nothing of it was recorded."""
        call = self._switch.history.find(aws_transaction_id)
        return self._captures.recording(call) if call else None


def _our_names(call: CallHistory) -> dict[str, str]:
    """What the trunk's addresses in a call are called: by their Region, also the PSTN's side where there is but one."""
    ours = {hop.local for _, hop, _, _ in call.log}
    regions = {local.name for local in ours} - {PSTN}
    only = next(iter(regions)) if len(regions) == 1 else PSTN
    return {local.sent_by: f"voiceconnector {only if local.name == PSTN else local.name}" for local in ours}
