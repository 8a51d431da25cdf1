"""swarmkeeper bench coldstart: what a function's first answer takes, beside a function that does it the usual way."""

from __future__ import annotations

import json as json_
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from infra import bundle
from infra.compiling import compiler, version_of
from infra.host import host, unpack_function
from swarmkeeper.cli.bench.coldstart_parts import FUNCTIONS, NAIVE, OURS, RESTORED, Deployed, deployed_fleet
from swarmkeeper.cli.bench.figures import machine, tell

NAIVE_COMPILED = "naive_compiled"
MEASURES = ("import_cpu_ms", "import_wall_ms", "cpu_ms", "wall_ms")


@dataclass(frozen=True, slots=True)
class Trees:
    """Third-party packages as each kind of function has them."""

    ours: Path
    runtime: Path
    naive: Path
    naive_compiled: Path


def coldstart(
    function: Annotated[
        list[str] | None, typer.Option(help="Measure only this one; may be given several times.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Starts of each function, by turns.")] = 7,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Also write the JSON to this file.")] = None,
) -> None:
    """Start each function from its own files in a new process, and let it answer its schedule's event.

    `import_…` is until the handler can be called, the rest until its first answer, from an emulated AWS. The naive
    function imports boto3, the Docker SDK, pydantic and Powertools with parser and batch, makes the same clients,
    parses an event and reads the settings; it has no byte code, since what is installed for another machine has none,
    and `naive_compiled` is the same with byte code. `restored` is ours from after the snapshot on, without the
    restoring itself, which only Lambda does; its `import_…` is the hooks after the restore. Medians of the rounds;
    `ratio` is of `cpu_ms` to the naive one's.
    """
    chosen = tuple(FUNCTIONS) if not function else tuple(function)
    for unknown in set(chosen) - FUNCTIONS.keys():
        raise typer.BadParameter(f"--function: {unknown} is none of {', '.join(FUNCTIONS)}")
    python = compiler() or sys.executable
    with tempfile.TemporaryDirectory() as folder, deployed_fleet(Path(folder)) as fleet:
        trees = _trees(Path(folder), python)
        codes = {name: _unpacked(name, Path(folder), python) for name in chosen}
        taken: dict[tuple[str, str], list[Mapping[str, float]]] = {}
        for _ in range(rounds):
            for name in chosen:
                code = str(codes[name])
                for kind, script, paths in (
                    ("ours", OURS, [code, str(trees.ours)]),
                    ("restored", RESTORED, [code, str(trees.ours), str(trees.runtime)]),
                    ("naive", NAIVE, [str(trees.naive)]),
                    (NAIVE_COMPILED, NAIVE, [str(trees.naive_compiled)]),
                ):
                    taken.setdefault((name, kind), []).append(_start(python, script, paths, fleet, name))
    figures = {
        "rounds": rounds,
        "python_of_functions": version_of(python),
        "byte_code": compiler() is not None,
        "functions": {name: _figures(name, taken) for name in chosen},
        "layer_bytes": bundle.layer().stat().st_size,
        **machine(),
    }
    tell(figures, as_json=json, output=output)


def _unpacked(name: str, folder: Path, python: str) -> Path:
    return unpack_function(bundle.function_code(name), folder / "tasks" / name, Path(python))


def _trees(folder: Path, python: str) -> Trees:
    trees = Trees(folder / "ours", host().runtime, folder / "naive", folder / "naive-compiled")
    bundle.host_tree(trees.ours, Path(python))
    for tree in (trees.naive, trees.naive_compiled):
        bundle.host_tree(tree, Path(python), slim=False)
    subprocess.run([python, "-m", "compileall", "-q", str(trees.naive_compiled)], check=True, capture_output=True)
    return trees


def _start(python: str, script: str, paths: Sequence[str], fleet: Deployed, name: str) -> Mapping[str, float]:
    """What one start took. Raises RuntimeError with what it said when it failed."""
    ready = json_.dumps(
        {
            "paths": paths,
            "name": name,
            "event": fleet.event(name),
            "parsed": fleet.event("scaler"),
            "services": FUNCTIONS[name],
        }
    )
    result = subprocess.run(
        [python, "-I", "-S", "-B", "-c", script],
        input=ready,
        env=fleet.environment(name),
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"{name} did not answer:\n{result.stderr[-2000:]}")
    measured: Mapping[str, float] = json_.loads(result.stdout.splitlines()[-1])
    return measured


def _figures(name: str, taken: Mapping[tuple[str, str], Sequence[Mapping[str, float]]]) -> dict[str, object]:
    found: dict[str, object] = {
        kind: {each: round(median(one[each] for one in runs), 1) for each in MEASURES}
        for (function, kind), runs in taken.items()
        if function == name
    }
    cpu = {kind: median(one["cpu_ms"] for one in runs) for (function, kind), runs in taken.items() if function == name}
    return found | {
        "ratio": round(cpu["ours"] / cpu["naive"], 3),
        "ratio_to_naive_compiled": round(cpu["ours"] / cpu[NAIVE_COMPILED], 3),
    }
