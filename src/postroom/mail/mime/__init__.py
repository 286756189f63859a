"""MIME: bytes to messages and back, and what is shown of them. Pure functions."""

from postroom.mail.mime.identity import identity, reference_key
from postroom.mail.mime.parsing import parse
from postroom.mail.mime.plain import snippet, text_of_html

__all__ = ["identity", "parse", "reference_key", "snippet", "text_of_html"]
