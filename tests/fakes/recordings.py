"""What mail services were heard to say: greetings, offers and refusals, word for word.

From research/providers.md 2.6 and 2.7 and the public threads named beside a line. Where no greeting was on record, the
service has a plain one. Host names are the services' own, since the table of causes goes by them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Service:
    """One mail service. A refusal is what it says to a sign-in, and the code of the catalogue that it means."""

    imap_host: str
    smtp_host: str
    imap_refusals: dict[str, str] = field(default_factory=dict)
    smtp_refusals: dict[str, str] = field(default_factory=dict)
    imap_greeting: str = "* OK IMAP4rev1 ready"
    capability: str = "IMAP4rev1 SASL-IR AUTH=PLAIN ID"
    smtp_greeting: str = "220 ESMTP ready"
    offers: tuple[str, ...] = ("AUTH PLAIN LOGIN",)


SERVICES = {
    "Gmail": Service(
        "imap.gmail.com",
        "smtp.gmail.com",
        imap_greeting="* OK Gimap ready for requests from 192.0.2.7 w197mb115006947wme",  # owncloud/mail#934
        capability="IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 "
        "AUTH=PLAIN AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER",
        smtp_greeting="220 smtp.gmail.com ESMTP h26sm30121397pfq.64 - gsmtp",
        offers=("SIZE 35882577", "8BITMIME", "AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER", "SMTPUTF8"),
        imap_refusals={
            "NO [ALERT] Application-specific password required: "
            "https://support.google.com/accounts/answer/185833 (Failure)": "gmail_app_password",
            "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)": "gmail_app_password",
            "NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable "
            "your account for IMAP access. (Failure)": "gmail_imap_off",
            "NO [ALERT] IMAP access is disabled for your domain. Please contact your domain administrator for "
            "questions about this feature. (Failure)": "gmail_imap_off",
            "NO [ALERT] Please log in via your web browser: "
            "https://support.google.com/mail/accounts/answer/78754 (Failure)": "browser_sign_in_needed",
            "NO [WEBALERT https://accounts.google.com/ContinueSignIn?sarp=1] Web login required.": (
                "browser_sign_in_needed"
            ),
            "NO [ALERT] Too many simultaneous connections. (Failure)": "too_many_connections",
        },
        smtp_refusals={
            "534-5.7.9 Application-specific password required. For more information, go to\r\n"
            "534 5.7.9  https://support.google.com/mail/?p=InvalidSecondFactor h26sm - gsmtp": "gmail_app_password",
            "535-5.7.8 Username and Password not accepted. Learn more at\r\n"
            "535 5.7.8  https://support.google.com/mail/?p=BadCredentials o21-v6sm - gsmtp": "gmail_app_password",
            "534-5.7.14 <https://accounts.google.com/signin/continue> Please log in via your web browser and\r\n"
            "534 5.7.14 then try again. - gsmtp": "browser_sign_in_needed",
            "454 4.7.0 Too many login attempts, please try again later. - gsmtp": "too_many_sign_ins",
        },
    ),
    "Microsoft": Service(
        "outlook.office365.com",
        "smtp.office365.com",
        imap_greeting="* OK The Microsoft Exchange IMAP4 service is ready. [UABSADMAUAAy]",
        capability="IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS MOVE ID UNSELECT CHILDREN IDLE NAMESPACE "
        "LITERAL+",
        smtp_greeting="220 LO2P265CA0482.outlook.office365.com Microsoft ESMTP MAIL Service ready",
        offers=("SIZE 157286400", "PIPELINING", "AUTH LOGIN XOAUTH2", "8BITMIME", "SMTPUTF8"),
        imap_refusals={
            "NO LOGIN failed.": "microsoft_no_passwords",
            "NO AUTHENTICATE failed.": "microsoft_no_passwords",
            "NO Basic authentication is disabled.": "microsoft_no_passwords",
            "BAD User is authenticated but not connected.": "microsoft_imap_off",
            "BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds": "throttled",
        },
        smtp_refusals={
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit "
            "https://aka.ms/smtp_auth_disabled for more information. [LO2P265CA0482.GBRP265.PROD.OUTLOOK.COM]": (
                "microsoft_smtp_auth_off_everywhere"
            ),
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit "
            "https://aka.ms/smtp_auth_disabled for more information.": "microsoft_smtp_auth_off",
            "504 5.7.4 Unrecognized authentication type": "microsoft_smtp_auth_off",
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
            "[LO2P265CA0482.GBRP265.PROD.OUTLOOK.COM]": "microsoft_sends_no_passwords",
            "550 5.7.30 Basic authentication is not supported for Client Submission.": "microsoft_sends_no_passwords",
            "535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. "
            "Contact your administrator.": "microsoft_blocked_by_policy",
            "535 5.7.139 Authentication unsuccessful, the request did not meet the criteria to be authenticated "
            "successfully. Contact your administrator.": "microsoft_blocked_by_policy",
            "535 5.7.3 Authentication unsuccessful [LO2P265CA0482.GBRP265.PROD.OUTLOOK.COM]": (
                "microsoft_password_refused"
            ),
            "535 5.7.139 Authentication unsuccessful, the user credentials were incorrect.": (
                "microsoft_password_refused"
            ),
            "535 5.7.139 Authentication unsuccessful, account locked.": "account_locked",
        },
    ),
    "Yahoo": Service(
        "imap.mail.yahoo.com",
        "smtp.mail.yahoo.com",
        imap_greeting="* OK Welcome! IMAP Server up and ready to accept your request",  # enough_mail#245
        capability="IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE UIDPLUS LITERAL+ "
        "CHILDREN UNSELECT X-MSG-EXT OBJECTID IDLE ENABLE UIDONLY LIST-EXTENDED LIST-STATUS SPECIAL-USE "
        "MESSAGELIMIT=1000 PARTIAL APPENDLIMIT=41697280",
        imap_refusals={
            "NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials": "yahoo_app_password",
            "NO [AUTHENTICATIONFAILED] AUTHENTICATE Invalid credentials": "yahoo_app_password",
        },
        smtp_refusals={
            "535 5.7.0 (#AUTH005) Too many bad auth attempts.": "yahoo_app_password",
            "535 5.7.0 (#MBR1212) Incorrect username or password. Bad credentials": "yahoo_app_password",
        },
    ),
    "iCloud": Service(
        "imap.mail.me.com",
        "smtp.mail.me.com",
        imap_refusals={"NO [AUTHENTICATIONFAILED] Authentication failed": "icloud_app_password"},
        smtp_refusals={"535 5.7.8 Error: authentication failed: authentication failure": "icloud_app_password"},
    ),
    "Zoho": Service(
        "imap.zoho.eu",
        "smtp.zoho.eu",
        imap_refusals={
            "NO You are yet to enable IMAP for your account. Please contact your administrator": "imap_not_enabled",
            "NO [AUTHENTICATIONFAILED] Invalid credentials(Failure)": "zoho_app_password",
        },
        smtp_refusals={"535 Authentication Failed": "zoho_app_password"},
    ),
    "Fastmail": Service(
        "imap.fastmail.com",
        "smtp.fastmail.com",
        imap_refusals={"NO [AUTHENTICATIONFAILED] Authentication failed": "fastmail_app_password"},
        smtp_refusals={"535 5.7.8 Error: authentication failed": "fastmail_app_password"},
    ),
    "Yandex": Service(
        "imap.yandex.com",
        "smtp.yandex.com",
        imap_greeting="* OK Yandex IMAP4rev1 at imap53p.mail.yandex.net:993 ready to talk with ::ffff:192.0.2.7:39078",
        capability="IMAP4rev1 CHILDREN UNSELECT LITERAL+ NAMESPACE XLIST BINARY UIDPLUS ENABLE ID AUTH=PLAIN "
        "AUTH=XOAUTH2 IDLE MOVE",  # Foundry376/Mailspring#904
        imap_refusals={
            "NO [AUTHENTICATIONFAILED] LOGIN invalid credentials or IMAP is disabled sc=cYXlpv732Cg1_010534_2": (
                "yandex_app_password"
            ),
        },
        smtp_refusals={
            "535 5.7.8 Error: authentication failed: This user does not have access rights to this service": (
                "yandex_app_password"
            ),
        },
    ),
    "Mail.ru": Service(
        "imap.mail.ru",
        "smtp.mail.ru",
        smtp_refusals={
            "535 5.7.0 NEOBHODIM parol prilozheniya https://help.mail.ru/mail/security/protection/external / "
            "Application password is REQUIRED": "mail_ru_app_password",  # lmanukyan/print-designer#5
        },
    ),
    "163": Service(
        "imap.163.com",
        "smtp.163.com",
        imap_greeting="* OK Coremail System IMap Server Ready(163com)",
        capability="IMAP4rev1 XLIST SPECIAL-USE ID LITERAL+ STARTTLS XAPPLEPUSHSERVICE UIDPLUS X-CM-EXT-1",
        imap_refusals={"NO LOGIN Login error or password error": "authorization_code_needed"},
        smtp_refusals={
            "535 Error: authentication failed": "authorization_code_needed",
            "550 User has no permission": "authorization_code_needed",
        },
    ),
    "QQ": Service(
        "imap.qq.com",
        "smtp.qq.com",
        imap_refusals={  # chengazhen/cursor-auto-free#294
            "NO Login fail. Account is abnormal, service is not open, password is incorrect, login frequency limited, "
            "or system is busy.": "authorization_code_needed",
        },
        smtp_refusals={
            "535 Login Fail. Please enter your authorization code to login.": "authorization_code_needed",
        },
    ),
    "GMX": Service(
        "imap.gmx.net",
        "mail.gmx.net",
        imap_refusals={"NO authentication failed": "mail_programs_off"},  # jens-maus/yam#638
        smtp_refusals={"535 Authentication credentials invalid": "mail_programs_off"},
    ),
    "T-Online": Service(
        "secureimap.t-online.de",
        "securesmtp.t-online.de",
        imap_refusals={"NO [AUTHENTICATIONFAILED] Authentication failed.": "own_mail_password"},
        smtp_refusals={"535 5.7.0 Authentication failed": "own_mail_password"},
    ),
    "a hoster with Dovecot and Exim": Service(
        "mail.hoster.example",
        "mail.hoster.example",
        imap_refusals={
            "NO [AUTHENTICATIONFAILED] Authentication failed.": "sign_in_refused",
            "NO [UNAVAILABLE] Temporary authentication failure.": "server_unavailable",
            "NO [LIMIT] Too many commands": "limit_reached",
            "NO [EXPIRED] That password isn't valid any more": "password_expired",
            "NO [CONTACTADMIN] Ask the helpdesk": "needs_administrator",
            "NO [PRIVACYREQUIRED] Plaintext authentication disallowed": "encryption_required",
            "NO account suspended": "account_closed",
            "NO Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)": (
                "too_many_connections"
            ),
        },
        smtp_refusals={
            "535 Incorrect authentication data": "sign_in_refused",
            "530 5.7.0 Must issue a STARTTLS command first": "encryption_required",
            "454 4.7.0 Temporary authentication failure": "server_unavailable",
            "421 4.7.0 Service not available": "server_unavailable",
            "535 5.7.1 This account is disabled: account disabled": "account_closed",
        },
    ),
    "a hoster with Courier": Service(
        "imap.courier.example",
        "smtp.courier.example",
        imap_greeting="* OK [CAPABILITY IMAP4rev1 UIDPLUS CHILDREN NAMESPACE IDLE ACL ENABLE UTF8=ACCEPT] Courier-IMAP "
        "ready. Copyright 1998-2021 Double Precision, Inc.",
        capability="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE",
        imap_refusals={"NO Login failed.": "sign_in_refused"},
    ),
    "a hoster with Cyrus": Service(
        "imap.cyrus.example",
        "smtp.cyrus.example",
        imap_refusals={"NO Login failed: authentication failure": "sign_in_refused"},
        smtp_refusals={"535 5.7.8 Error: authentication failed: authentication failure": "sign_in_refused"},
    ),
}
