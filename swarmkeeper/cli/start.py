"""Where the command starts: what is compiled has to be chosen before anything imports it."""

from __future__ import annotations

from infra.native_imports import use_as_set


def main() -> None:
    """Run the command, with placement as machine code where `make setup` has compiled it."""
    use_as_set()
    from swarmkeeper.cli.main import app

    app()


if __name__ == "__main__":
    main()
