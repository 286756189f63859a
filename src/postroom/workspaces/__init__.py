"""The tenant and its people: Workspace, User, Membership, roles, API tokens, audit log."""
