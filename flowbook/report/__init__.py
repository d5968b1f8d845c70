"""Runs in words, for whoever shows them: the panel, the terminal and the command line say the same."""
