"""Small things that any layer may use; they know nothing of flows."""
