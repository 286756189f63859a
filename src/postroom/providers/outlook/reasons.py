"""What Microsoft's sign-in says besides `error`: AADSTS numbers and OAuth error names -> codes of our catalogue.

learn.microsoft.com/entra/identity-platform/reference-error-codes asks clients to react to `error` alone, since numbers
change: they choose the words for people here, and nothing else.
"""

from __future__ import annotations

_NUMBERS: dict[str, tuple[int, ...]] = {
    "consent_missing": (65001,),
    "consent_refused": (65004,),
    "admin_approval_needed": (90094, 90095, 90093, 90008),
    "user_not_assigned": (50105,),
    "wrong_account_type": (50020, 50034, 51004, 90072, 500208),
    "app_not_for_account": (50194, 700016, 700011, 9002332, 90130),
    "app_tenant_unknown": (90002, 900023),
    "app_redirect_refused": (50011, 900971),
    "app_secret_refused": (7000215, 7000218, 700025),
    "app_secret_expired": (7000222,),
    "access_rules": (53000, 53001, 53002, 53003, 530032, 530035, 50005, 50131),
    "second_factor_needed": (50076, 50079, 50072, 50074, 50078, 50158),
    "grant_expired": (70000, 70008, 700082, 700084, 70043, 50089),
    "grant_revoked": (50173, 50132, 50133, 50126),
    "account_locked": (50053,),
    "password_expired": (50055,),
    "account_closed": (50057,),
    "code_used": (54005, 501481, 700005),
    "sign_in_busy": (50196, 90055, 90033, 90006, 90024, 50033, 70012),
    "app_permissions_wrong": (70011, 65005, 650052, 650056, 650057, 700022),
}

REASONS = {f"AADSTS{number}": code for code, numbers in _NUMBERS.items() for number in numbers} | {
    "access_denied": "consent_refused",
    "consent_required": "admin_approval_needed",
}
