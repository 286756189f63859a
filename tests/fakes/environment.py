"""The environment variables that lead Postroom to a fake provider instead of the real one."""

from __future__ import annotations

from postroom.providers.oauth import Endpoints


def endpoint_variables(environment: str, endpoints: Endpoints) -> dict[str, str]:
    """`environment` is the middle of the names: "GOOGLE", "MICROSOFT"."""
    said = {
        "AUTHORIZE_URL": endpoints.authorize,
        "TOKEN_URL": endpoints.token,
        "KEYS_URL": endpoints.keys,
        "ISSUERS": ",".join(endpoints.issuers),
        "API_URL": endpoints.api,
        "REVOKE_URL": endpoints.revoke,
        "ADMIN_CONSENT_URL": endpoints.admin_consent,
    }
    return {f"POSTROOM_{environment}_{ending}": value for ending, value in said.items() if value}
