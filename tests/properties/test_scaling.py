from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import Container, Node, NodeId, Pool, Request, Resources
from swarmkeeper.domain.occupants import occupant_of
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.domain.scaling.decision import Direction, decide_pool
from swarmkeeper.domain.scaling.demand import Headroom, as_usable, new_node, refusal, size
from swarmkeeper.domain.scaling.guards import GroupSize, Limits, clamp
from swarmkeeper.domain.scaling.packing import in_packing_order
from swarmkeeper.domain.scaling.policy import Policy
from swarmkeeper.domain.scaling.snapshot import Snapshot
from swarmkeeper.domain.scaling.state import ScalingState
from swarmkeeper.domain.scaling.victims import victims
from tests.fakes.builders import facts, options
from tests.properties.strategies import PLACING, fleets, pools, requests

NOW = 10_000.0
TIMES = st.sampled_from([0.0, NOW - 1000, NOW - 50, NOW - 10, NOW])
HEADROOMS = st.builds(Headroom, st.builds(Resources, st.integers(0, 20), st.integers(0, 20)), st.integers(0, 3))

Fleet = tuple[Pool, list[Node], dict[NodeId, tuple[Container, ...]]]


@st.composite
def pool_and_fleet(draw: st.DrawFn) -> Fleet:
    pool = draw(pools())
    return (pool, *draw(fleets(pool)))


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    pool, nodes, listing = draw(pool_and_fleet())
    smallest, largest = draw(st.integers(0, 3)), draw(st.integers(3, 8))
    return Snapshot(
        pool=pool,
        group_min=smallest,
        group_max=largest,
        group_desired=draw(st.integers(smallest, largest)),
        nodes=nodes,
        pending=draw(requests(max_size=5)),
        state=draw(states(pool)),
        suspended=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"Launch"}), frozenset({"Terminate"})])),
        containers_by_node=listing,
    )


@st.composite
def states(draw: st.DrawFn, pool: Pool) -> ScalingState:
    return ScalingState(
        pool.name,
        last_out_at=draw(TIMES),
        last_in_at=draw(TIMES),
        failed_since=draw(st.one_of(st.none(), st.none(), TIMES)),
    )


LIMITS = st.builds(
    Limits,
    out_cooldown_s=st.sampled_from([0.0, 30.0]),
    in_cooldown_s=st.sampled_from([0.0, 60.0]),
    max_removals=st.integers(1, 3),
    max_additions=st.one_of(st.none(), st.integers(1, 3)),
)
POLICIES = st.builds(
    Policy,
    reserved_high=st.sampled_from([0.7, 0.8, 1.0]),
    reserved_low=st.sampled_from([0.3, 0.6]),
    headroom=HEADROOMS,
    limits=LIMITS,
    options=st.builds(options, PLACING),
)


@given(pool_and_fleet(), requests(), HEADROOMS, PLACING)
def test_the_wanted_nodes_are_enough_for_what_is_placeable(
    fleet: Fleet, pending: list[Request], headroom: Headroom, strategy: str
) -> None:
    pool, present, _ = fleet
    placing = options(strategy)
    demand = size(pending, facts(present), pool, headroom, options=placing)
    nodes = [usable for node in facts(present) if (usable := as_usable(node, pool)) is not None]
    nodes += facts(new_node(pool, number) for number in range(demand.extra_nodes))
    told = {name for name, _ in demand.unplaceable}
    ordered = sorted(
        in_packing_order(pending, pool.node_capacity), key=lambda each: refusal(each, pool, placing) is None
    )
    for request in [*ordered, *headroom.requests(pool)]:
        candidates = decide(request, nodes, placing).candidates
        assert (not candidates) is (request.name in told)
        if candidates:
            chosen = candidates[0].facts
            nodes[nodes.index(chosen)] = chosen.holding(occupant_of(request))


@given(pool_and_fleet(), requests(), HEADROOMS, PLACING)
def test_never_more_nodes_than_requests_are_wanted(
    fleet: Fleet, pending: list[Request], headroom: Headroom, strategy: str
) -> None:
    pool, nodes, _ = fleet
    placing = options(strategy)
    wanted = [each for each in pending if refusal(each, pool, placing) is None]
    demand = size(pending, facts(nodes), pool, headroom, options=placing)
    assert demand.extra_nodes <= len(wanted) + len(headroom.requests(pool))
    assert demand == size(pending[::-1], facts(nodes), pool, headroom, options=placing)


@given(st.integers(-5, 20), st.integers(0, 4), st.integers(4, 9), st.integers(0, 12), LIMITS, st.data())
def test_guards_keep_the_size_within_bounds_and_between_wish_and_present(
    wish: int, smallest: int, largest: int, desired: int, limits: Limits, data: st.DataObject
) -> None:
    state = ScalingState("workers", last_out_at=data.draw(TIMES), last_in_at=data.draw(TIMES))  # type: ignore[arg-type]  # a name
    held = clamp(wish, GroupSize(smallest, largest, desired), state, limits, NOW)
    inside = min(max(desired, smallest), largest)
    assert smallest <= held.desired <= largest
    assert min(wish, inside) <= held.desired or held.desired == smallest
    assert held.desired <= max(wish, inside) or held.desired == largest
    assert (held.desired == wish) is (held.capped_by is None)
    assert held.recheck_at is None or held.recheck_at > NOW


