"""What flowbook costs beside its peers: `python -m benchmarks`; docs/performance.md says how to read it."""
