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

from infra.documents import DOCUMENTS, script_lines
from local.aws.server import AwsServer
from local.images import push_images
from local.machines import CommandOutput, NodeCommand
from local.machines.filesystem import SHARED_FOLDER
from local.machines.processes import Process
from local.machines.real import NODES_DIR, RealMachines
from local.registry import Registry
from swarmkeeper.adapters.pki.x509 import make_authority, sign_node
from swarmkeeper.cli.images.catalogue import definitions
from swarmkeeper.cli.images.docker import DockerError, docker
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

    machines: RealMachines
    shell: Shell
    project: str
    server: AwsServer
    endpoint: str
    """Where nodes reach AWS's APIs."""

    @property
    def region(self) -> str:
        """Of the emulated account."""
        return self.server.region

    def swarmkeeper(self, *arguments: str) -> str:
        """What the command printed; fails the test when the command failed."""
        done = CliRunner().invoke(app, ["images", *arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    def pull(self, reference: str, parameters: str = "/test/registry") -> CommandOutput:
        """Run the fleet's own document on NODE: it fetches whom to trust and the log-in from Systems Manager."""
        constants = {"AWS_DEFAULT_REGION": self.region, "REGISTRY": ADDRESS, "REGISTRY_PARAMETERS": parameters}
        script = "\n".join(script_lines(DOCUMENTS["node-pull"], constants)).replace("{{ image }}", reference)
        return self.machines.run(NODE.id, NodeCommand("command", "node-pull", script, timeout_s=120.0))

    def compose(self, script: str) -> str:
        """Run one of the project's scripts where the registry runs."""
        return self.shell(HOST.id, f"cd {self.project} && {script}", timeout_s=120.0)


@pytest.fixture(scope="module")
def place(
    machines: RealMachines, registry: Registry, registry_port: int, shell: Shell, state_dir: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:  # fmt: skip
    """Two engines, and the registry on the first one with TLS and log-in; Systems Manager tells the other one of it."""
    image = push_images(registry.address, "registry")["registry"]
    for instance in (HOST, NODE):
        machines.start(instance)
        assert shell(instance.id, "cloud-init status --wait") == "status: done"
    project = _lay_out(state_dir, image)
    shell(HOST.id, f"install -D {project}/ca.crt /etc/docker/certs.d/{ADDRESS}/ca.crt")
    with pytest.MonkeyPatch.context() as environment, AwsServer("0.0.0.0", registry_port + 1) as server:
        made = Place(machines, shell, project, server, f"http://{machines.router}:{registry_port + 1}")
        made.compose("./up.sh")
        parameters = server.client("ssm")
        authority = (state_dir / "shared" / "registry" / "ca.crt").read_text()
        parameters.put_parameter(Name="/test/registry/ca", Value=authority, Type="String")
        parameters.put_parameter(Name="/test/registry/pull", Value=f"ci:{PASSWORD}", Type="SecureString")
        parameters.put_parameter(Name="/wrong/registry/pull", Value="ci:guessed", Type="SecureString")
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
    (folder / "ca.crt").write_text(authority.certificate)
    return str(SHARED_FOLDER / "registry")


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
        print(built, tried)  # what docs/performance.md states: pytest -s shows it
    found: dict[str, str] = json.loads(place.swarmkeeper("push", *RUNNABLE, "--to", f"{ADDRESS}/base", "--json"))
    return found


@pytest.fixture
def bucket(place: Place) -> str:
    """A bucket of the emulated account."""
    place.server.client("s3").create_bucket(
        Bucket="images", CreateBucketConfiguration={"LocationConstraint": place.region}
    )
    return "images"


def test_the_images_of_every_language_that_debian_has_are_among_them() -> None:
    assert RUNNABLE == ["node", "php", "plain", "python", "ruby"]


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_image_is_pulled_by_another_engine_where_its_smoke_test_passes_again(
    place: Place, pushed: dict[str, str], name: str
) -> None:
    pulled = place.pull(pushed[name])
    assert (pulled.exit_code, pulled.stdout.splitlines()[-1]) == (0, pushed[name]), pulled.stderr
    command = f"docker inspect --format '{{{{index .Config.Labels \"swarmkeeper.smoke\"}}}}' {pushed[name]}"
    said = place.shell(NODE.id, f"docker run --rm --network none {pushed[name]} $({command})")
    assert said.startswith("ok ")


def test_nobody_pulls_without_the_password_or_the_authority(place: Place, pushed: dict[str, str]) -> None:
    assert place.pull(pushed["python"]).exit_code == 0
    wrong = place.pull(pushed["python"], "/wrong/registry")
    assert (wrong.exit_code, "refuses the log-in of /wrong/registry/pull" in wrong.stderr) == (1, True), wrong.stderr
    refused = place.shell(NODE.id, f"docker pull {pushed['python']} 2>&1", exit_code=1)
    assert "no basic auth credentials" in refused  # the document's log-in went with it
    place.shell(NODE.id, f"rm -r /etc/docker/certs.d/{ADDRESS}")
    unknown = place.pull(pushed["python"], "/wrong/registry")
    assert (unknown.exit_code, "certificate signed by unknown authority" in unknown.stderr) == (1, True)


def test_no_password_stands_in_the_registrys_environment_its_command_or_its_log(
    place: Place, pushed: dict[str, str]
) -> None:
    hashed = place.compose("cut -d: -f2 secrets/htpasswd")
    seen = place.compose("docker compose ps -q | xargs docker inspect; docker compose logs 2>&1")
    assert '"Running": true' in seen
    assert not [secret for secret in (PASSWORD, hashed, "PRIVATE KEY") if secret in seen]


def test_garbage_is_collected_while_images_that_are_named_stay(
    place: Place, pushed: dict[str, str], tmp_path: Path
) -> None:
    moved = f"{ADDRESS}/base/moved:1"
    for content in ("first", "second"):  # the second one takes the tag from the first, whose layer nothing names then
        (tmp_path / "Dockerfile").write_text(f"FROM {definitions(ROOT / 'images')['plain'].reference}\nCOPY layer /\n")
        (tmp_path / "layer").write_text(content * 500_000)
        docker("build", "--quiet", "--tag", moved, ".", cwd=tmp_path)
        docker("push", moved)
    used = "du -sk /var/lib/swarmkeeper/registry | cut -f1"
    before = int(place.shell(HOST.id, used))
    assert "0 blobs and 0 manifests eligible" in place.compose("./gc.sh")  # the first one may be named by digest
    said = place.compose("./gc.sh --untagged")
    assert "1 manifests eligible for deletion" in said
    assert int(place.shell(HOST.id, used)) < before
    assert [place.pull(reference).exit_code for reference in (moved, pushed["plain"])] == [0, 0]
    place.swarmkeeper("push", "plain", "--to", f"{ADDRESS}/base", "--tag", "after")  # it takes pushes again


def test_while_garbage_is_collected_pulls_go_on_and_pushes_are_refused(place: Place, pushed: dict[str, str]) -> None:
    place.compose("REGISTRY_READONLY=true ./up.sh")
    place.shell(NODE.id, f"docker rmi --force {pushed['ruby']}")
    assert place.pull(pushed["ruby"]).exit_code == 0
    docker("tag", definitions(ROOT / "images")["plain"].reference, f"{ADDRESS}/base/late:1")
    with pytest.raises(DockerError):
        docker("push", f"{ADDRESS}/base/late:1")
    place.compose("./up.sh")
    docker("push", f"{ADDRESS}/base/late:1")


def test_with_its_images_in_s3_the_registry_opens_the_bucket_by_its_instances_role(
    place: Place, pushed: dict[str, str], bucket: str
) -> None:
    settings = "REGISTRY_STORAGE=s3 REGISTRY_BUCKET=images"
    place.compose(f"{settings} REGISTRY_REGION={place.region} REGISTRY_S3_ENDPOINT={place.endpoint} ./up.sh")
    [reference] = json.loads(place.swarmkeeper("push", "plain", "--to", f"{ADDRESS}/stored", "--json")).values()
    layers = place.server.client("s3").list_objects_v2(Bucket=bucket, Prefix="registry/docker/registry/v2/blobs/")
    assert sum(each["Size"] for each in layers["Contents"]) > 10_000_000
    place.shell(NODE.id, f"docker rmi --force {pushed['plain']}")
    assert place.pull(reference).exit_code == 0
    assert "ASIA" not in place.compose("docker compose ps -q | xargs docker inspect; cat storage.env")
