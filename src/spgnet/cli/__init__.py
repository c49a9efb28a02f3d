"""The command line: ``spgnet lift | export | view | demo | train | evaluate | reproduce | data``."""

from __future__ import annotations

import sys

import spgnet


def main() -> None:
    """Entry point of the ``spgnet`` command; bad input ends it with one line on standard error."""
    try:
        if sys.argv[1:] == ["--version"]:
            print(f"spgnet {spgnet.__version__}")
            return
        from spgnet.cli.commands import parse  # takes seconds, in which Ctrl-C shall end with one line, too

        parse(sys.argv[1:])()
    except (ValueError, OSError) as error:
        raise SystemExit(f"spgnet: {' '.join(str(error).split())}") from None
    except KeyboardInterrupt:
        raise SystemExit("spgnet: interrupted") from None
