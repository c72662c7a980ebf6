"""Entry point of the command `rd`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from rdcli.app import app

    app()
