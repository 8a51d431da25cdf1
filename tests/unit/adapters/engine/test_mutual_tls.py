"""Who may talk to an engine, and which engines we talk to."""

from __future__ import annotations

import http.client
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from swarmkeeper.adapters.engine import ClientIdentity, DockerEngines, EngineClients
from swarmkeeper.adapters.engine.identity import tls_context
from swarmkeeper.domain.model import Node
from swarmkeeper.errors import Unavailable
from tests.unit.adapters.engine.authority import Authority, pem_of
from tests.unit.adapters.engine.simulated_fleet import FLEET, SimulatedFleet, a_request, encoded

REFUSED = (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)


def ask(fleet: SimulatedFleet, node: Node, tls: ssl.SSLContext) -> int:
    """GET /_ping from the node's engine with these TLS settings, without the SDK; returns the HTTP status."""
    proxy = fleet.machines.extra_env["HTTPS_PROXY"].removeprefix("http://")
    connection = http.client.HTTPSConnection(proxy, context=tls, timeout=5)
    connection.set_tunnel(node.address, 2376)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status
    finally:
        connection.close()


def anonymous(fleet: SimulatedFleet, node: Node) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.load_verify_locations(cadata=fleet.authority.pem)
    return tls


def with_the_nodes_certificate(fleet: SimulatedFleet, node: Node) -> ssl.SSLContext:
    certificate = fleet.certify(node)
    key = fleet.machines._nodes[node.id].key  # what a thief on the node would take
    assert key is not None
    return tls_context(ClientIdentity(fleet.authority.pem, certificate, pem_of(key)))


def with_anothers_certificate(fleet: SimulatedFleet, node: Node) -> ssl.SSLContext:
    return tls_context(Authority().client(trusting=fleet.authority))


def test_a_client_that_the_authority_has_certified_is_answered(fleet: SimulatedFleet, worker: Node) -> None:
    assert ask(fleet, worker, tls_context(fleet.authority.client())) == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("settings", [anonymous, with_the_nodes_certificate, with_anothers_certificate])
def test_any_other_client_is_refused(
    fleet: SimulatedFleet,
    worker: Node,
    settings: Callable[[SimulatedFleet, Node], ssl.SSLContext],
    version: ssl.TLSVersion,
) -> None:
    tls = settings(fleet, worker)
    tls.minimum_version = tls.maximum_version = version
    with pytest.raises(REFUSED):
        ask(fleet, worker, tls)


def test_the_adapter_with_a_foreign_certificate_is_refused(fleet: SimulatedFleet, worker: Node) -> None:
    clients = EngineClients(lambda: Authority().client(trusting=fleet.authority))
    with pytest.raises(Unavailable, match=worker.id):
        DockerEngines(clients, fleet=FLEET).facts(worker)
    clients.close()


def test_an_engine_that_another_authority_certified_is_not_trusted(
    fleet: SimulatedFleet, worker: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even when the environment names a bundle that holds the engine's authority."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(fleet.authority.pem)
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(variable, str(bundle))
    clients = EngineClients(lambda: fleet.authority.client(trusting=Authority()))
    with pytest.raises(Unavailable, match="SSLError"):
        DockerEngines(clients, fleet=FLEET).facts(worker)
    clients.close()


def test_an_engine_that_shows_another_nodes_address_is_not_trusted(fleet: SimulatedFleet, manager: Node) -> None:
    node = fleet.launch(7)
    stray = fleet.authority.sign(fleet.run(node, "node-csr").stdout, "10.42.9.9")
    assert fleet.join(node, certificate=encoded(stray)).exit_code == 0
    with pytest.raises(Unavailable, match="SSLError"):
        fleet.engines.facts(node)


def test_engines_trust_both_authorities_during_a_roll_over(fleet: SimulatedFleet, manager: Node) -> None:
    new = Authority()
    node = fleet.launch(7)
    fleet.join(node, authority=encoded(fleet.authority.pem + new.pem))
    for authority in (fleet.authority, new):
        assert ask(fleet, node, tls_context(authority.client(trusting=fleet.authority))) == 200


def test_the_engine_answers_no_plain_http(fleet: SimulatedFleet, worker: Node) -> None:
    proxy = fleet.machines.extra_env["HTTPS_PROXY"].removeprefix("http://")
    connection = http.client.HTTPConnection(proxy, timeout=5)
    connection.set_tunnel(worker.address, 2376)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        connection.request("GET", "/_ping")
        connection.getresponse()
    connection.close()


def test_the_key_is_neither_shown_nor_left_on_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    identity = Authority().client()
    tls_context(identity)
    assert "PRIVATE KEY" not in repr(identity)
    assert list(tmp_path.iterdir()) == []


def test_an_identity_that_is_no_identity_is_unavailable_without_showing_it(worker: Node) -> None:
    clients = EngineClients(lambda: ClientIdentity("authority", "certificate", "a secret key"))
    with pytest.raises(Unavailable) as refused:
        DockerEngines(clients, fleet=FLEET).create(worker, a_request())
    assert "a secret key" not in str(refused.value)
