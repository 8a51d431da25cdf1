"""The VPC's name server on a socket of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.machines.resolver import Resolver, answer_to

NAME = "internal-demo-locator-1.eu-central-1.elb.amazonaws.com"
ADDRESS, MAIL, ADDRESS_6 = 1, 15, 28
NO_SUCH_NAME = 3


def query(name: str, kind: int = ADDRESS, *, number: bytes = b"\x12\x34") -> bytes:
    """A question with recursion desired, as resolvers of C libraries and Nginx send it."""
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    return number + b"\x01\x00" + b"\0\1" + b"\0\0" * 3 + labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1"


@dataclass(frozen=True, slots=True)
class Served:
    """A name server, and where it is asked."""

    server: Resolver
    address: tuple[str, int]

    def add(self, name: str) -> None:
        self.server.add(name, "10.42.0.2")

    def ask(self, question: bytes) -> bytes:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(10)
            asker.sendto(question, self.address)
            return asker.recv(4096)


@pytest.fixture
def resolver() -> Iterator[Served]:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    made = Served(Resolver(bound), bound.getsockname())
    yield made
    made.server.close()


def code(answer: bytes) -> int:
    return answer[3] & 0x0F


def test_a_name_that_was_added_leads_to_its_address(resolver: Served) -> None:
    question = query(NAME)
    assert code(resolver.ask(question)) == NO_SUCH_NAME
    resolver.add(NAME)
    answer = resolver.ask(question)
    assert answer[:2] == question[:2]
    assert (code(answer), answer[4:8]) == (0, b"\0\1\0\1")
    assert answer.startswith(question[12:], 12)
    record = answer[len(question) :]
    assert record[:6] == b"\xc0\x0c\0\1\0\1"
    assert int.from_bytes(record[6:10], "big") == 60
    assert record[10:] == b"\0\4" + bytes([10, 42, 0, 2])


def test_case_does_not_matter_in_a_name(resolver: Served) -> None:
    resolver.add(NAME.upper())
    assert resolver.ask(query(NAME.title())).endswith(bytes([10, 42, 0, 2]))


@pytest.mark.parametrize("kind", [ADDRESS_6, MAIL])
def test_what_a_known_name_has_not_is_no_answer_but_no_denial_of_the_name(resolver: Served, kind: int) -> None:
    resolver.add(NAME)
    answer = resolver.ask(query(NAME, kind))
    assert (code(answer), answer[4:8]) == (0, b"\0\1\0\0")
    assert len(answer) == len(query(NAME, kind))


@pytest.mark.parametrize("name", ["example.com", f"www.{NAME}", NAME.partition(".")[2], "web-1"])
def test_all_other_names_are_unknown(resolver: Served, name: str) -> None:
    resolver.add(NAME)
    assert code(resolver.ask(query(name))) == NO_SUCH_NAME


@pytest.mark.parametrize(
    "packet",
    [b"", b"\0" * 12, query(NAME)[:-1], query(NAME)[:20], b"\x12\x34\x81\x80" + query(NAME)[4:], b"\xff" * 600],
)
def test_what_is_no_question_is_not_answered(packet: bytes) -> None:
    assert answer_to(packet, {NAME: "10.42.0.2"}) is None
