"""What a terminal and Python's `logging` get of a run: log records, live progress, and the last lines."""
