"""The command `flowbook`: the store from a terminal."""
