"""A Swarm's raft store: who is a member, with which token one joins, and the overlay networks.

Nothing here is thread-safe: whoever calls holds the machines' lock.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from local.machines.simulated_network import OverlayNetwork, Refusal

MANAGER = "manager"
WORKER = "worker"
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 25
DIGEST_LENGTH = 50


@dataclass(slots=True)
class Member:
    """A node in the managers' list. `lost_at` is when they last heard of it, None while it answers.

    `votes` says whether it is a member of the managers' quorum.
    """

    id: str
    host_name: str
    address: str
    role: str
    version: int = 10
    labels: dict[str, str] = field(default_factory=dict)
    availability: str = "active"
    lost_at: float | None = None
    left: bool = False
    votes: bool = False

    @property
    def is_heard(self) -> bool:
        return self.lost_at is None and not self.left


class SimulatedSwarm:
    """One Swarm. A member whose engine is gone is Down `down_after_s` later.

    A leader that is lost is followed by another manager `election_s` later, while more than half of them are heard.
    """

    def __init__(self, clock: Callable[[], float], down_after_s: float, election_s: float = 0.0) -> None:
        self._clock = clock
        self._down_after_s = down_after_s
        self._election_s = election_s
        self._leader = ""
        self._elected_at = 0.0
        self._members: dict[str, Member] = {}
        self._digest = swarm_id(DIGEST_LENGTH)
        self.id = swarm_id()
        self.version = 10
        self.tokens = {role: self._new_token() for role in (WORKER, MANAGER)}
        self.networks: dict[str, OverlayNetwork] = {}

    def rotate(self, version: int, roles: Iterable[str]) -> None:
        """Make new tokens for these roles. Raises Refusal for a version that is not the Swarm's own."""
        self.require_leader()
        if version != self.version:
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "rpc error: code = Unknown desc = update out of sequence")
        self.version += 1
        self.tokens |= {role: self._new_token() for role in roles}

    def _new_token(self) -> str:
        return f"SWMTKN-1-{self._digest}-{swarm_id()}"

    def admit(self, host_name: str, address: str, *, token: str) -> Member:
        """Let a node in with the role that its token stands for. Raises Refusal for a wrong token."""
        self.require_leader()
        for role, right in self.tokens.items():
            if secrets.compare_digest(token, right):
                return self._add(Member(swarm_id(), host_name, address, role, votes=role == MANAGER))
        raise Refusal(HTTPStatus.BAD_REQUEST, "A valid join token is necessary to join this cluster")

    def found(self, host_name: str, address: str) -> Member:
        """Make the first manager, as `docker swarm init` does."""
        return self._add(Member(swarm_id(), host_name, address, MANAGER, votes=True))

    def force_new_cluster(self, member_id: str) -> None:
        """The manager goes on alone, as `docker swarm init --force-new-cluster` has it; the others lose their votes."""
        for member in self._members.values():
            member.votes = member.id == member_id
        self._leader, self._elected_at = member_id, self._clock()

    def is_parted(self, member_id: str) -> bool:
        """Whether a manager is cut off from the others: it may run, and has no leader."""
        member = self._members.get(member_id)
        return member is None or not member.is_heard

    def leave(self, member_id: str, *, force: bool) -> None:
        """A node leaves: it stays listed as Down until it is removed. A manager leaves by force only."""
        member = self._members.get(member_id)
        if member is None:
            return
        if member.role == MANAGER and not force:
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "You are attempting to leave the swarm on a node that is participating as a manager.",
            )
        member.left = True
        self._elect()

    def lose(self, member_id: str) -> None:
        """The managers hear no more of the node, from now on."""
        if member := self._members.get(member_id):
            member.lost_at = member.lost_at if member.lost_at is not None else self._clock()
            self._elect()

    def hear(self, member_id: str) -> None:
        """The node answers the managers again."""
        if member := self._members.get(member_id):
            member.lost_at = None
            self._elect()

    def role_of(self, member_id: str) -> str:
        member = self._members.get(member_id)
        return member.role if member else WORKER

    def state_of(self, member: Member) -> str:
        """`ready` or `down`, as the managers see it."""
        lost = member.lost_at is not None and self._clock() - member.lost_at >= self._down_after_s
        return "down" if member.left or lost else "ready"

    def nodes(self, roles: Collection[str] = (WORKER, MANAGER)) -> list[dict[str, object]]:
        """The nodes of these roles as `GET /nodes` lists them."""
        self.require_leader()
        return [self._described(member) for member in self._members.values() if member.role in roles]

    def node(self, member_id: str) -> dict[str, object]:
        return self._described(self._member(member_id))

    def update(self, member_id: str, version: int, spec: Mapping[str, object]) -> None:
        """Replace the node's specification if `version` is still its own. Raises Refusal."""
        member = self._member(member_id)
        if version != member.version:
            raise Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "rpc error: code = Unknown desc = update out of sequence")
        role, labels = spec.get("Role"), spec.get("Labels") or {}
        if role not in {MANAGER, WORKER} or not isinstance(labels, dict):
            raise _failed_precondition("the node's specification is invalid")
        if (member.role, role) == (MANAGER, WORKER):
            self._demote(member)
        member.role, member.labels, member.version = str(role), dict(labels), member.version + 1
        member.availability = str(spec.get("Availability", member.availability))

    def remove(self, member_id: str, *, force: bool) -> None:
        """Take the node off the list. Raises Refusal for a manager, and for a ready node without force."""
        member = self._member(member_id)
        if member.votes:
            raise _failed_precondition(
                f"node {member_id} is a cluster manager and is a member of the raft cluster. "
                "It must be demoted to worker before removal"
            )
        if self.state_of(member) == "ready" and not force:
            raise _failed_precondition(f"node {member_id} is not down and can't be removed")
        del self._members[member_id]

    def require_leader(self) -> None:
        """Raise Refusal while there is no leader: too few managers are heard, or one is being elected."""
        if not self._has_quorum() or self._clock() < self._elected_at:
            raise no_leader()

    def _add(self, member: Member) -> Member:
        self._members[member.id] = member
        self._elect()
        return member

    def _voters(self) -> list[Member]:
        return [member for member in self._members.values() if member.votes]

    def _has_quorum(self) -> bool:
        voters = self._voters()
        return 2 * sum(member.is_heard for member in voters) > len(voters)

    def _elect(self) -> None:
        """Let another manager lead where the leader is lost, some time from now; the first one leads at once."""
        leader = self._members.get(self._leader)
        if (leader is not None and leader.votes and leader.is_heard) or not self._has_quorum():
            return
        self._elected_at = self._clock() + (self._election_s if leader is not None else 0.0)
        self._leader = next(member.id for member in self._voters() if member.is_heard)

    def _demote(self, member: Member) -> None:
        """Take the manager's vote away. Raises Refusal for the last one, and where the others are no quorum."""
        others = [each for each in self._voters() if each is not member]
        if not others:
            raise _failed_precondition("attempting to demote the last manager of the swarm")
        if 2 * sum(each.is_heard for each in others) <= len(others):
            raise _failed_precondition("can't remove member from the raft: this would result in a loss of quorum")
        member.votes = False
        if member.id == self._leader:
            self._leader = ""
            self._elect()

    def _member(self, member_id: str) -> Member:
        self.require_leader()
        member = self._members.get(member_id)
        if member is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"node {member_id} not found")
        return member

    def _described(self, member: Member) -> dict[str, object]:
        spec = {"Labels": dict(member.labels), "Role": member.role, "Availability": member.availability}
        state = self.state_of(member)
        described: dict[str, object] = {
            "ID": member.id,
            "Version": {"Index": member.version},
            "Spec": spec,
            "Description": {"Hostname": member.host_name},
            "Status": {"State": state, "Addr": member.address},
        }
        if member.votes:
            described["ManagerStatus"] = {
                "Leader": member.id == self._leader,
                "Reachability": "reachable" if member.is_heard else "unreachable",
                "Addr": f"{member.address}:2377",
            }
        return described


def swarm_id(length: int = ID_LENGTH) -> str:
    """A random identifier in SwarmKit's alphabet."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def no_leader() -> Refusal:
    """What a manager answers to everything while the Swarm has no leader."""
    return Refusal(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "rpc error: code = Unknown desc = The swarm does not have a leader. "
        "It's possible that too few managers are online. Make sure more than half of the managers are online.",
    )


def _failed_precondition(text: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, f"rpc error: code = FailedPrecondition desc = {text}")
