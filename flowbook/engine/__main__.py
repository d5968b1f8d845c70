"""`python -m flowbook.engine RUN_ID` carries on a recorded run in this process; see `flowbook.cli.engine`."""

import sys

from flowbook.cli.engine import main  # the one import upwards: the command has the engine's name (docs/decisions/0058)

if __name__ == "__main__":
    sys.exit(main())
