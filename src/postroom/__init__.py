"""Postroom: the postroom of a team's CRM. ARCHITECTURE.md is the map."""

__version__ = "0.1.0"
