"""One pull of an image on a node at a time, and what becomes of pulls whose end nobody told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from swarmkeeper.adapters.memory.upkeep import MemoryPulls
from swarmkeeper.domain.model import Node, NodeId
from swarmkeeper.errors import Declined, Unavailable
from swarmkeeper.ports import CommandStatus, Pull
from swarmkeeper.services.pulls import CLAIM_S, PULL_LIMIT_S, REST_S, Puller
from tests.fakes import FakeCommands, FixedClock, a_node

IMAGE = "registry.example/web:1"
NODE, OTHER = NodeId("i-0a"), NodeId("i-0b")


class Site:
    """A puller over fakes, with two nodes that can be commanded."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.commands = FakeCommands(NODE, OTHER)
        self.pulls = MemoryPulls()

    @property
    def puller(self) -> Puller:
        return Puller(pulls=self.pulls, commands=self.commands, clock=self.clock)

    def ensure(self, node: Node | None = None, image: str = IMAGE) -> str:
        return self.puller.ensure(node or a_node(NODE), image)


@pytest.fixture
def site() -> Site:
    return Site()


def test_many_that_need_one_image_on_one_node_send_one_command(site: Site) -> None:
    with ThreadPoolExecutor(8) as pool:
        reasons = set(pool.map(lambda _: site.ensure(), range(64)))
    assert len(site.commands.sent) == 1
    assert all("is being pulled on i-0a" in reason for reason in reasons)


def test_another_image_and_another_node_have_pulls_of_their_own(site: Site) -> None:
    site.ensure()
    site.ensure(image="registry.example/db:1")
    site.ensure(a_node(OTHER))
    assert [(each.node_id, each.parameters["image"]) for each in site.commands.sent] == [
        (NODE, IMAGE),
        (NODE, "registry.example/db:1"),
        (OTHER, IMAGE),
    ]


def test_the_reason_names_the_command(site: Site) -> None:
    assert site.ensure() == "its image is being pulled on i-0a (command-1)"


def test_a_node_that_can_not_be_commanded_keeps_no_claim(site: Site) -> None:
    site.commands.deregister(NODE)
    with pytest.raises(Unavailable):
        site.ensure()
    site.commands.register(NODE)
    site.ensure()
    assert len(site.commands.sent) == 1


def test_a_claim_whose_writer_died_is_taken_over(site: Site) -> None:
    site.pulls.save_pull(Pull(NODE, IMAGE, until=site.clock.now() + CLAIM_S), over=None)
    assert site.ensure() == "its image is being pulled on i-0a"
    assert site.commands.sent == []
    site.clock.advance(CLAIM_S)
    site.ensure()
    assert len(site.commands.sent) == 1


def test_a_command_that_never_ends_is_asked_for_again_after_its_limit(site: Site) -> None:
    site.ensure()
    site.clock.advance(PULL_LIMIT_S)
    site.ensure()
    assert len(site.commands.sent) == 2


def test_the_end_of_a_command_tells_which_image_it_pulled(site: Site) -> None:
    site.ensure()
    assert site.puller.ended(NODE, "command-1", succeeded=True) == IMAGE
    assert site.puller.ended(NODE, "command-9", succeeded=True) is None


def test_a_pull_that_failed_rests_with_the_nodes_own_words(site: Site) -> None:
    site.ensure()
    site.commands.finish("command-1", error="Error\nmanifest unknown\n", status=CommandStatus.FAILED)
    assert site.puller.ended(NODE, "command-1", succeeded=False) == IMAGE
    with pytest.raises(Declined, match=r"can't be pulled on i-0a \(command-1\): manifest unknown"):
        site.ensure()
    site.clock.advance(REST_S)
    site.ensure()
    assert len(site.commands.sent) == 2


def test_a_failure_that_nobody_told_of_is_found_out(site: Site) -> None:
    site.ensure()
    site.commands.finish("command-1", error="no space left", status=CommandStatus.FAILED)
    with pytest.raises(Declined, match="no space left"):
        site.ensure()


def test_an_engine_that_lacks_the_image_right_after_its_pull_is_not_asked_again_and_again(site: Site) -> None:
    site.ensure()
    site.commands.finish("command-1")
    site.puller.ended(NODE, "command-1", succeeded=True)
    with pytest.raises(Declined, match="yet the engine says that it lacks it"):
        site.ensure()


def test_a_success_that_nobody_told_of_is_pulled_again(site: Site) -> None:
    site.ensure()
    site.commands.finish("command-1")
    site.ensure()
    assert len(site.commands.sent) == 2
