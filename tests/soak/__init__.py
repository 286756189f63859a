"""Faults on purpose, counted: `bin/soak` runs them for long, tests/faults/test_scenarios.py for a moment.

rig        servers, a database, and a hand that forks engines which may be killed
hand       that process
letters    messages whose text can be checked
truth      compares the database with the mail server, message by message
kills, database, network, hostile, folders, identities     the scenarios, by the kind of fault
model      several clients and real processes at random
report     the table of results, and docs/explanation/faults.md
"""
