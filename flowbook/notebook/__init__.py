"""What a person sees and does in a notebook: the panel, the cache browser, and the feed that keeps them live."""
