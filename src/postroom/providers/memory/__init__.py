"""A mail provider in memory, or in a folder on disk: for tests and for the demo. It passes the contract suite."""
