"""A fleet's template on an emulated AWS of its own, whose instances never start: for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.aws.deploy import Deployed, Deployment, deploy
from local.aws.functions import FunctionService
from local.aws.http_api import HttpApiFront
from local.aws.server import AwsServer
from local.aws.unpacked import Unpacked
from local.cloud import LOCAL_AMI
from local.starter import project_root

IMAGE = f"registry.example/join@sha256:{'0' * 64}"


@dataclass(frozen=True, slots=True)
class Standalone:
    """What was made, and where its HTTP API is served."""

    server: AwsServer
    functions: FunctionService
    deployed: Deployed
    url: str


@contextmanager
def standing_alone(template: Path, folder: Path, *, unpacked: Unpacked | None = None) -> Iterator[Standalone]:
    """Deploy `<stack>.template.json` of a cloud assembly; logs go to the folder. Raises DeployError.

    Functions run from the source tree, or from what is unpacked.
    """
    with AwsServer() as server:
        functions = FunctionService(server, folder / "logs")
        front = HttpApiFront(server, functions, access_log=folder / "access.log")
        wanted = Deployment(
            template=template,
            parameters={"JoinImage": IMAGE, "RouterImage": IMAGE},
            ssm_values={"/aws/service/ami": LOCAL_AMI},
            code_root=None if unpacked else project_root(),
            unpacked=unpacked,
        )
        try:
            deployed = deploy(server, functions, wanted, api_endpoint=front.endpoint)
            yield Standalone(server, functions, deployed, front.url)
        finally:
            front.stop()
            functions.stop()
