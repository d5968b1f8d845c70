"""What any package may use: threads with an owner, and locks that know their order."""
