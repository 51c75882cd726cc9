"""`make install`: the environment with what developers need. Says nothing when it is there."""

from __future__ import annotations

import sys

from .console import StepFailed, Steps
from .options import DEVELOPER_EXTRAS, environment_from_arguments


def main() -> None:
    """Install, unless everything is up to date."""
    environment = environment_from_arguments(__doc__)
    if environment.up_to_date(DEVELOPER_EXTRAS):
        return
    steps = Steps(2, environment.log)
    try:
        environment.make(steps)
        environment.install(steps, DEVELOPER_EXTRAS)
    except StepFailed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
