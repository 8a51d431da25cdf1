"""Join tokens: published for the nodes, rotated on a schedule and when somebody asks for it."""

from __future__ import annotations

from swarmkeeper.domain.model import Node
from swarmkeeper.domain.rotation import Rotation
from swarmkeeper.errors import Conflict, NoManager, Unavailable
from swarmkeeper.ports import Clock, Event, Events, JoinTokens, StateStore, Swarm
from swarmkeeper.services.managers import Managers

ROTATION = "join-tokens/rotation"
"""The fact that says when a rotation was begun and when the last one ended: `<begun>/<ended>`."""
ASKED = "join-tokens/asked"
"""The fact that says when somebody last asked for one."""
PUBLISH_TRIES = 5


class TokenKeeper:
    """Publishes what the Swarm has now; safe to repeat and to race."""

    def __init__(self, *, swarm: Swarm, tokens: JoinTokens) -> None:
        self._swarm = swarm
        self._tokens = tokens

    def publish(self, manager: Node) -> None:
        """Put the Swarm's tokens where nodes read them.

        Reads them again afterwards: another call may have rotated them meanwhile, and whoever writes last must have
        written what is true. Raises Unavailable when they keep changing.
        """
        current = self._swarm.join_tokens(manager)
        for _ in range(PUBLISH_TRIES):
            self._tokens.publish(current)
            published, current = current, self._swarm.join_tokens(manager)
            if current == published:
                return
        raise Unavailable("the join tokens keep changing")

    def rotate(self, manager: Node) -> None:
        """Make the Swarm refuse the tokens of before, and publish the new ones; members stay members."""
        self._swarm.rotate_join_tokens(manager)
        self.publish(manager)


class TokenRotation:
    """Rotates when it is due, one call at a time; a rotation that is cut off is done again."""

    def __init__(
        self, *, store: StateStore, managers: Managers, keeper: TokenKeeper, clock: Clock, every_s: float | None
    ) -> None:
        self._store = store
        self._managers = managers
        self._keeper = keeper
        self._clock = clock
        self._every_s = every_s

    def standing(self) -> Rotation:
        return rotation_in(self._store)

    def check(self) -> str:
        """Rotate if it is due; returns what was done. Raises Unavailable while there is no manager to ask."""
        stored = self._store.fact(ROTATION)
        known, now = self.standing(), self._clock.now()
        if stored is None and not known.asked_at:
            self._store.set_fact_once(ROTATION, _text(now, now))  # the Swarm's first tokens count from here on
            return "the first rotation is counted from now on"
        if not known.is_due(now, self._every_s):
            if known.is_under_way and known.asked_at > known.begun_at:
                raise Unavailable("new join tokens are asked for while others are being made")
            return "a rotation is under way" if known.is_under_way else "not due"
        if not self._managers.in_service():
            raise NoManager("no manager is ready to rotate the join tokens")
        claim = _text(now, known.ended_at)
        self._store.replace_fact(ROTATION, expected=stored, value=claim)  # of calls that meet, one goes on
        self._managers.ask(self._keeper.rotate)
        self._store.replace_fact(ROTATION, expected=claim, value=_text(now, self._clock.now()))
        return "rotated"


class RotationRequests:
    """What people ask: kept in the table first, so that a lost event only delays it."""

    def __init__(self, *, store: StateStore, events: Events, clock: Clock, fleet: str) -> None:
        self._store = store
        self._events = events
        self._clock = clock
        self._fleet = fleet

    def standing(self) -> Rotation:
        return rotation_in(self._store)

    def ask(self) -> Rotation:
        """Have the tokens rotated soon; asking twice at once is asking once."""
        before = self._store.fact(ASKED)
        try:
            self._store.replace_fact(ASKED, expected=before, value=repr(self._clock.now()))
        except Conflict:  # somebody asked at this very moment
            return self.standing()
        self._events.publish(Event.TOKENS_DUE, [{"fleet": self._fleet}])
        return self.standing()


def rotation_in(store: StateStore) -> Rotation:
    """How the tokens stand by the table."""
    asked = store.fact(ASKED)
    begun, _, ended = (store.fact(ROTATION) or "0/0").partition("/")
    return Rotation(float(asked or 0), float(begun), float(ended))


def _text(begun_at: float, ended_at: float) -> str:
    return f"{begun_at!r}/{ended_at!r}"
