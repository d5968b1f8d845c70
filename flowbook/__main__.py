"""`python -m flowbook` is the command `flowbook`."""

import sys

from flowbook.cli.main import main

sys.exit(main())
