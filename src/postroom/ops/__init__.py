"""Commands, the embedded database, processes, health."""
