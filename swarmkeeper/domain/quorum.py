"""When a manager may come or go without endangering the quorum: the majority that the Swarm's store needs.

`votes` tells for each manager that has a vote, by host name, whether the others reach it.
"""

from __future__ import annotations

from collections.abc import Mapping

Votes = Mapping[str, bool]


def majority(managers: int) -> int:
    """How many of so many managers must be reachable."""
    return managers // 2 + 1


def why_not_go(host_name: str, votes: Votes) -> str:
    """Why this manager must not lose its vote; "" when the others are a quorum of themselves."""
    others = [reachable for name, reachable in votes.items() if name != host_name]
    if not others:
        return "it is the only manager"
    if sum(others) < majority(len(others)):
        return f"of the {len(others)} managers that would remain {sum(others)} can be reached, which is no quorum"
    return ""


def why_not_come(host_name: str, votes: Votes) -> str:
    """Why this one must not become a manager more; "" when a quorum remains even if it fails at once.

    Beside a single manager a second one always endangers it: there is no other way to more.
    """
    others = [reachable for name, reachable in votes.items() if name != host_name]
    if len(others) > 1 and sum(others) < majority(len(others) + 1):
        return f"{sum(others)} of {len(others)} managers can be reached: one more that fails would cost the quorum"
    return ""


def why_not_lost(host_name: str, votes: Votes) -> str:
    """Why a silent manager must not be given up; "" when the others hold the quorum against its missing vote."""
    others = sum(reachable for name, reachable in votes.items() if name != host_name)
    if others < majority(len(votes)):
        return f"{others} of {len(votes)} managers can be reached, which is no quorum"
    return ""
