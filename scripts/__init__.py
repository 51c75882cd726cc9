"""What `make` calls. Runs on any Python, to say in words when it is too old; needs nothing but the standard library."""

import shutil
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this is the place that tells
    which = getattr(shutil, "which", None)  # Python 2 has none
    newer = [name for name in ("python3.14", "python3.13", "python3.12", "python3.11") if which and which(name)]
    hint = "Install 3.11 or newer: python.org, or your package manager."
    if newer:
        hint = "There is a newer one here. Run: make PYTHON=" + newer[0] + " and the command."
    sys.exit("Vedette needs Python 3.11 or newer; " + sys.executable + " is " + sys.version.split()[0] + ".\n" + hint)
