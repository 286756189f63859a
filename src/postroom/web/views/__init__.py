"""One module a resource: what it shows and what may be done to it."""
