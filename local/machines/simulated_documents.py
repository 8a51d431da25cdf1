"""What the SSM documents do on a simulated node, told apart by the end of their names."""

from __future__ import annotations

import base64
import binascii
import json
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock

from botocore.exceptions import BotoCoreError, ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.machines import CommandOutput, NodeCommand
from local.machines.polling import until
from local.machines.simulated_engine import Membership, SimulatedEngine
from local.machines.simulated_images import SimulatedRegistry
from local.machines.simulated_network import Refusal
from local.machines.simulated_swarm import MANAGER, WORKER, SimulatedSwarm

UNKNOWN_COMMAND = 127
SWARM_PORT = 2377
JOIN_WAIT_S = 20.0
"""How long an engine that joins tries to find a leader."""


class ScriptFailed(Exception):
    """The script ends with exit code 1; the text goes to its stderr."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node finds outside itself. `lock` guards all engines and Swarms."""

    lock: RLock
    engine_at: Callable[[str], SimulatedEngine | None]
    read_token: Callable[[str], str]
    new_swarm: Callable[[], SimulatedSwarm]
    registry: SimulatedRegistry
    something_ended: Callable[[str], None]
    """A node's agent heard of a container's end; takes the instance id and does not wait."""


@dataclass(slots=True)
class SimulatedNode:
    """An instance: its engine, and the key that never leaves it."""

    engine: SimulatedEngine
    key: ec.EllipticCurvePrivateKey | None = None


def run_document(node: SimulatedNode, command: NodeCommand, outside: Surroundings) -> CommandOutput:
    """Do what the document's script would do; never raises for what a script would print."""
    script = next((DOCUMENTS[name] for name in DOCUMENTS if command.document.endswith(f"-{name}")), None)
    if script is None:
        return CommandOutput(UNKNOWN_COMMAND, "", f"a simulated node can't run the document {command.document}\n")
    try:
        return CommandOutput(0, script(node, command.parameters, outside), "")
    except Refusal as refusal:
        return CommandOutput(1, "", f"Error response from daemon: {refusal.message}\n")
    except ScriptFailed as failure:
        return CommandOutput(1, "", f"{failure}\n")


