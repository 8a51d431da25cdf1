"""The Swarm through whichever of its managers answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from swarmkeeper.domain.losses import IN_SERVICE
from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Node, NodeId, Role
from swarmkeeper.domain.quorum import Votes, majority
from swarmkeeper.errors import Declined, NoLeader, NoManager, Unavailable
from swarmkeeper.ports import StateStore, Swarm, SwarmNode

T = TypeVar("T")


class Managers:
    """Asks one manager after the other; the one that answered last comes first.

    One that drains still rules with the others, until it is demoted.
    """

    def __init__(self, *, store: StateStore, swarm: Swarm) -> None:
        self._store = store
        self._swarm = swarm
        self._answered: NodeId | None = None

    def in_service(self, *, other_than: Node | None = None) -> tuple[Node, ...]:
        """The fleet's managers in the order in which they are asked."""
        found = [
            node
            for node in self._store.nodes()
            if node.role is Role.MANAGER and node.state in IN_SERVICE and (not other_than or node.id != other_than.id)
        ]
        return tuple(sorted(found, key=self._precedence))

    def ask(self, question: Callable[[Node], T], *, other_than: Node | None = None, at_last: Node | None = None) -> T:
        """The answer of the first manager that gives one; `at_last` is asked when there is no other.

        What is asked may be asked of several. Raises NoLeader when one answered that there is none, Declined when one
        answered that it can't, NoManager when there is none or none answers.
        """
        candidates = self.in_service(other_than=other_than) or (() if at_last is None else (at_last,))
        if not candidates:
            raise NoManager("no manager is ready yet")
        problems: list[Unavailable] = []
        for manager in candidates:
            try:
                answer = question(manager)
            except Unavailable as error:
                problems.append(error)
                continue
            self._answered = manager.id
            return answer
        raise _gist(problems)

    def nodes(self, *, other_than: Node | None = None, at_last: Node | None = None) -> tuple[SwarmNode, ...]:
        """All nodes as the managers list them. Raises as `ask` does."""
        return self.ask(self._swarm.nodes, other_than=other_than, at_last=at_last)

    def votes(self, *, other_than: Node | None = None) -> Votes:
        """Who has a vote, and whether the others reach it. Raises as `ask` does."""
        return votes_in(self.ask(self._swarm.managers, other_than=other_than))

    def why_leaderless(self) -> str:
        """Why nothing can be attached to an overlay now; "" when a leader is there."""
        try:
            votes = self.votes()
        except NoLeader:
            return "the Swarm has no leader"
        except NoManager:
            return "no manager of the Swarm answers"
        except Declined as error:
            return f"the Swarm's managers are in trouble: {error}"
        # A leader that has lost the others takes some seconds to notice that it is none.
        return "" if sum(votes.values()) >= majority(len(votes)) else "too few of the Swarm's managers can be reached"

    def _precedence(self, node: Node) -> tuple[bool, bool, bool, NodeId]:
        return (node.id != self._answered, node.suspected_at is not None, node.state is not NodeState.READY, node.id)


def votes_in(listed: Iterable[SwarmNode]) -> Votes:
    """The managers with a vote by host name, and whether they are reached."""
    return {each.host_name: each.reachable for each in listed if each.reachable is not None}


def _gist(problems: Sequence[Unavailable]) -> Unavailable:
    """Of several failures the one that says most: an answer says more than silence."""
    answers = [problem for problem in problems if isinstance(problem, Declined)]
    leaderless = [answer for answer in answers if isinstance(answer, NoLeader)]
    if answers:
        return (leaderless or answers)[0]
    return NoManager(f"no manager answers: {'; '.join(map(str, problems))}")
