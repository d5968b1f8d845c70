"""Shows runs in a terminal and logs them with Python's `logging`: log records, live progress, and the last lines."""
