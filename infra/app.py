"""Synthesise the fleet: `python -m infra.app`, or the CDK's own command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aws_cdk import App

from infra.bundle import BUILD, ROOT
from infra.packages import BundleError
from infra.stack import FleetStack
from swarmkeeper.edge.settings import Settings, SettingsError, load_settings

PROFILES = ("swarmkeeper.yaml", "swarmkeeper.demo.yaml")


def settings_file(app: App) -> Path:
    """The file given as context `settings` or in SWARMKEEPER_SETTINGS, else the first profile that is there."""
    given = app.node.try_get_context("settings") or os.environ.get("SWARMKEEPER_SETTINGS")
    if given:
        return Path(given)
    return next((ROOT / name for name in PROFILES if (ROOT / name).exists()), ROOT / PROFILES[0])


def build(settings: Settings, app: App) -> FleetStack:
    """Add the fleet's stack to the app."""
    return FleetStack(app, settings)


def main() -> int:
    """Synthesise into the folder that the CDK's command line names, or build/cdk.out; 1 when it is refused."""
    app = App(outdir=os.environ.get("CDK_OUTDIR") or str(BUILD / "cdk.out"), analytics_reporting=False)
    try:
        build(load_settings(settings_file(app)), app)
    except (SettingsError, BundleError) as error:
        print(error, file=sys.stderr)
        return 1
    app.synth()
    return 0


if __name__ == "__main__":
    sys.exit(main())
