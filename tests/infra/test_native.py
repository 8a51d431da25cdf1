"""Placement as machine code: built for Lambda's machine and this one, used only where it is of these sources."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra import bundle, compiling, native
from infra.native_imports import NotBuiltError, use
from infra.packages import BundleError, names
from tests.conformance.data import CASES, lines_of

AARCH64 = 183
GLIBC_OF_LAMBDA = 34
PLACED = ("placement", "scaler")
TELL = """
import json
import platform
from infra.native_imports import use
used = use({setting!r})
from swarmkeeper.domain.placement.index import cluster
print(json.dumps([used, cluster.__file__]))
"""


@pytest.fixture(scope="module")
def lambdas() -> native.Target:
    target = native.lambdas()
    if target is None:
        pytest.skip(f"there is no Python {compiling.PYTHON_VERSION} with headers here")
    return target


@pytest.fixture(scope="module")
def here() -> native.Target:
    target = native.of_host(sys.executable)
    if target is None:
        pytest.skip("this Python has no headers, or this is no Linux with glibc")
    list(native.libraries(target))
    return target


def test_what_is_for_lambda_runs_on_its_machine_with_its_c_library(lambdas: native.Target) -> None:
    for library in native.libraries(lambdas):
        content = library.read_bytes()
        assert content[:4] == b"\x7fELF"
        assert int.from_bytes(content[18:20], "little") == AARCH64
        assert library.name.endswith(".cpython-313-aarch64-linux-gnu.so")
        assert max(map(int, re.findall(rb"GLIBC_2\.(\d+)", content)), default=0) <= GLIBC_OF_LAMBDA


@pytest.mark.parametrize("name", PLACED)
def test_a_functions_zip_has_machine_code_for_each_of_its_modules_of_placement(
    name: str, lambdas: native.Target
) -> None:
    code = bundle.function_code(name)
    sources = {path.stem for path in (code / native.PACKAGE).rglob("*.py") if path.name not in native.INTERPRETED}
    assert "cluster" in sources
    assert {path.name for path in code.rglob("*.so")} == {
        stem + lambdas.suffix for stem in (sources | {native.LIBRARY})
    }


def test_libraries_are_put_beside_sources_only(lambdas: native.Target, tmp_path: Path) -> None:
    (tmp_path / native.PACKAGE).mkdir(parents=True)
    (tmp_path / native.PACKAGE / "wish.py").touch()
    native.put(lambdas, tmp_path)
    assert {path.name for path in tmp_path.rglob("*.so")} == {
        "wish" + lambdas.suffix, native.LIBRARY + lambdas.suffix,
    }  # fmt: skip


@pytest.mark.parametrize(("setting", "used"), [("1", True), ("", True), ("0", False)])
def test_a_new_process_uses_it_unless_told_otherwise(here: native.Target, setting: str, used: bool) -> None:
    run = subprocess.run(
        [sys.executable, "-c", TELL.format(setting=setting)], capture_output=True, text=True, check=True
    )
    says, file = json.loads(run.stdout)
    assert says is used
    assert file.endswith(here.suffix if used else "cluster.py")


def test_it_decides_every_public_case_as_the_sources_do(here: native.Target) -> None:
    command = [sys.executable, "-m", "swarmkeeper.cli.start", "place", "--cases", str(CASES), "--json"]
    told = [
        subprocess.run(
            command, env={"SWARMKEEPER_NATIVE": setting}, capture_output=True, text=True, check=True
        ).stdout.splitlines()
        for setting in ("1", "0")
    ]
    assert told[0] == told[1]
    assert len(told[0]) == len(lines_of(CASES))


def test_what_is_loaded_already_is_not_replaced() -> None:
    import swarmkeeper.domain.placement.wish  # noqa: F401

    assert use("") is False
    with pytest.raises(NotBuiltError, match="before it is imported"):
        use("1")


@pytest.fixture
def another_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_bytes(native.LOCK.read_bytes() + b"# another\n")
    monkeypatch.setattr(native, "LOCK", lock)


@pytest.mark.usefixtures("another_lock")
def test_what_was_compiled_by_other_rules_is_not_used(here: native.Target) -> None:
    assert not here.folder().exists()


def test_sources_that_cannot_be_compiled_are_an_error_that_tells_why(
    here: native.Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tools = native._tools(names(native.LOCK) - {native.COMPILER}, here.version, here.python)
    broken = tmp_path / native.PACKAGE / "broken.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("answer: int = 'no number'\n", encoding="ascii")
    monkeypatch.setattr(native, "ROOT", tmp_path)
    monkeypatch.setattr(native, "BUILD", tmp_path / "build")
    monkeypatch.setattr(native, "_tools", lambda *_: tools)
    with pytest.raises(BundleError, match=r"broken\.py:1: error: Incompatible types"):
        list(native.libraries(here))


def test_what_types_are_read_from_is_part_of_the_key(here: native.Target, monkeypatch: pytest.MonkeyPatch) -> None:
    before, model = here.key(), native.ROOT / native.READ / "model.py"
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read_bytes(path) + (b"\n" if path == model else b""))
    assert here.key() != before


@pytest.mark.usefixtures("here")
def test_headers_that_lead_to_the_machines_own_as_debians_do_are_compiled_against(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = Path(native._include(sys.executable))
    own = tmp_path / f"{platform.machine()}-linux-gnu" / real.name
    own.mkdir(parents=True)
    itself = next(each for each in (native._machines_own(real), real) if (each / "pyconfig.h").exists())
    (own / "pyconfig.h").write_bytes((itself / "pyconfig.h").read_bytes())
    include = tmp_path / real.name
    include.mkdir()
    for header in real.iterdir():
        if header.name != "pyconfig.h":
            (include / header.name).symlink_to(header)
    (include / "pyconfig.h").write_text(
        "".join(
            f"#ifdef __{each}__\n#include <{each}-linux-gnu/{real.name}/pyconfig.h>\n#endif\n"
            for each in native.MACHINES
        )
    )
    monkeypatch.setattr(native, "_include", lambda _: str(include))
    native.has_headers.cache_clear()
    assert native.has_headers(sys.executable)
    (tmp_path / "try.c").write_text("#include <Python.h>\nint size = SIZEOF_LONG;\n")
    for machine in native.MACHINES:
        target = native.Target(sys.executable, "{}.{}".format(*sys.version_info), machine)
        work = tmp_path / machine
        folder = native._as_debian_has_it(target, work)
        zig, goal = str(native._zig(target)), f"{machine}-linux-gnu.{native.GLIBC}"
        command = [zig, "cc", "-target", goal, "-c", f"-I{include}", f"-I{folder}", "-o", str(work / "o"), "try.c"]
        native._run(command, tmp_path, native.CACHES)
        assert (work / "o").stat().st_size > 0
    native.has_headers.cache_clear()
