"""What every scaling decision keeps, whatever the fleet: bounds, guards, enough and no more, no taking turns (I6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from swarmkeeper.domain.membership import JOINING_STATES, NodeState
from swarmkeeper.domain.model import Node, NodeId, Pool, PoolName, Resources, Role
from swarmkeeper.domain.placement.scheduler import decide
from swarmkeeper.domain.scaling.arrivals import ArrivalHeadroom, ArrivalPeak
from swarmkeeper.domain.scaling.decision import Direction, ScalingDecision, decide_fleet
from swarmkeeper.domain.scaling.demand import Headroom, refusal
from swarmkeeper.domain.scaling.floors import Ceiling, Floor
from swarmkeeper.domain.scaling.guards import GroupSize, Guard, Limits, caps_on_growth, caps_on_removal, grown, shrunk
from swarmkeeper.domain.scaling.memory import after_decision
from swarmkeeper.domain.scaling.packing import in_packing_order
from swarmkeeper.domain.scaling.policy import Consolidation, Policy
from swarmkeeper.domain.scaling.snapshot import FleetSnapshot, PoolSnapshot
from swarmkeeper.domain.scaling.state import Changes, ScalingState, within_window
from swarmkeeper.domain.scaling.victims import is_overdue
from tests.fakes.builders import facts, options
from tests.properties.strategies import LABELS, PLACING, SLOTS, fleets, pools, requests

NOW = 10_000.0
TIMES = st.sampled_from([0.0, NOW - 1000, NOW - 50, NOW - 10, NOW])
HEADROOMS = st.builds(Headroom, st.builds(Resources, st.integers(0, 20), st.integers(0, 20)), st.integers(0, 3))
CHANGES = st.lists(st.tuples(TIMES, st.integers(1, 3)), max_size=3).map(lambda each: tuple(sorted(each)))
WORKERS, OTHER = PoolName("workers"), PoolName("other")

LIMITS = st.builds(
    Limits,
    out_cooldown_s=st.sampled_from([0.0, 30.0]),
    in_cooldown_s=st.sampled_from([0.0, 60.0]),
    additions_in_window=st.one_of(st.none(), st.integers(0, 3)),
    additions_window_s=st.sampled_from([30.0, 100.0]),
    removals_in_window=st.one_of(st.none(), st.integers(0, 3)),
    removals_share=st.one_of(st.none(), st.sampled_from([0.1, 0.5])),
    removals_window_s=st.sampled_from([30.0, 100.0]),
    drains_at_once=st.integers(0, 3),
    budget_per_hour=st.one_of(st.none(), st.sampled_from([0.0, 5.0, 20.0])),
    failed_retry_s=st.sampled_from([50.0, 900.0]),
)
POLICIES = st.builds(
    Policy,
    reserved_high=st.sampled_from([0.7, 0.8, 1.0]),
    reserved_low=st.sampled_from([0.3, 0.6]),
    headroom=HEADROOMS,
    limits=LIMITS,
    options=st.builds(options, PLACING),
    consolidation=st.sampled_from([None, Consolidation(1.0), Consolidation(2.0)]),
    max_node_age_s=st.sampled_from([None, None, NOW - 1.5]),
    max_lifetime_s=st.sampled_from([None, None, NOW - 2.5]),
    image_id=st.sampled_from([None, None, "ami-2"]),
    arrival_headroom=st.sampled_from([None, None, ArrivalHeadroom(spare_nodes=0), ArrivalHeadroom()]),
)


@st.composite
def states(draw: st.DrawFn, pool: PoolName) -> ScalingState:
    bought: Changes = draw(CHANGES)
    removed: Changes = draw(CHANGES)
    large, count = Resources(draw(st.integers(0, 8)), 0), draw(st.sampled_from([0.0, 0.0, 0.6, 2.0]))
    peak = ArrivalPeak(Resources(draw(st.integers(0, 9)), 0), Resources(draw(st.integers(0, 4)), 0), NOW, large, count)
    return ScalingState(
        pool,
        last_out_at=draw(TIMES),
        last_in_at=draw(TIMES),
        failed_since=draw(st.one_of(st.none(), st.none(), st.none(), TIMES)),
        unavailable_until=draw(st.sampled_from([None, None, NOW - 1, NOW + 50])),
        bought=bought,
        removed=removed,
        arrivals=peak,
    )


@st.composite
def seen(draw: st.DrawFn, pool: Pool) -> PoolSnapshot:
    smallest, largest = draw(st.integers(0, 3)), draw(st.integers(3, 8))
    desired = draw(st.integers(smallest, largest))
    return PoolSnapshot(
        pool=pool,
        group_min=smallest,
        group_max=largest,
        group_desired=desired,
        state=draw(states(pool.name)),
        suspended=draw(st.sampled_from([frozenset(), frozenset(), frozenset({"Launch"}), frozenset({"Terminate"})])),
        refreshing=draw(st.sampled_from([False, False, True])),
        protected=draw(st.sampled_from([frozenset(), frozenset({NodeId("i-0")})])),
        floors=draw(st.sampled_from([(), (), (Floor(2, "schedule", ""),), (Floor(9, "schedule", ""),)])),
        ceilings=draw(st.sampled_from([(), (Ceiling(1, "tracking", ""),)])),
        dry_run=draw(st.sampled_from([False, False, True])),
        launched=draw(st.sampled_from([None, desired])),
    )


@st.composite
def snapshots(draw: st.DrawFn) -> FleetSnapshot:
    pool = draw(pools())
    nodes, listing = draw(fleets(pool))
    nodes = [replace(node, image_id=draw(st.sampled_from(["", "ami-1", "ami-2"]))) for node in nodes]
    other = Pool(
        name=OTHER,
        role=Role.WORKER,
        group="demo-other",
        min=0,
        max=10,
        node_capacity=Resources(draw(st.integers(1, 16)), draw(st.integers(1, 16))),
        slots=draw(SLOTS),
        labels=draw(LABELS),
        price_per_hour=draw(st.sampled_from([0.0, 1.0, 3.0])),
    )
    priced = replace(pool, price_per_hour=draw(st.sampled_from([0.0, 2.0])))
    return FleetSnapshot(
        nodes=nodes,
        containers_by_node=listing,
        pending=draw(requests(max_size=6)),
        pools=(draw(seen(priced)), draw(seen(other))),
    )


@st.composite
def policies(draw: st.DrawFn) -> Mapping[PoolName, Policy]:
    """Of both pools, which place alike."""
    one, two = draw(POLICIES), draw(POLICIES)
    return {WORKERS: one, OTHER: replace(two, options=one.options)}


def unlimited(snapshot: FleetSnapshot) -> FleetSnapshot:
    """The fleet with nothing that keeps its pools from growing, their groups as large as what is known of them."""
    counted = {NodeState.READY, NodeState.DRAINING, NodeState.LOST, *JOINING_STATES}
    pools = []
    for each in snapshot.pools:
        known = sum(1 for node in snapshot.nodes if node.pool == each.name and node.state in counted)
        pools.append(
            replace(
                each,
                group_max=99,
                group_desired=max(known, each.group_desired),
                state=replace(each.state, last_out_at=0.0, failed_since=None, unavailable_until=None, bought=()),
                suspended=frozenset(),
                dry_run=False,
            )
        )
    return replace(snapshot, pools=tuple(pools))


def lenient(policies: Mapping[PoolName, Policy]) -> Mapping[PoolName, Policy]:
    """The policies without limits on growth."""
    return {
        name: replace(policy, limits=replace(policy.limits, additions_in_window=None, budget_per_hour=None))
        for name, policy in policies.items()
    }


def grown_by(snapshot: FleetSnapshot, decisions: tuple[ScalingDecision, ...]) -> FleetSnapshot:
    """The fleet with what was decided on its way."""
    taken = {node_id for decision in decisions for node_id in decision.reclaimed}
    nodes = [replace(node, state=NodeState.READY) if node.id in taken else node for node in snapshot.nodes]
    pools = tuple(
        each if decision.victims else replace(each, group_desired=decision.desired)
        for each, decision in zip(snapshot.pools, decisions, strict=True)
    )
    return replace(snapshot, nodes=nodes, pools=pools)


@given(snapshots(), policies())
def test_a_granted_growth_is_all_that_is_needed(snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]) -> None:
    """The nodes on their way satisfy the next decision: nothing is bought twice for one demand."""
    fresh, free = unlimited(snapshot), lenient(rules)
    first = decide_fleet(fresh, free, NOW)
    if any(decision.capped_by is not None or decision.victims for decision in first):
        return
    again = decide_fleet(grown_by(fresh, first), free, NOW + 1)
    for before, after in zip(first, again, strict=True):
        bought_for = after.inputs["bought_for"]
        is_replacing = isinstance(bought_for, dict) and list(bought_for) == ["replacement"]  # one that was taken back
        assert is_replacing or after.wish <= before.desired, (before, after)


@given(snapshots(), policies())
def test_what_is_bought_holds_all_that_any_pool_could_hold(
    snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]
) -> None:
    """I3 and 8: what still has no room afterwards is told as unplaceable, in every pool."""
    fresh, free = unlimited(snapshot), lenient(rules)
    decisions = decide_fleet(fresh, free, NOW)
    if any(decision.capped_by is not None for decision in decisions):
        return
    told = [{name for name, _ in decision.unplaceable} for decision in decisions]
    assert told[0] == told[1]
    for request in snapshot.pending:
        if request.name in told[0]:
            assert all(refusal(request, each.pool, rules[WORKERS].options) for each in snapshot.pools)


@given(snapshots(), policies())
def test_a_decision_stays_within_bounds_and_names_what_capped_it(
    snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]
) -> None:
    for each, decision in zip(snapshot.pools, decide_fleet(snapshot, rules, NOW), strict=True):
        assert decision.pool == each.name
        assert each.group_min <= decision.desired <= each.group_max
        assert decision.victims == () or decision.direction is Direction.IN
        assert decision.recheck_at is None or decision.recheck_at > NOW
        assert decision.capped_by is (decision.guards[0] if decision.guards else None)
        assert decision.dry_run is each.dry_run
        if decision.desired != decision.wish:
            assert decision.capped_by is not None
        if decision.direction is Direction.NONE:
            assert (decision.desired, decision.victims, decision.reclaimed) == (each.group_desired, (), ())


def in_state(nodes: Sequence[Node], *states: NodeState) -> int:
    return sum(1 for node in nodes if node.state in states)


@given(snapshots(), policies())
def test_every_guard_holds(snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]) -> None:
    for each, decision in zip(snapshot.pools, decide_fleet(snapshot, rules, NOW), strict=True):
        limits, state = rules[each.name].limits, each.state
        ours = [node for node in snapshot.nodes if node.pool == each.name]
        ready, joining = in_state(ours, NodeState.READY), in_state(ours, *JOINING_STATES)
        draining = sum(1 for node in ours if node.state is NodeState.DRAINING and node.hook is None)
        draining_in_desired = min(draining, max(0, each.group_desired - ready - joining))
        bought = 0 if decision.victims else max(0, decision.desired - max(each.group_desired, each.group_min))
        if bought:
            assert "Launch" not in each.suspended
            assert not state.last_out_at or state.last_out_at + limits.out_cooldown_s <= NOW
            assert state.unavailable_until is None or state.unavailable_until <= NOW
            if state.failed_since is not None:
                may_try = not joining and state.failed_since + limits.failed_retry_s <= NOW
                assert decision.desired <= max(each.group_min, ready + draining_in_desired + joining + may_try)
            if limits.additions_in_window is not None:
                before = within_window(state.bought, limits.additions_window_s, NOW)
                assert before + bought <= limits.additions_in_window
        if decision.victims:
            assert "Terminate" not in each.suspended
            assert not each.refreshing
            assert draining + len(decision.victims) <= limits.drains_at_once
            last = max(state.last_in_at, state.last_out_at)
            assert not last or last + limits.in_cooldown_s <= NOW
            removed = within_window(state.removed, limits.removals_window_s, NOW)
            if limits.removals_share is not None:
                lately = within_window(state.bought, limits.removals_window_s, NOW)
                at_start = max(0, each.group_desired - draining_in_desired + removed - lately)
                assert removed + len(decision.victims) <= max(1, int(at_start * limits.removals_share))
            if limits.removals_in_window is not None:
                assert removed + len(decision.victims) <= limits.removals_in_window


@given(snapshots(), policies())
def test_nothing_is_bought_beyond_the_budget(snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]) -> None:
    live = replace(snapshot, pools=tuple(replace(each, dry_run=False) for each in snapshot.pools))
    decisions = decide_fleet(live, rules, NOW)
    known = [sum(1 for node in live.nodes if node.pool == each.name) for each in live.pools]
    before = [max(each.group_desired, each.group_min, there) for each, there in zip(live.pools, known, strict=True)]
    # A decision may also give up launches that will not come; what is there stays and is paid.
    after = [
        was if decision.victims else max(there, decision.desired)
        for was, there, decision in zip(before, known, decisions, strict=True)
    ]
    prices = [each.pool.price_per_hour for each in live.pools]
    price = sum(nodes * each for nodes, each in zip(after, prices, strict=True))
    for each, was, nodes in zip(live.pools, before, after, strict=True):
        budget = rules[each.name].limits.budget_per_hour
        others = [rules[other.name].limits.budget_per_hour for other in live.pools if other.name != each.name]
        if nodes > was and each.pool.price_per_hour and budget is not None and None not in others:
            assert price <= max(budget, *(other for other in others if other is not None))


@given(snapshots(), policies())
def test_nothing_is_removed_while_a_pending_request_could_use_it(
    snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]
) -> None:
    for each, decision in zip(snapshot.pools, decide_fleet(snapshot, rules, NOW), strict=True):
        empty = [
            replace(node, reserved=Resources(), containers=0) for node in snapshot.nodes if node.id in decision.victims
        ]
        for request in snapshot.pending if empty else ():
            assert decide(request, facts(empty), rules[each.name].options).chosen is None
            assert refusal(request, each.pool, rules[each.name].options) is not None


@given(snapshots(), policies())
def test_victims_are_unprotected_and_hold_nothing_unmovable(
    snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]
) -> None:
    by_id = {node.id: node for node in snapshot.nodes}
    for each, decision in zip(snapshot.pools, decide_fleet(snapshot, rules, NOW), strict=True):
        assert len(set(decision.victims)) == len(decision.victims)
        for node_id in decision.victims:
            assert (by_id[node_id].pool, by_id[node_id].state) == (each.name, NodeState.READY)
            assert node_id not in each.protected
            if not is_overdue(by_id[node_id], rules[each.name], NOW):
                assert all(container.request.movable for container in snapshot.containers_on(node_id))


@given(snapshots(), policies())
def test_a_decision_is_the_same_whoever_asks_and_in_any_order(
    snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]
) -> None:
    turned = replace(snapshot, nodes=snapshot.nodes[::-1], pending=snapshot.pending[::-1], pools=snapshot.pools[::-1])
    assert decide_fleet(snapshot, rules, NOW) == decide_fleet(turned, rules, NOW)[::-1]


@given(snapshots(), policies())
def test_what_was_removed_is_not_bought_back_for_the_same_demand(
    snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]
) -> None:
    """I6, with every guard that would hide it taken away, and what the victims held moved where placement puts it."""
    settled = [node for node in snapshot.nodes if node.state is NodeState.READY]
    pools = tuple(
        replace(
            each,
            group_min=0,
            group_max=99,
            group_desired=sum(1 for node in settled if node.pool == each.name),
            state=ScalingState(each.name, arrivals=each.state.arrivals),
            suspended=frozenset(),
            floors=tuple(floor for floor in each.floors if floor.nodes < 9),
            refreshing=False,
            dry_run=False,
        )
        for each in snapshot.pools
    )
    before = replace(snapshot, nodes=settled, pending=(), pools=pools)
    free = lenient(rules)
    removal = decide_fleet(before, free, NOW)
    going = {node_id for decision in removal for node_id in decision.victims}
    if not going or any(decision.direction is Direction.OUT for decision in removal):
        return
    left = [node for node in settled if node.id not in going]
    moved = [each.request for node_id in sorted(going) for each in snapshot.containers_on(node_id)]
    for request in in_packing_order(moved, Resources(16, 16)):
        target = decide(request, facts(left), free[WORKERS].options).chosen
        if target is None and all(refusal(request, each.pool, free[WORKERS].options) for each in pools):
            continue  # what no new node could hold keeps none from its end
        assert target is not None
        left[left.index(target)] = target.holding(request.reservation)
    after = replace(
        before,
        nodes=left,
        pools=tuple(
            replace(each, group_desired=decision.desired) for each, decision in zip(pools, removal, strict=True)
        ),
    )
    for decision in decide_fleet(after, free, NOW + 1):
        assert decision.inputs["bought_for"] in ({}, {"replacement": 1}, {"replacement": 2}, {"replacement": 3})


@given(st.integers(-5, 20), st.integers(0, 4), st.integers(4, 9), st.integers(0, 12), LIMITS, st.data())
def test_guards_keep_the_size_within_bounds_and_between_wish_and_present(
    wish: int, smallest: int, largest: int, desired: int, limits: Limits, data: st.DataObject
) -> None:
    state = data.draw(states(WORKERS))
    group = GroupSize(smallest, largest, desired)
    if wish >= group.held:
        held = grown(wish, caps_on_growth(group, state, limits, NOW))
        assert group.held <= held.desired <= min(wish, largest) or held.desired == wish == group.held
    else:
        held = shrunk(wish, caps_on_removal(group, state, limits, NOW))
        assert max(wish, smallest) <= held.desired <= group.held
    assert (held.desired == wish) is (held.capped_by is None)
    assert held.recheck_at is None or held.recheck_at > NOW
    assert held.capped_by is not Guard.MIN or held.recheck_at is None


@given(snapshots(), policies())
def test_what_is_remembered_is_what_was_decided(snapshot: FleetSnapshot, rules: Mapping[PoolName, Policy]) -> None:
    for each, decision in zip(snapshot.pools, decide_fleet(snapshot, rules, NOW), strict=True):
        state = after_decision(each, decision, rules[each.name].limits, NOW)
        if decision.dry_run:
            assert (state.last_out_at, state.last_in_at) == (each.state.last_out_at, each.state.last_in_at)
            assert (state.bought, state.removed) == (each.state.bought, each.state.removed)
            continue
        assert (state.last_out_at == NOW) is (decision.direction is Direction.OUT or each.state.last_out_at == NOW)
        removed = within_window(state.removed, 1.0, NOW) - within_window(each.state.removed, 1.0, NOW)
        assert removed == len(decision.victims)
