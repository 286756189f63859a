"""Decisions of synchronisation as sans-IO steps: what to list, fetch, keep. No I/O, no clock, no Django."""
