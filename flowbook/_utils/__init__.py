"""Tools that any package may use, such as threads with an owner and locks with a rank."""
