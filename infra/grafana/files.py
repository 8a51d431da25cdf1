"""Writes the dashboards and the alert rules into compose/monitoring: `make dashboards`."""

from __future__ import annotations

import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from infra.grafana.alerts import rule_file
from infra.grafana.dashboards import all_dashboards

FOLDER = Path(__file__).resolve().parents[2] / "compose" / "monitoring" / "grafana"
RULES = "provisioning/alerting/rules.yaml"
"""JSON, which is YAML too."""


def contents() -> dict[str, str]:
    """What each file holds, by its path below the folder."""
    made = {f"dashboards/{name}.json": _text(each.build()) for name, each in all_dashboards().items()}
    return {**made, RULES: _text(rule_file())}


def write(folder: Path) -> None:
    """Write all files; their folders are made."""
    for name, text in contents().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _text(value: object) -> str:
    return JSONEncoder(indent=2, sort_keys=True).encode(value) + "\n"


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
