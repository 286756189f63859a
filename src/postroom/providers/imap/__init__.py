"""Mailboxes by IMAP and SMTP: own clients, because no library gave speed, limits and an exact point of no return."""
