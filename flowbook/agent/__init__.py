"""The agent: starts runs at their time, each in a process of its own, and notices those whose process is gone."""