def _csr(node: SimulatedNode, parameters: Mapping[str, str], outside: Surroundings) -> str:
    """Make the node's key once, and print a signing request for it."""
    node.key = node.key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node.engine.host_name)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(node.key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()


def _join(node: SimulatedNode, parameters: Mapping[str, str], outside: Surroundings) -> str:
    """Let the engine listen with the certificate given, then make it a member of the Swarm; a member stays as it is."""
    mode, role = _one_of(parameters, "mode", {"init", "join"}), _one_of(parameters, "role", {MANAGER, WORKER})
    engine = node.engine
    if _parameter(parameters, "address") != engine.address:
        raise ScriptFailed(f"listen tcp {parameters['address']}:2376: bind: cannot assign requested address")
    tls = _server_tls(node, _pem(parameters, "certificate"), _pem(parameters, "authority"))
    token = _token(role, outside) if mode == "join" and engine.membership is None else ""
    if token:
        _await_leader(_managers_in(parameters), outside)
    with outside.lock:
        if engine.membership is None:
            engine.tls = tls
            engine.membership = (
                _initialised(engine, outside) if mode == "init" else _joined(engine, parameters, token, outside)
            )
        if role == WORKER:
            engine.on_end = partial(outside.something_ended, engine.host_name)
        return json.dumps({"node_id": engine.membership.node_id, "state": "active"}) + "\n"


def _token(role: str, outside: Surroundings) -> str:
    try:
        return outside.read_token(role)
    except (LookupError, BotoCoreError, ClientError) as error:
        raise ScriptFailed(f"the join token for a {role} can't be read: {error}") from error


def _initialised(engine: SimulatedEngine, outside: Surroundings) -> Membership:
    swarm = outside.new_swarm()
    return Membership(swarm, swarm.found(engine.host_name, engine.address).id)


def _joined(engine: SimulatedEngine, parameters: Mapping[str, str], token: str, outside: Surroundings) -> Membership:
    swarm = _managed_by(_managers_in(parameters), outside)
    return Membership(swarm, swarm.admit(engine.host_name, engine.address, token=token).id)


def _managers_in(parameters: Mapping[str, str]) -> list[str]:
    return _parameter(parameters, "managers").split(",")


def _await_leader(managers: list[str], outside: Surroundings) -> None:
    """An engine goes on trying to join while a leader is being elected; what it is refused at last is told later."""

    def has_leader() -> bool:
        with outside.lock:
            try:
                _managed_by(managers, outside).require_leader()
            except (Refusal, ScriptFailed):
                return False
        return True

    until(has_leader, JOIN_WAIT_S)


def _managed_by(managers: list[str], outside: Surroundings) -> SimulatedSwarm:
    """The Swarm of the first manager that answers and isn't parted from the others."""
    for manager in managers:
        host, _, port = manager.strip().partition(":")
        engine = outside.engine_at(host) if port in {"", str(SWARM_PORT)} else None
        if engine and not engine.gone and engine.membership:
            with suppress(Refusal):
                return engine.managed()
    raise ScriptFailed(
        "Error response from daemon: rpc error: code = Unavailable desc = connection error: "
        f"none of the managers answers: {', '.join(managers)}"
    )


def _leave(node: SimulatedNode, parameters: Mapping[str, str], outside: Surroundings) -> str:
    """Leave the Swarm, as a manager too; nothing to do when not a member."""
    with outside.lock:
        if membership := node.engine.membership:
            membership.swarm.leave(membership.node_id, force=True)
            node.engine.leave()
    return "Node left the swarm.\n"


def _pull(node: SimulatedNode, parameters: Mapping[str, str], outside: Surroundings) -> str:
    """Pull the image from the registry."""
    image = _parameter(parameters, "image")
    if not outside.registry.holds(image):
        raise ScriptFailed(
            f"Error response from daemon: pull access denied for {image}, "
            "repository does not exist or may require 'docker login'"
        )
    with outside.lock:
        node.engine.pull(image, outside.registry.layers(image))
    return f"Status: Downloaded newer image for {image}\n"


def _save(node: SimulatedNode, parameters: Mapping[str, str], outside: Surroundings) -> str:
    """Commit a container that stands still, push it, and print the digest."""
    with outside.lock:
        layers = node.engine.committed(_parameter(parameters, "container"))
        return f"{outside.registry.push(_parameter(parameters, 'image'), layers)}\n"


DOCUMENTS: dict[str, Callable[[SimulatedNode, Mapping[str, str], Surroundings], str]] = {
    "node-csr": _csr,
    "node-join": _join,
    "node-leave": _leave,
    "node-pull": _pull,
    "node-save": _save,
}


def _parameter(parameters: Mapping[str, str], name: str) -> str:
    value = parameters.get(name, "")
    if not value:
        raise ScriptFailed(f"parameter {name} is missing")
    return value


def _one_of(parameters: Mapping[str, str], name: str, allowed: set[str]) -> str:
    value = _parameter(parameters, name)
    if value not in allowed:
        raise ScriptFailed(f"parameter {name} is {value!r}, not one of {', '.join(sorted(allowed))}")
    return value


def _pem(parameters: Mapping[str, str], name: str) -> str:
    try:
        return base64.b64decode(_parameter(parameters, name), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ScriptFailed(f"parameter {name} is not a base64 PEM text") from error


def _server_tls(node: SimulatedNode, certificate: str, authority: str) -> ssl.SSLContext:
    """The engine's TLS settings, as `tlsverify` makes them: only clients that the authority has certified."""
    if node.key is None:
        raise ScriptFailed("there is no key: the signing request has not been made on this node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0  # nobody resumes sessions here
    key = node.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        context.load_verify_locations(cadata=authority)
        with TemporaryDirectory(prefix="swarmkeeper-") as directory:  # OpenSSL takes a chain from files only
            path = Path(directory, "server.pem")
            path.touch(mode=0o600)
            path.write_text(certificate + "\n" + key.decode())
            context.load_cert_chain(path)
    except (ssl.SSLError, ValueError) as error:
        raise ScriptFailed(f"failed to start the engine: the certificate doesn't fit the key: {error}") from error
    return context
