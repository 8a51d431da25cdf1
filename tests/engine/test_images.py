"""The fleet's registry and the base images: built, tried and pushed on one engine, pulled and run by another."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from infra.documents import DOCUMENTS, Script, script_lines
from infra.projects import compose_projects
from infra.registry import GC, UP
from local.aws.server import AwsServer
from local.images import push_images
from local.machines import CommandOutput, NodeCommand
from local.machines.processes import Process
from local.machines.real import NODES_DIR, RealMachines
from local.registry import Registry
from swarmkeeper.adapters.pki.x509 import KeyPair, make_authority, sign_node
from swarmkeeper.cli.images.catalogue import definitions
from swarmkeeper.cli.images.docker import DockerError, docker
from swarmkeeper.cli.main import app
from tests.engine.conftest import FIRST_ENGINE, an_instance

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
HOST, NODE = an_instance(0x91, FIRST_ENGINE), an_instance(0x92, FIRST_ENGINE)
ADDRESS = f"{HOST.private_ip}:5000"
PASSWORD = "of the tests"
PROJECT = "/opt/swarmkeeper/registry"
RUNNABLE = sorted(name for name, each in definitions(ROOT / "images").items() if each.has_stand_in)


@dataclass(frozen=True, slots=True)
class Place:
    """The fleet's registry on HOST, whose engine the commands use; NODE is another engine. Both know AWS only."""

    machines: RealMachines
    server: AwsServer
    endpoint: str
    """Where instances reach AWS's APIs."""
    image: str
    """The registry's own."""

    def swarmkeeper(self, *arguments: str) -> str:
        """What the command printed; fails the test when the command failed."""
        done = CliRunner().invoke(app, ["images", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    def shell(self, instance_id: str, script: str, exit_code: int = 0) -> str:
        """What a script on an instance printed; fails the test unless it ends with that code."""
        done = self.machines.run(instance_id, NodeCommand("command", "shell", script, timeout_s=120.0))
        assert done.exit_code == exit_code, f"{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def pull(self, reference: str, parameters: str = "/test/registry") -> CommandOutput:
        """Have NODE bring an image: it learns from Systems Manager whom to trust and how to log in."""
        text = "\n".join(self._lines(DOCUMENTS["node-pull"], REGISTRY=ADDRESS, REGISTRY_PARAMETERS=parameters))
        return self._run(NODE.id, text.replace("{{ image }}", reference))

    def up(self, storage: str = "disk", before: str = "") -> None:
        """Have HOST start the registry, or make it what is wanted now."""
        project = compose_projects("registry")
        lines = self._lines(
            UP,
            ASSET_BUCKET="assets", ASSET_KEY=project.path.name, ASSET_SHA256=project.sha256,
            SECRET_PREFIX="/test/registry-host", REGISTRY_IMAGE=self.image, REGISTRY_PORT="5000",
            REGISTRY_STORAGE=storage, REGISTRY_BUCKET="images",
        )  # fmt: skip
        done = self._run(HOST.id, "\n".join([before, *lines]))
        assert done.exit_code == 0, done.stderr

    @contextmanager
    def brought_back(self) -> Iterator[None]:
        """Have the registry as the other tests want it afterwards, in whatever order they come."""
        try:
            yield
        finally:
            self.up()

    def collect(self) -> str:
        """Have HOST collect garbage; what it said."""
        done = self._run(HOST.id, "\n".join(self._lines(GC)))
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def _lines(self, script: Script, **constants: str) -> list[str]:
        return script_lines(script, {"AWS_DEFAULT_REGION": self.server.region, **constants})

    def _run(self, instance_id: str, script: str) -> CommandOutput:
        return self.machines.run(instance_id, NodeCommand("command", "document", script, timeout_s=120.0))


@pytest.fixture(scope="module")
def place(
    machines: RealMachines, registry: Registry, registry_port: int, state_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:  # fmt: skip
    """Two engines, and the fleet's registry on the first one, with TLS and log-in."""
    image = push_images(registry.address, "registry")["registry"]
    with pytest.MonkeyPatch.context() as environment, AwsServer("0.0.0.0", registry_port + 1) as server:
        made = Place(machines, server, f"http://{machines.router}:{registry_port + 1}", image)
        for instance in (HOST, NODE):
            machines.start(instance)
            assert made.shell(instance.id, "cloud-init status --wait") == "status: done"
        authority = make_authority("test", datetime.now(UTC))
        _tell(server, authority)
        trust = f"/etc/docker/certs.d/{ADDRESS}"  # the engine that pushes is no node
        made.shell(HOST.id, f"mkdir -p {trust} && cat >{trust}/ca.crt <<'PEM'\n{authority.certificate}PEM")
        made.up()
        environment.setenv("DOCKER_HOST", f"unix://{_socket(state_dir)}")
        environment.setenv("DOCKER_CONFIG", str(tmp_path_factory.mktemp("client")))
        yield made


def _socket(state_dir: Path) -> Path:
    process = Process.from_file(state_dir / NODES_DIR / HOST.id / "pid")
    assert process is not None
    return Path(f"/proc/{process.pid}/root/run/docker.sock")


def _tell(server: AwsServer, authority: KeyPair) -> None:
    """Put the project, and what its host and the nodes may read, where the stack and the owner would."""
    project, s3, parameters = compose_projects("registry"), server.client("s3"), server.client("ssm")
    for bucket in ("assets", "images"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": server.region})
    s3.upload_file(str(project.path), "assets", project.path.name)
    hashed = subprocess.run(["htpasswd", "-niB", "ci"], input=PASSWORD, capture_output=True, text=True, check=True)
    key, certificate = _certificate(authority)
    secrets = {
        "/test/registry-host/htpasswd": hashed.stdout,
        "/test/registry-host/tls.crt": certificate,
        "/test/registry-host/tls.key": key,
        "/test/registry/ca": authority.certificate,
        "/test/registry/pull": f"ci:{PASSWORD}",
        "/wrong/registry/pull": "ci:guessed",
    }
    for name, value in secrets.items():
        parameters.put_parameter(Name=name, Value=value, Type="SecureString")


def _certificate(authority: KeyPair) -> tuple[str, str]:
    """A key and its certificate for HOST's address."""
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    request = asked.public_bytes(Encoding.PEM).decode()
    signed = sign_node(authority, request, node_id=HOST.id, address=HOST.private_ip, now=datetime.now(UTC))
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(), signed


@pytest.fixture(scope="module")
def pushed(place: Place) -> dict[str, str]:
    """Every image that can be made here, built, tried and pushed from the first engine: name -> reference by digest."""
    subprocess.run(
        ["docker", "login", "--username", "ci", "--password-stdin", ADDRESS],
        input=PASSWORD, text=True, check=True, capture_output=True,
    )  # fmt: skip
    found: dict[str, str] = {}
    for name in RUNNABLE:
        built = json.loads(place.swarmkeeper("build", name, "--stand-in", "--json"))
        tried = json.loads(place.swarmkeeper("test", name, "--json"))
        assert tried["said"].startswith("ok ")
        begun = time.monotonic()
        found |= json.loads(place.swarmkeeper("push", name, "--to", f"{ADDRESS}/base", "--json"))
        took_s = time.monotonic() - begun
        _report(name, megabytes=built["bytes"] / 1e6, build=built["seconds"], test=tried["seconds"], push=took_s)
    return found


def _report(name: str, **figures: float) -> None:
    """Say what docs/performance.md states; pytest -s shows it."""
    print(f"\n{name}:", *(f"{what} {figure:.1f}" for what, figure in figures.items()))


def test_the_images_of_every_language_that_debian_has_are_among_them() -> None:
    assert RUNNABLE == ["node", "php", "plain", "python", "ruby"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_image_is_pulled_by_another_engine_where_its_smoke_test_passes_again(
    place: Place, pushed: dict[str, str], name: str
) -> None:
    begun = time.monotonic()
    pulled = place.pull(pushed[name])
    _report(name, pull=time.monotonic() - begun)
    assert (pulled.exit_code, pulled.stdout.splitlines()[-1]) == (0, pushed[name]), pulled.stderr
    command = f"docker inspect --format '{{{{index .Config.Labels \"swarmkeeper.smoke\"}}}}' {pushed[name]}"
    said = place.shell(NODE.id, f"docker run --rm --network none {pushed[name]} $({command})")
    assert said.startswith("ok ")


def test_nobody_pulls_without_the_password_or_the_authority(place: Place, pushed: dict[str, str]) -> None:
    assert place.pull(pushed["python"]).exit_code == 0
    wrong = place.pull(pushed["python"], "/wrong/registry")
    assert (wrong.exit_code, "refuses the log-in of /wrong/registry/pull" in wrong.stderr) == (1, True), wrong.stderr
    place.shell(NODE.id, f"docker rmi --force {pushed['python']}")
    refused = place.shell(NODE.id, f"docker pull {pushed['python']} 2>&1", exit_code=1)
    assert "no basic auth credentials" in refused  # the document's log-in went with it
    place.shell(NODE.id, f"rm -r /etc/docker/certs.d/{ADDRESS}")
    unknown = place.pull(pushed["python"], "/wrong/registry")
    assert (unknown.exit_code, "certificate signed by unknown authority" in unknown.stderr) == (1, True)


def test_no_password_stands_in_the_registrys_environment_its_command_or_its_log(
    place: Place, pushed: dict[str, str]
) -> None:
    hashed = place.shell(HOST.id, "cut -d: -f2 /etc/swarmkeeper/registry/htpasswd")
    seen = place.shell(HOST.id, f"cd {PROJECT}; docker compose ps -q | xargs docker inspect; docker compose logs 2>&1")
    assert '"Running": true' in seen
    assert not [secret for secret in (PASSWORD, hashed, "PRIVATE KEY") if secret in seen]


def test_while_garbage_is_collected_pulls_go_on_and_pushes_are_refused(place: Place, pushed: dict[str, str]) -> None:
    late = f"{ADDRESS}/base/late:1"
    docker("tag", definitions(ROOT / "images")["plain"].reference, late)
    with place.brought_back():
        place.shell(HOST.id, f"REGISTRY_READONLY=true {PROJECT}/up.sh")  # as gc.sh begins
        place.shell(NODE.id, f"docker rmi --force {pushed['ruby']}")
        assert place.pull(pushed["ruby"]).exit_code == 0
        with pytest.raises(DockerError):
            docker("push", late)


def test_garbage_is_collected_while_images_that_are_named_stay(
    place: Place, pushed: dict[str, str], tmp_path: Path
) -> None:
    assert "0 blobs and 0 manifests eligible" in place.collect()
    moved = f"{ADDRESS}/base/moved:1"
    for content in ("first", "second"):  # the second one takes the tag from the first, whose layer no tag names then
        (tmp_path / "Dockerfile").write_text(f"FROM {definitions(ROOT / 'images')['plain'].reference}\nCOPY layer /\n")
        (tmp_path / "layer").write_bytes(content.encode() + os.urandom(3_000_000))
        docker("build", "--quiet", "--tag", moved, ".", cwd=tmp_path)
        docker("push", moved)
    # What `gc.sh` without an option would do; its restarts are seen above.
    dry = "docker compose exec -T registry registry garbage-collect --dry-run /etc/swarmkeeper/config.yml"
    assert "0 blobs and 0 manifests eligible" in place.shell(HOST.id, f"cd {PROJECT}; {dry}")
    said = place.shell(HOST.id, f"{PROJECT}/gc.sh --untagged")
    assert "1 manifests eligible for deletion" in said
    assert int(said.split("freed on the disk:")[1].split()[0]) > 2_900
    assert [place.pull(reference).exit_code for reference in (moved, pushed["plain"])] == [0, 0]


def test_with_its_images_in_s3_the_registry_opens_the_bucket_by_its_instances_role(
    place: Place, pushed: dict[str, str]
) -> None:
    with place.brought_back():
        # On AWS the bucket's address follows from its region; the emulated one's must be told.
        place.up("s3", f"export REGISTRY_S3_ENDPOINT={place.endpoint}")
        [reference] = json.loads(place.swarmkeeper("push", "plain", "--to", f"{ADDRESS}/stored", "--json")).values()
        layers = place.server.client("s3").list_objects_v2(Bucket="images", Prefix="registry/docker/registry/v2/blobs/")
        assert sum(each["Size"] for each in layers["Contents"]) > 10_000_000
        place.shell(NODE.id, f"docker rmi --force {pushed['plain']}")
        assert place.pull(reference).exit_code == 0
        seen = place.shell(HOST.id, f"cd {PROJECT}; docker compose ps -q | xargs docker inspect; cat storage.env")
        assert "ASIA" not in seen
