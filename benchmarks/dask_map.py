"""The rows of Dask's executors alone, on a cluster and on processes: `python benchmarks/dask_map.py [ROUNDS]`.

The same as `python -m benchmarks --only cluster burns processes` for flowbook and those it is compared with there.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.__main__ import main  # a script finds its own folder only

if __name__ == "__main__":
    rounds = sys.argv[1] if len(sys.argv) > 1 else "3"
    main(["--only", "cluster", "burns", "processes", "--peers", "flowbook", "loop", "distributed", "--rounds", rounds])
