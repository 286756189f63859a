"""Finding a mailbox's servers from its address alone."""
