"""Connected addresses: Mailbox, Grant, Folder, Identity; connect, check, disconnect."""
