"""Mailboxes of Google by the Gmail API."""
