"""The HTTP API over a store: a FastAPI application, and what guards it. Needs the extra `server`."""