@given(pool_and_fleet(), POLICIES)
def test_victims_hold_nothing_unmovable_and_what_they_hold_fits_elsewhere(fleet: Fleet, policy: Policy) -> None:
    pool, nodes, listing = fleet
    chosen = victims(facts(nodes), listing, pool, policy)
    by_id = {node.id: node for node in nodes}
    assert len(set(chosen)) == len(chosen)
    for node_id in chosen:
        assert by_id[node_id].pool == pool.name
        assert by_id[node_id].state is NodeState.READY
        assert all(container.request.movable for container in listing[node_id])
    kept = [node for node in nodes if node.id not in chosen and node.state is NodeState.READY]
    moving = sum((len(listing[node_id]) for node_id in chosen), 0)
    room = sum(99 if node.slots is None else node.slots - node.containers for node in kept)
    assert moving <= room


@given(snapshots(), POLICIES)
def test_a_decision_stays_within_bounds_and_names_what_capped_it(snapshot: Snapshot, policy: Policy) -> None:
    decision = decide_pool(snapshot, policy, NOW)
    assert snapshot.group_min <= decision.desired <= snapshot.group_max
    assert len(decision.victims) <= policy.limits.max_removals
    assert decision.victims == () or decision.direction is Direction.IN
    assert decision.recheck_at is None or decision.recheck_at > NOW
    if decision.desired != decision.wish:
        assert decision.capped_by is not None
    if decision.direction is Direction.NONE:
        assert (decision.desired, decision.victims, decision.reclaimed) == (snapshot.group_desired, (), ())


@given(snapshots(), POLICIES)
def test_nothing_is_removed_while_a_pending_request_could_use_the_pool(snapshot: Snapshot, policy: Policy) -> None:
    decision = decide_pool(snapshot, policy, NOW)
    if decision.victims:
        for request in snapshot.pending:
            empty = [
                replace(node, reserved=Resources(), containers=0)
                for node in snapshot.nodes
                if node.id in decision.victims
            ]
            assert decide(request, facts(empty), policy.options).chosen is None
            assert refusal(request, snapshot.pool, policy.options) is not None


@given(pool_and_fleet(), POLICIES)
def test_what_was_removed_is_not_bought_back_for_the_same_demand(fleet: Fleet, policy: Policy) -> None:
    pool, nodes, listing = fleet
    settled = [node for node in nodes if node.state is NodeState.READY]
    before = Snapshot(
        pool=pool,
        group_min=0,
        group_max=99,
        group_desired=sum(1 for node in settled if node.pool == pool.name),
        nodes=settled,
        pending=(),
        state=ScalingState(pool.name),
        containers_by_node=listing,
    )
    removal = decide_pool(before, policy, NOW)
    if not removal.victims:
        return
    moved = in_packing_order(
        [each.request for node_id in removal.victims for each in listing[node_id]], pool.node_capacity
    )
    left = [node for node in settled if node.id not in removal.victims]
    for request in moved:
        target = decide(request, facts(left), policy.options).chosen
        assert target is not None
        left[left.index(target)] = target.holding(request.reservation)
    after = replace(before, nodes=left, group_desired=removal.desired)
    assert decide_pool(after, policy, NOW + 1).direction is not Direction.OUT


@given(snapshots(), POLICIES)
def test_a_decision_is_the_same_whoever_asks_and_in_any_order(snapshot: Snapshot, policy: Policy) -> None:
    turned = replace(snapshot, nodes=snapshot.nodes[::-1], pending=snapshot.pending[::-1])
    assert decide_pool(snapshot, policy, NOW) == decide_pool(turned, policy, NOW)


@given(snapshots(), POLICIES)
def test_a_granted_growth_is_all_that_is_needed(snapshot: Snapshot, policy: Policy) -> None:
    """The nodes on their way satisfy the next decision: nothing is bought twice for one demand.

    Where the group has ended a node that we don't know to be ending yet, only the cooldown sees to that.
    """
    known = len(snapshot.ready) + len(snapshot.joining) + len(snapshot.draining)
    fresh = replace(
        snapshot,
        state=ScalingState(snapshot.pool.name),
        suspended=frozenset(),
        group_desired=max(known, snapshot.group_desired),
        group_max=max(known, snapshot.group_max),
    )
    first = decide_pool(fresh, policy, NOW)
    if first.direction is not Direction.OUT or first.capped_by is not None:
        return
    nodes = [replace(n, state=NodeState.READY) if n.id in first.reclaimed else n for n in fresh.nodes]
    again = decide_pool(replace(fresh, nodes=nodes, group_desired=first.desired), policy, NOW + 1)
    assert again.wish <= first.desired
