"""All managers are lost: the next manager in the slot that is named goes on with what is kept there, and no other."""

from __future__ import annotations

import json

import pytest

from swarmkeeper.domain.membership import NodeState
from swarmkeeper.domain.model import NodeId, PoolName, Role
from swarmkeeper.errors import Conflict, InvalidInput, NoManager, Unavailable, UnsafeAction
from swarmkeeper.ports import Command
from swarmkeeper.services.slots import FIRST_MANAGER, ordered, ordered_pool
from tests.fakes import a_node
from tests.fakes.certificates import SIGNING_REQUEST
from tests.unit.services.world import MANAGER, World, a_plan

A, B = PoolName("manager-a"), PoolName("manager-b")
WORKER = NodeId("i-0000000000000000a")
NEW_A, NEW_B, LATER_A = (NodeId(f"i-00000000000000{letter * 3}") for letter in "bcd")


class SlotWorld(World):
    """Two pools with a slot each; the only manager that there was is lost, and a worker is left."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.pools_with_slots = frozenset({A, B})
        for pool in (A, B):
            self.plans[pool] = a_plan(pool, Role.MANAGER)
            self.fleet.add_group(f"demo-{pool}", max=4, desired=1)

    def in_slots(self) -> SlotWorld:
        self.fleet.in_service("demo-manager-a", MANAGER)
        self.store.add_node(a_node(MANAGER, pool=A, role=Role.MANAGER, address="10.42.0.5"))
        self.swarm.join(MANAGER, role=Role.MANAGER)
        self.store.set_fact_once(FIRST_MANAGER, MANAGER)
        self.with_worker(WORKER)
        return self

    def lose(self, node_id: NodeId) -> None:
        self.fleet.vanish(node_id)
        self.engines.on(node_id).reachable = False
        self.registrar.advance(node_id)
        assert self.node(node_id).state is NodeState.GONE

    def certify(self, node_id: NodeId, pool: PoolName) -> None:
        """As far as the join command, which isn't sent yet."""
        waiting = self.launch(node_id, f"demo-{pool}")
        self.commands.register(node_id)
        self.registrar.launching(waiting)
        self.end_command(Command.CSR, output=SIGNING_REQUEST)

    def modes(self) -> list[str]:
        return [each.parameters["mode"] for each in self.commands.sent if each.command is Command.JOIN]

    def enter(self, node_id: NodeId) -> None:
        """The join command ends, and the Swarm shows the manager."""
        listed = self.swarm.join(node_id, role=Role.MANAGER)
        self.end_command(Command.JOIN, output=json.dumps({"node_id": listed.id, "state": "active"}))
        self.registrar.advance(node_id)


@pytest.fixture
def world() -> SlotWorld:
    return SlotWorld().in_slots()


def test_without_an_order_the_newcomer_in_a_slot_begins_nothing(world: SlotWorld) -> None:
    world.lose(MANAGER)
    world.certify(NEW_A, A)
    with pytest.raises(NoManager, match="all managers are lost"):
        world.registrar.advance(NEW_A)
    assert world.modes() == []


def test_the_newcomer_in_the_slot_that_is_named_recovers_and_the_order_holds_no_more(world: SlotWorld) -> None:
    world.lose(MANAGER)
    world.certify(NEW_A, A)
    assert world.slots.order(A) == NEW_A
    world.registrar.advance(NEW_A)
    assert world.modes() == ["recover"]
    world.enter(NEW_A)
    assert world.node(NEW_A).state is NodeState.READY
    assert world.store.fact(FIRST_MANAGER) == NEW_A
    world.lose(NEW_A)
    world.certify(LATER_A, A)
    with pytest.raises(NoManager, match="all managers are lost"):
        world.registrar.advance(LATER_A)


def test_who_launches_into_another_slot_waits_and_then_joins(world: SlotWorld) -> None:
    world.lose(MANAGER)
    assert world.slots.order(A) == ""
    world.certify(NEW_B, B)
    with pytest.raises(NoManager, match="is to be recovered in pool manager-a"):
        world.registrar.advance(NEW_B)
    world.certify(NEW_A, A)
    world.registrar.advance(NEW_A)
    world.enter(NEW_A)
    world.registrar.advance(NEW_B)
    assert world.modes() == ["recover", "join"]


