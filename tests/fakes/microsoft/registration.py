"""The application as it is registered, the tenants there are, and scopes."""

from __future__ import annotations

CLIENT_ID = "7c9d1a52-0b5f-4d0e-9f6e-3a1c5b7e2d10"
CLIENT_SECRET = "fake~Secret.Of-Microsoft"
TENANT = "c2a9e6de-1f5b-4a57-8e73-5b0f7c1d9e44"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant of personal accounts
SHARED_TENANTS = ("common", "organizations", "consumers")
GRAPH = "https://graph.microsoft.com/"
OFFICE = "https://outlook.office.com/"
_PERSONAL = ("outlook.com", "hotmail.com", "live.com", "msn.com")
_OF_SIGN_IN = ("openid", "profile", "email", "offline_access")


def short(scopes: tuple[str, ...]) -> list[str]:
    """Scopes without their resource."""
    return [scope.removeprefix(GRAPH).removeprefix(OFFICE) for scope in scopes]


def resource_of(scope: str) -> str:
    """Whose scope it is; "" for those of signing in, which go with any."""
    if scope in _OF_SIGN_IN:
        return ""
    return OFFICE if scope.startswith(OFFICE) else GRAPH


def tenant_of(address: str) -> str:
    """Personal accounts share one tenant."""
    return CONSUMERS if address.rpartition("@")[2] in _PERSONAL else TENANT


def may_sign_in(address: str, tenant: str) -> bool:
    """Whether that account is let in by the tenant in the address of the sign-in page."""
    home = tenant_of(address)
    match tenant:
        case "common":
            return True
        case "organizations":
            return home != CONSUMERS
        case "consumers":
            return home == CONSUMERS
    return tenant == home
