"""The notebook's user interface: magics, the panel, the cache browser, and the feed that keeps them live."""
