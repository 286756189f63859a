"""Settings, addresses, and wiring.py: the only place that joins parts."""
