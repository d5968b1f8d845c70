"""One script a peer, all with one command line: `python -m benchmarks.peers.PEER WORK SIZE [--on WHERE]`."""
