"""Live pages: NOTIFY reaches the browser as server-sent events."""
