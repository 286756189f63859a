"""Signing in with a password: what the providers want instead, and what they switch off."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "auth_not_offered",
        "No sign-in is offered on this port",
        "{host} offers no sign-in that Postroom can use on port {port}.",
        "If the provider has a button of its own here, such as “Connect with Google”, use it: it takes no password.",
        "Else use the ports for mail programs: 993 with TLS or 143 with STARTTLS for IMAP, 465 with TLS or 587 with "
        "STARTTLS for SMTP.",
        meaning="settings",
    ),
    entry(
        "account_locked",
        "The account is locked",
        "{host} has locked the account of {username}.",
        "Unlock it on the provider's web pages, then reconnect.",
        meaning="reconnect",
    ),
    entry(
        "account_closed",
        "The account is closed",
        "{host} says that the account is suspended or disabled.",
        "Ask the administrator of the mailbox.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "password_expired",
        "The password has expired",
        "{host} wants a new password for {username}.",
        "Set a new password at the provider, then reconnect.",
        meaning="reconnect",
    ),
    entry(
        "browser_sign_in_needed",
        "Sign in once with the browser",
        "{host} wants to see {username} in a browser first.",
        "Sign in to the mailbox on the web and confirm that it was you.",
        "Check the connection again. If it is refused again, sign in once from the network that Postroom runs in.",
        meaning="reconnect",
    ),
    entry(
        "gmail_app_password",
        "Gmail wants an app password",
        "Gmail takes no account password over IMAP and SMTP, and refused this one for {username}.",
        "Connect the mailbox with Google's own sign-in: then no password is needed.",
        "Or switch on 2-step verification in the Google account, create an app password at "
        "myaccount.google.com/apppasswords, and use its 16 letters here.",
        "A changed account password ends all app passwords: make a new one then.",
        meaning="reconnect",
    ),
    entry(
        "gmail_imap_off",
        "IMAP is off for this Google account",
        "Google does not allow IMAP for {username}, as its owner or the administrator of the Google Workspace chose.",
        "Connect the mailbox with Google's own sign-in: Postroom then needs no IMAP.",
        "Or switch IMAP on: Gmail on the web > Settings > See all settings > Forwarding and POP/IMAP.",
        "If that is missing there, the administrator switches it on: Google Admin console > Apps > Google Workspace > "
        "Gmail > End User Access > POP and IMAP access.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "microsoft_no_passwords",
        "Microsoft takes no passwords",
        "Microsoft 365 takes no passwords for IMAP since the end of 2022, and Outlook.com, Hotmail and Live take none "
        "since 16 September 2024: neither the account's password nor an app password, however right they are.",
        "Connect the mailbox with Microsoft's own sign-in.",
        meaning="reconnect",
    ),
    entry(
        "microsoft_sends_no_passwords",
        "Microsoft takes no passwords for sending",
        "{host} takes no passwords for SMTP any more. Microsoft switches them off at the end of December 2026 for all "
        "organisations that do not ask to keep them, and new ones begin without; when they end for good is announced "
        "in the second half of 2027.",
        "Connect the mailbox with Microsoft's own sign-in: then no password is needed.",
        "Until then the administrator of Microsoft 365 can switch passwords for SMTP on again for the organisation.",
        meaning="reconnect",
    ),
    entry(
        "microsoft_password_refused",
        "Microsoft refused the user name or the password",
        "{host} refused {username}. At the end of December 2026 Microsoft 365 switches passwords for SMTP off, unless "
        "the organisation asks to keep them.",
        "Connect the mailbox with Microsoft's own sign-in: then no password is needed.",
        "With a password: sign in at outlook.office.com to see whether it still works.",
        meaning="reconnect",
    ),
    entry(
        "microsoft_smtp_auth_off",
        "SMTP sign-in is off for this mailbox",
        "Microsoft 365 does not let {username} sign in to SMTP: Authenticated SMTP is switched off for the mailbox.",
        "Connect the mailbox with Microsoft's own sign-in: Postroom then needs no SMTP.",
        "Or switch it on: Microsoft 365 admin center > Users > Active users > the user > Mail > Manage email apps > "
        "Authenticated SMTP.",
        "Wait up to an hour, then check the connection again.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "microsoft_smtp_auth_off_everywhere",
        "SMTP sign-in is off in this organisation",
        "Microsoft 365 lets nobody of this organisation sign in to SMTP: Authenticated SMTP is switched off for the "
        "tenant, as security defaults do.",
        "Connect the mailbox with Microsoft's own sign-in: Postroom then needs no SMTP.",
        "Or switch it on for the one mailbox: what is set there counts more than what is set for the tenant. "
        "Microsoft 365 admin center > Users > Active users > the user > Mail > Manage email apps.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "microsoft_blocked_by_policy",
        "A Microsoft 365 policy blocks the sign-in",
        "Security defaults or Conditional Access of the organisation block this sign-in by password.",
        "Connect the mailbox with Microsoft's own sign-in, which such rules usually allow.",
        "If that is refused too, send the server's words to your IT department: it allows Postroom in the Microsoft "
        "Entra admin center, under Conditional Access.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "microsoft_imap_off",
        "IMAP is off for this Microsoft mailbox",
        "Microsoft let {username} in and opens no mailbox: IMAP is off, the licence is missing, the user name is not "
        "the mailbox's, or Microsoft has a fault of its own.",
        "Connect the mailbox with Microsoft's own sign-in: Postroom then needs no IMAP.",
        "Or switch IMAP on: Microsoft 365 admin center > Users > Active users > the user > Mail > Manage email apps > "
        "IMAP.",
        "Wait up to an hour, then check the connection again.",
        who="mail administrator",
        meaning="administrator",
    ),
    entry(
        "yahoo_app_password",
        "Yahoo and AOL want an app password",
        "{host} takes app passwords only, and refused this one for {username}.",
        "Create one on the account's security page (login.yahoo.com/account/security, at AOL "
        "login.aol.com/account/security) and use it here.",
        meaning="reconnect",
    ),
    entry(
        "icloud_app_password",
        "iCloud wants an app-specific password",
        "iCloud takes app-specific passwords only.",
        "Create one at account.apple.com and use it here.",
        "For IMAP the user name is the part before the @.",
        meaning="reconnect",
    ),
    entry(
        "zoho_app_password",
        "Zoho refused the password",
        "Zoho wants an app password when two-factor sign-in is on, and the host of your region.",
        "Create an app password at accounts.zoho.com.",
        "Check the region: imap.zoho.com, .eu, .in, .com.au, .jp, or imap.zohocloud.ca.",
        "For an address at your company's own domain use the hosts imappro and smtppro, such as imappro.zoho.eu and "
        "smtppro.zoho.eu.",
        meaning="reconnect",
    ),
    entry(
        "yandex_app_password",
        "Yandex refused the password, or does not allow mail programs yet",
        "{host} refused {username}. Yandex takes app passwords only, and none while the mailbox does not allow mail "
        "programs.",
        "Allow IMAP in the mailbox's settings under Email clients, and create an app password.",
        meaning="reconnect",
    ),
    entry(
        "fastmail_app_password",
        "Fastmail wants an app password",
        "Fastmail takes app passwords only.",
        "Create one under Settings, Privacy & Security, and use it here.",
        meaning="reconnect",
    ),
    entry(
        "mail_ru_app_password",
        "Mail.ru wants a password for external applications",
        "{host} takes no account password from mail programs.",
        "Create one in the account's security settings under Passwords for external applications "
        "(help.mail.ru/mail/security/protection/external), and use it here.",
        meaning="reconnect",
    ),
    entry(
        "app_password_needed",
        "An app password is needed",
        "{host} takes an app password only, because the account of {username} has two-factor sign-in.",
        "Create an app password in the account's security settings on the web, and use it here.",
        meaning="reconnect",
    ),
    entry(
        "own_mail_password",
        "Mail programs have a password of their own",
        "{host} refused {username}. It wants the password for mail programs, which is not the one of the account.",
        "Set it on the provider's web pages: it is called e-mail password or secure mail key there.",
        "Use that password here.",
        meaning="reconnect",
    ),
    entry(
        "mail_programs_off",
        "The password was refused, or mail programs are not allowed",
        "{host} refused {username}. It answers in these words to a wrong password, and also while IMAP is not switched "
        "on for the mailbox, which is how every mailbox begins there.",
        "Sign in on the web and switch on IMAP in the settings of the mailbox (POP3 & IMAP, or third-party access).",
        "With two-factor sign-in: create an app password there, and use it here.",
        "Check the connection again.",
        meaning="reconnect",
    ),
    entry(
        "imap_not_enabled",
        "IMAP is not switched on",
        "{host} says that IMAP was never switched on for {username}.",
        "Sign in on the web, open the settings of the mailbox, and switch on IMAP access.",
        "If the switch is missing: the administrator of your organisation has taken it away; ask for IMAP there.",
        meaning="reconnect",
    ),
    entry(
        "authorization_code_needed",
        "An authorization code is needed",
        "{host} takes an authorization code in place of the password.",
        "Switch on IMAP in the mailbox's settings and create an authorization code there.",
        meaning="reconnect",
    ),
    entry(
        "coremail_unsafe_login",
        "The provider calls the sign-in unsafe",
        "{host} let Postroom in and opens no folder.",
        "Create an authorization code in the mailbox's settings and use it in place of the password.",
        "If it stays so, report it: Postroom's introduction was not understood.",
        meaning="reconnect",
    ),
    entry(
        "imap_off",
        "IMAP is off for this mailbox",
        "{host} says that IMAP is not switched on.",
        "Switch on IMAP in the mailbox's settings on the web.",
        "If there is no such switch, the administrator of the mail service has to allow IMAP for the mailbox.",
        who="mail administrator",
        meaning="administrator",
    ),
)