def test_nobody_begins_anew_once_recovery_is_ordered_though_no_node_is_left(world: SlotWorld) -> None:
    world.lose(MANAGER)
    world.lose(WORKER)
    world.slots.order(A)
    world.certify(NEW_B, B)
    with pytest.raises(NoManager, match="is to be recovered"):
        world.registrar.advance(NEW_B)


def test_a_recovery_that_failed_is_tried_again_by_the_next_instance_in_the_slot(world: SlotWorld) -> None:
    world.lose(MANAGER)
    world.certify(NEW_A, A)
    world.slots.order(A)
    world.registrar.advance(NEW_A)
    world.fleet.vanish(NEW_A)
    world.clock.advance(601)
    world.registrar.advance(NEW_A)
    assert world.node(NEW_A).state is NodeState.GONE
    world.certify(LATER_A, A)
    world.registrar.advance(LATER_A)
    assert world.modes() == ["recover", "recover"]


def test_recovery_is_refused_while_a_manager_may_live(world: SlotWorld) -> None:
    with pytest.raises(UnsafeAction, match=f"{MANAGER} is recorded as ready; end its instance first"):
        world.slots.order(B)
    assert world.store.fact(FIRST_MANAGER) == MANAGER


def test_recovery_is_refused_while_a_manager_is_only_stopped_or_shutting_down(world: SlotWorld) -> None:
    world.fleet.shut_down(MANAGER)
    with pytest.raises(UnsafeAction, match="wait until EC2 says that it is terminated"):
        world.slots.order(A)
    world.fleet.vanish(MANAGER)
    assert world.slots.order(A) == ""


def test_managers_that_ended_all_at_once_are_buried_by_the_order_though_no_other_could_take_them_off(
    world: SlotWorld,
) -> None:
    second = NodeId("i-00000000000000eee")
    world.fleet.in_service("demo-manager-b", second)
    world.swarm.join(second, role=Role.MANAGER)
    world.store.add_node(a_node(second, pool=B, role=Role.MANAGER, address="10.42.0.6"))
    for node_id in (MANAGER, second):
        world.fleet.vanish(node_id)
        world.engines.on(node_id).reachable = False
        world.swarm.unreachable.add(node_id)
        world.swarm.go_down(node_id)
    with pytest.raises(Unavailable):
        world.registrar.advance(MANAGER)
    world.slots.order(B)
    assert {world.node(node_id).state for node_id in (MANAGER, second)} == {NodeState.GONE}
    world.certify(NEW_B, B)
    world.registrar.advance(NEW_B)
    assert world.modes() == ["recover"]


def test_recovery_is_refused_while_the_first_manager_may_be_beginning_its_swarm() -> None:
    world = SlotWorld()
    world.certify(NEW_A, A)
    world.registrar.advance(NEW_A)
    assert world.modes() == ["init"]
    with pytest.raises(UnsafeAction, match=f"{NEW_A} may be beginning a Swarm"):
        world.slots.order(B)


def test_there_is_nothing_to_recover_before_the_first_swarm() -> None:
    with pytest.raises(UnsafeAction, match="there has been no Swarm yet"):
        SlotWorld().slots.order(A)


def test_only_a_pool_with_a_slot_is_named(world: SlotWorld) -> None:
    world.lose(MANAGER)
    with pytest.raises(InvalidInput, match="workers keeps no state: manager-a, manager-b does"):
        world.slots.order(PoolName("workers"))


def test_another_slot_is_named_only_while_nobody_is_in_the_first(world: SlotWorld) -> None:
    world.lose(MANAGER)
    world.slots.order(A)
    world.certify(NEW_A, A)
    with pytest.raises(UnsafeAction, match=f"{NEW_A} is in manager-a, and is certifying"):
        world.slots.order(B)
    assert world.slots.order(A) == NEW_A
    world.lose(NEW_A)
    world.slots.order(B)
    assert ordered_pool(world.store.fact(FIRST_MANAGER)) == B


def test_of_an_order_and_an_election_one_is_had(world: SlotWorld) -> None:
    world.lose(MANAGER)
    world.store.replace_fact(FIRST_MANAGER, expected=MANAGER, value=ordered(A))
    with pytest.raises(Conflict):
        world.store.replace_fact(FIRST_MANAGER, expected=MANAGER, value=NEW_B)
