"""Secrets at rest: AES-256-GCM, the key's id in the seal, the row as associated data (DESIGN.md 8).

A seal reads `format | length of key id | key id | nonce (12) | ciphertext`. The associated data is table, row, column
and workspace, so a seal moved to another row does not open. One key seals, all known keys open.
"""

from __future__ import annotations

import json
import os
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

_FORMAT = 1
_NONCE = 12
_GRANT = {"table": "mailboxes_grant", "column": "sealed"}


class Unsealable(Exception):
    """The secret cannot be opened: its key is missing, or the row was tampered with."""


def seal(plain: bytes, *, table: str, row_id: UUID, column: str, workspace_id: UUID) -> bytes:
    key_id = settings.SEALING_KEYS.current.encode()
    key = settings.SEALING_KEYS.keys[settings.SEALING_KEYS.current]
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(key).encrypt(nonce, plain, _associated(table, row_id, column, workspace_id))
    return bytes([_FORMAT, len(key_id)]) + key_id + nonce + sealed


def unseal(sealed: bytes, *, table: str, row_id: UUID, column: str, workspace_id: UUID) -> bytes:
    """Open a seal; raise Unsealable."""
    sealed = bytes(sealed)
    if len(sealed) < 2 or sealed[0] != _FORMAT:
        raise Unsealable("this is not a seal of Postroom")
    start = 2 + sealed[1]
    key = settings.SEALING_KEYS.keys.get(sealed[2:start].decode("ascii", "replace"))
    if key is None:
        raise Unsealable("the key that sealed this is not among the keys")
    try:
        nonce, ciphertext = sealed[start : start + _NONCE], sealed[start + _NONCE :]
        return AESGCM(key).decrypt(nonce, ciphertext, _associated(table, row_id, column, workspace_id))
    except (InvalidTag, ValueError) as error:
        raise Unsealable("this secret belongs to another row or was changed") from error


def seal_secrets(secrets: dict[str, Any], mailbox_id: UUID, workspace_id: UUID) -> bytes:
    """Seal what opens a mailbox, for its Grant."""
    return seal(json.dumps(secrets).encode(), row_id=mailbox_id, workspace_id=workspace_id, **_GRANT)


def unseal_secrets(sealed: bytes, mailbox_id: UUID, workspace_id: UUID) -> dict[str, Any]:
    """Open the seal of a Grant; raise Unsealable."""
    secrets: dict[str, Any] = json.loads(unseal(sealed, row_id=mailbox_id, workspace_id=workspace_id, **_GRANT))
    return secrets


def _associated(table: str, row_id: UUID, column: str, workspace_id: UUID) -> bytes:
    return "\0".join((table, str(row_id), column, str(workspace_id))).encode()
