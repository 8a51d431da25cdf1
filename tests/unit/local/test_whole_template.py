"""The template of a fleet with all that there is becomes resources of the emulated AWS, but for what is listed here."""

from __future__ import annotations

from pathlib import Path

from aws_cdk import App

from infra.stack import FleetStack
from local.aws.deploy import Deployment, deploy
from local.aws.functions import FunctionService
from local.aws.http_api import HttpApiFront
from local.aws.server import AwsServer
from local.aws.template import Template
from local.cloud import LOCAL_AMI
from local.starter import project_root
from swarmkeeper.edge.settings import load_settings

IMAGE = f"registry.example/join@sha256:{'0' * 64}"
NOT_HONOURED = {("AWS::EFS::FileSystem", "BackupPolicy"), ("AWS::EFS::FileSystem", "FileSystemTags")}


def test_every_resource_is_made_and_what_is_not_honoured_is_told(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path / "cdk"), analytics_reporting=False)
    stack = FleetStack(app, load_settings(project_root() / "swarmkeeper.example.yaml"))
    app.synth()
    path = tmp_path / "cdk" / stack.template_file
    with AwsServer() as server:
        functions = FunctionService(server, tmp_path / "logs")
        front = HttpApiFront(server, functions, access_log=tmp_path / "access.log")
        wanted = Deployment(
            template=path,
            parameters={"JoinImage": IMAGE, "RouterImage": IMAGE},
            ssm_values={"/aws/service/ami": LOCAL_AMI},
            code_root=project_root(),
        )
        deployed = deploy(server, functions, wanted, api_endpoint=front.endpoint)
        front.stop()
        functions.stop()
    assert {(one.type, one.what) for one in deployed.skipped} == NOT_HONOURED
    assert set(deployed.resources) == set(Template.load(path).resources)
