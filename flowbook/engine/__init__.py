"""How a flow runs: a graph goes in, events come out. Not where a run's process lives: that is `flowbook.flow_runners`."""
