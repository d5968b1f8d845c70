"""Values at rest: what they are named by, how they become bytes, and what is shown of them."""
