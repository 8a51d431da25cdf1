"""The zips and the layer for Lambda's own machine: what their binaries are for, and that they hold every import."""

from __future__ import annotations

import ast
import re
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from infra import bundle
from infra.host import RUNTIME, host
from infra.slimming import SERVICES

FUNCTIONS = ("placement", "scaler", "registrar", "reconciler", "locator")
FROM_THE_RUNTIME = {package.replace("-", "_") for package in RUNTIME}
NEVER_RUN = {("swarmkeeper.edge.yaml_lines", "swarmkeeper.edge.settings")}
"""Functions read their settings as JSON: only who reads swarmkeeper.yaml needs a YAML library."""
BINARY = re.compile(r"\.(cpython-\w+(-\w+)+|abi3)\.so$")
PURE_TAG = re.compile(r"(py2\.)?py3-none-any|py2-none-any")
TAG = re.compile(r"cp3(\d+)-(cp313|abi3|none)-(manylinux_2_(\d+)|manylinux2014)_aarch64")
AARCH64 = 183
GLIBC_OF_LAMBDA = 34
"""Of Amazon Linux 2023: the C library that python3.13 has there is 2.34."""


@cache
def layer() -> zipfile.ZipFile:
    return zipfile.ZipFile(bundle.layer())


@cache
def layer_modules() -> frozenset[str]:
    return frozenset(modules(layer().namelist()))


def modules(names: list[str]) -> Iterator[str]:
    """The layer's modules and packages, dotted, those without an __init__ among them."""
    for name in names:
        parts = name.removeprefix("python/").split("/")
        stem = BINARY.sub("", parts[-1]).removesuffix("c").removesuffix(".py")
        yield from (".".join(parts[:end]) for end in range(1, len(parts)))
        yield ".".join([*parts[:-1], stem])


def test_every_binary_is_for_lambdas_machine_and_python() -> None:
    binaries = [name for name in layer().namelist() if ".so" in Path(name).name]
    assert binaries
    for name in binaries:
        head = layer().read(name)[:20]
        assert head[:4] == b"\x7fELF", name
        assert int.from_bytes(head[18:20], "little") == AARCH64, name
        if ".cpython-" in name:
            assert ".cpython-313-aarch64-linux-gnu.so" in name


def test_every_wheels_tags_fit_lambda() -> None:
    files = [name for name in layer().namelist() if name.endswith(".dist-info/WHEEL")]
    assert len(files) > 10
    for name in files:
        tags = re.findall(r"^Tag: (.+)$", layer().read(name).decode(), re.MULTILINE)
        assert any(fits(tag.strip()) for tag in tags), (name, tags)


def fits(tag: str) -> bool:
    """Whether Lambda can install a wheel of that tag."""
    if PURE_TAG.fullmatch(tag):
        return True
    found = TAG.fullmatch(tag)
    if found is None:
        return False
    exact = found[2] == "cp313"
    return (found[1] == "13" if exact else int(found[1]) <= 13) and int(found[4] or 17) <= GLIBC_OF_LAMBDA


@pytest.mark.parametrize(
    ("tag", "right"),
    [
        ("py3-none-any", True),
        ("cp313-cp313-manylinux_2_28_aarch64", True),
        ("cp39-abi3-manylinux2014_aarch64", True),
        ("cp312-cp312-manylinux_2_28_aarch64", False),
        ("cp314-abi3-manylinux_2_28_aarch64", False),
        ("cp313-cp313-manylinux_2_28_x86_64", False),
        ("cp313-cp313-manylinux_2_39_aarch64", False),
        ("cp313-cp313-musllinux_1_2_aarch64", False),
    ],
)
def test_a_tag_is_judged(tag: str, right: bool) -> None:
    assert fits(tag) is right


@pytest.mark.parametrize("name", FUNCTIONS)
def test_unzipped_they_leave_most_of_lambdas_limit(name: str) -> None:
    code = sum(path.stat().st_size for path in bundle.function_code(name).rglob("*") if path.is_file())
    assert sum(entry.file_size for entry in layer().infolist()) + code < bundle.UNZIPPED_LIMIT_BYTES / 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_import_that_can_be_reached_is_in_zip_layer_or_standard_library(name: str) -> None:
    code = bundle.function_code(name)
    missing = {
        (imported, module)
        for module, names in reached(code, f"functions.{name}.handler").items()
        for imported in names
        if not (found_in(code, imported) or imported in layer_modules() or is_provided(imported))
    }
    assert missing == (set() if name == "locator" else NEVER_RUN)  # that one reads no settings


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_zip_holds_no_module_that_its_handler_can_not_come_to(name: str) -> None:
    code = bundle.function_code(name)
    needed = {found_in(code, module) for module in reached(code, f"functions.{name}.handler")}
    assert sorted(set(code.rglob("*.py")) - needed - {code / "functions" / "__init__.py"}) == []


def test_the_scalers_zip_has_nothing_that_calls_engines() -> None:
    code = bundle.function_code("scaler")
    assert found_in(code, "swarmkeeper.adapters.aws.alarms")
    assert not (code / "swarmkeeper" / "adapters" / "engine").exists()


def test_an_import_that_nothing_holds_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "top.py").write_text("def late():\n    from boto3 import session\n", encoding="ascii")
    assert reached(tmp_path, "top") == {"top": {"boto3"}}
    assert "boto3" not in layer_modules()
    assert not is_provided("boto3")
    assert "botocore.session" in layer_modules()


def test_the_host_targets_layer_holds_the_same_modules() -> None:
    with zipfile.ZipFile(host().layer) as here:
        ours = frozenset(modules(here.namelist()))
    apart = {each for each in ours ^ layer_modules() if ".libs" not in each and ".dist-info" not in each}
    assert apart == set()


def test_the_layer_describes_its_services() -> None:
    described = {each.split(".")[2] for each in layer_modules() if each.startswith("botocore.data.")}
    assert described >= SERVICES


def is_provided(module: str) -> bool:
    """Whether Python or Lambda's runtime brings it."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in FROM_THE_RUNTIME


def reached(code: Path, start: str) -> dict[str, set[str]]:
    """The function's own modules that a start can come to, each with what it imports anywhere in it."""
    seen: dict[str, set[str]] = {}
    todo = [start]
    while todo:
        module = todo.pop()
        if module in seen or not (path := found_in(code, module)):
            continue
        seen[module] = set(imports(ast.parse(path.read_text(encoding="utf-8")), code))
        todo += [*seen[module], *parents(module)]
    return seen


def parents(module: str) -> Iterator[str]:
    parts = module.split(".")
    yield from (".".join(parts[:end]) for end in range(1, len(parts)))


def imports(tree: ast.AST, code: Path) -> Iterator[str]:
    """Modules that are imported, but for those of type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield str(node.module)
            submodules = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (each for each in submodules if found_in(code, each))
        yield from imports(node, code)


def found_in(code: Path, module: str) -> Path | None:
    """The file of a module of the function's own."""
    base = code.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)
