"""Describes runs in words; the panel, the terminal and the command line share these texts."""
