"""The layer is small, and with a function's zip it is all that the function imports."""

from __future__ import annotations

import subprocess
import sys
from functools import cached_property
from pathlib import Path

import pytest

from infra import bundle
from infra.compiling import compiler
from infra.slimming import SERVICES
from swarmkeeper.adapters.aws.clients import AwsClients

FUNCTIONS = ("placement", "scaler", "registrar", "reconciler", "locator")
LIMIT_BYTES = 15_000_000
"""Of the layer and a function's zip together."""
PYTHON = compiler() or sys.executable
"""Lambda's version, where it is here: byte code is tried too, then."""
START = """
import sys
sys.path[:0] = [{code!r}, {layer!r}]
import functions.{name}.handler
from swarmkeeper.adapters.aws.clients import AwsClients
clients = AwsClients()
for service in {services!r}:
    getattr(clients, service)
files = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
print([file for file in files if "site-packages" in file or file.startswith({root!r})])
"""


def test_the_layer_describes_the_services_that_adapters_call() -> None:
    assert {name for name, value in vars(AwsClients).items() if isinstance(value, cached_property)} == SERVICES


@pytest.mark.parametrize("name", FUNCTIONS)
def test_layer_and_function_are_small_together(name: str, tmp_path: Path) -> None:
    bundle.write_zip(bundle.function_code(name), tmp_path / "code.zip")
    assert bundle.layer().stat().st_size + (tmp_path / "code.zip").stat().st_size <= LIMIT_BYTES


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer's packages for a Python of this machine."""
    folder = tmp_path_factory.mktemp("layer") / "python"
    bundle.host_tree(folder, Path(PYTHON))
    return folder


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_starts_from_its_zip_and_the_layer_alone(name: str, layer: Path) -> None:
    code = bundle.function_code(name)
    script = START.format(
        root=str(bundle.ROOT / "swarmkeeper"), code=str(code), layer=str(layer), name=name, services=sorted(SERVICES)
    )
    environment = {"AWS_DEFAULT_REGION": "eu-central-1", "POWERTOOLS_SERVICE_NAME": name}
    result = subprocess.run(
        [PYTHON, "-I", "-S", "-B", "-c", script],
        env=environment,
        cwd=layer,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
