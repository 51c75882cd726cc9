"""`make run`: from a checkout to a running server, and in seconds when everything is there already."""

from __future__ import annotations

import os
import sys

from .console import StepFailed, Steps
from .options import ROOT, environment_from_arguments
from .page import Page


def main() -> None:
    """Prepare, then become the server, so that Ctrl-C and signals reach it directly."""
    environment = environment_from_arguments(__doc__)
    steps = Steps(4, environment.log)
    try:
        environment.make(steps)
        environment.install(steps, frozenset())
        Page(ROOT).build(steps)
    except StepFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit("\nStopped. `make run` takes it up again.")
    steps.say("starting the server (Ctrl-C stops it)")
    os.chdir(ROOT)
    os.execv(environment.python, [str(environment.python), "-m", "server"])


if __name__ == "__main__":
    main()
