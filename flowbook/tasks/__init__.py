"""Ready-made tasks, under the names promised to users."""
