"""One run of a flow: what it is given, where it is, how it goes on, and how it is recorded."""
