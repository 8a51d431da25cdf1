"""The fleet's registry and the base images: built, tried and pushed on one engine, pulled and run by another."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from local.images import push_images
from local.machines.filesystem import SHARED_FOLDER
from local.machines.processes import Process
from local.machines.real import NODES_DIR, RealMachines
from local.registry import Registry
from swarmkeeper.adapters.pki.x509 import make_authority, sign_node
from swarmkeeper.cli.images.catalogue import definitions
from swarmkeeper.cli.main import app
from tests.engine.conftest import FIRST_ENGINE, Shell, an_instance

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
HOST, NODE = an_instance(0x91, FIRST_ENGINE), an_instance(0x92, FIRST_ENGINE)
ADDRESS = f"{HOST.private_ip}:5000"
PASSWORD = "of the tests"
RUNNABLE = sorted(name for name, each in definitions(ROOT / "images").items() if each.has_stand_in)


@dataclass(frozen=True, slots=True)
class Place:
    """The fleet's registry on HOST, whose engine the commands use; NODE is another engine that trusts it."""

    shell: Shell
    project: str

    def swarmkeeper(self, *arguments: str) -> str:
        """What the command printed; fails the test when the command failed."""
        done = CliRunner().invoke(app, ["images", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    def compose(self, script: str) -> str:
        """Run one of the project's scripts where the registry runs."""
        return self.shell(HOST.id, f"cd {self.project} && {script}", timeout_s=120.0)


@pytest.fixture(scope="module")
def place(
    machines: RealMachines, registry: Registry, shell: Shell, state_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """Two engines, and the registry on the first one with TLS and log-in."""
    image = push_images(registry.address, "registry")["registry"]
    for instance in (HOST, NODE):
        machines.start(instance)
        assert shell(instance.id, "cloud-init status --wait") == "status: done"
    project = _lay_out(state_dir, image)
    made = Place(shell, project)
    for instance in (HOST, NODE):
        shell(instance.id, f"install -D {project}/secrets/ca.crt /etc/docker/certs.d/{ADDRESS}/ca.crt")
    made.compose("REGISTRY_SECRETS=$PWD/secrets ./up.sh")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DOCKER_HOST", f"unix://{_socket(state_dir)}")
        environment.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("client")))
        yield made


def _socket(state_dir: Path) -> Path:
    process = Process.from_file(state_dir / NODES_DIR / HOST.id / "pid")
    assert process is not None
    return Path(f"/proc/{process.pid}/root/run/docker.sock")


def _lay_out(state_dir: Path, image: str) -> str:
    """The compose project with its settings and secrets, in the folder that nodes share; where nodes see it."""
    folder = state_dir / "shared" / "registry"
    shutil.copytree(ROOT / "compose" / "registry", folder)
    (folder / ".env").write_text(f"REGISTRY_IMAGE={image}\nREGISTRY_SECRETS=./secrets\n")
    secrets = folder / "secrets"
    secrets.mkdir()
    hashed = subprocess.run(["htpasswd", "-niB", "ci"], input=PASSWORD, capture_output=True, text=True, check=True)
    (secrets / "htpasswd").write_text(hashed.stdout)
    authority = make_authority("test", datetime.now(UTC))
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    request = asked.public_bytes(serialization.Encoding.PEM).decode()
    signed = sign_node(authority, request, node_id=HOST.id, address=HOST.private_ip, now=datetime.now(UTC))
    (secrets / "tls.crt").write_text(signed)
    (secrets / "tls.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (secrets / "ca.crt").write_text(authority.certificate)
    return str(SHARED_FOLDER / "registry")


def _log_in(shell: Shell, instance_id: str, password: str = PASSWORD, exit_code: int = 0) -> str:
    command = f"echo '{password}' | docker login --username ci --password-stdin {ADDRESS} 2>&1"
    return shell(instance_id, command, exit_code=exit_code)


@pytest.fixture(scope="module")
def pushed(place: Place) -> dict[str, str]:
    """Every image that can be made here, built, tried and pushed from the first engine: name -> reference by digest."""
    subprocess.run(
        ["docker", "login", "--username", "ci", "--password-stdin", ADDRESS],
        input=PASSWORD, text=True, check=True, capture_output=True,
    )  # fmt: skip
    for name in RUNNABLE:
        built = json.loads(place.swarmkeeper("build", name, "--stand-in", "--json"))
        tried = json.loads(place.swarmkeeper("test", name, "--json"))
        assert tried["said"].startswith("ok ")
        print(built, tried)  # what docs/performance.md states is read from here
    found: dict[str, str] = json.loads(place.swarmkeeper("push", *RUNNABLE, "--to", f"{ADDRESS}/base", "--json"))
    return found


def test_the_images_of_every_language_that_debian_has_are_among_them() -> None:
    assert RUNNABLE == ["node", "php", "plain", "python", "ruby"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_image_is_pulled_by_another_engine_where_its_smoke_test_passes_again(
    place: Place, pushed: dict[str, str], name: str
) -> None:
    _log_in(place.shell, NODE.id)
    place.shell(NODE.id, f"docker pull --quiet {pushed[name]}", timeout_s=120.0)
    command = f"docker inspect --format '{{{{index .Config.Labels \"swarmkeeper.smoke\"}}}}' {pushed[name]}"
    said = place.shell(NODE.id, f"docker run --rm --network none {pushed[name]} $({command})")
    assert said.startswith("ok ")
