"""`python -m server.cli`: the same as `vedette`, where its folder is not on the PATH."""

import sys

from .app import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
