"""What a user writes: tasks, flows, parameters; and the runs they start."""
