"""Entry point of the command `rd`."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    import io
    import sys

    from rdcli.app import app

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a dash that the terminal's encoding lacks is no reason to fail

    app()
