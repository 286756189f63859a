"""Which message is on which record, and why."""
