"""Keys of one workspace, derived and never stored: whoever has only the database has none of them."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


@lru_cache(maxsize=1024)
def workspace_key(workspace_id: UUID, purpose: str) -> bytes:
    """32 octets for one purpose of one workspace: HKDF (RFC 5869) of the installation's secret key."""
    derive = HKDF(algorithm=SHA256(), length=32, salt=workspace_id.bytes, info=purpose.encode())
    return derive.derive(settings.SECRET_KEY.encode())
