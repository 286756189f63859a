"""Finding the settings of an address, and what to prepare before its password is asked for."""

from __future__ import annotations

from postroom.providers.catalogue.entry import Entry, entry

ENTRIES: tuple[Entry, ...] = (
    entry(
        "settings_not_found",
        "No settings were found for this address",
        "Neither Postroom's list nor the domain of {address} says which servers to use.",
        "Look for “IMAP” and “SMTP” on the help pages of the mail service and type what they say.",
        "Ask who runs the mail of your domain.",
        meaning="settings",
    ),
    entry(
        "server_not_offered",
        "The domain offers no such server",
        "The domain of {address} says in its service records that it has no {server} server for mail programs.",
        "Ask who runs the mail of your domain how programs read and send it.",
        who="mail administrator",
        meaning="settings",
    ),
    # What to prepare; the code is the `advice` of what discovery found.
    entry(
        "use_google_sign_in",
        "Sign in at Google",
        "The mail of {address} is at Google. Signing in there gives Postroom a permission for this mailbox, which can "
        "be taken back at any time, and no password is kept here.",
        "Choose “Connect with Google”.",
        "Without it: switch on 2-step verification in the Google account and create an app password; the account's own "
        "password opens no mail program.",
        meaning="none",
    ),
    entry(
        "use_microsoft_sign_in",
        "Sign in at Microsoft",
        "The mail of {address} is at Microsoft, which lets no mail program read with a password any more, with an app "
        "password neither.",
        "Choose “Connect with Microsoft”.",
        meaning="none",
    ),
    entry(
        "prepare_yahoo",
        "Make an app password at Yahoo",
        "Yahoo lets programs in with an app password only.",
        "Open login.yahoo.com/account/security and choose “Generate app password”.",
        "Use it here in place of the account's password.",
        meaning="none",
    ),
    entry(
        "prepare_aol",
        "Make an app password at AOL",
        "AOL lets programs in with an app password only.",
        "Open login.aol.com/account/security and choose “Generate app password”.",
        "Use it here in place of the account's password.",
        meaning="none",
    ),
    entry(
        "prepare_att",
        "Make a secure mail key at AT&T",
        "AT&T lets programs in with a secure mail key only.",
        "Open your AT&T profile, Sign-in info, and choose “Manage secure mail key”.",
        "Use the key here in place of the password.",
        meaning="none",
    ),
    entry(
        "prepare_icloud",
        "Make an app-specific password at Apple",
        "iCloud lets programs in with an app-specific password only.",
        "Open account.apple.com, Sign-In and Security, App-Specific Passwords, and create one.",
        "Use it here in place of the account's password.",
        "For receiving, the user name is the part before the @; for sending, it is the whole address.",
        meaning="none",
    ),
    entry(
        "prepare_fastmail",
        "Make an app password at Fastmail",
        "Fastmail lets programs in with an app password only.",
        "Open Settings, Privacy & Security, and create one for IMAP and SMTP.",
        "Use it here in place of the account's password.",
        meaning="none",
    ),
    entry(
        "prepare_zoho",
        "Let mail programs in at Zoho",
        "Zoho opens a mailbox to programs when its settings allow IMAP, and wants an app password where two-factor "
        "sign-in is on.",
        "Open Zoho Mail's settings, Mail Accounts, and switch IMAP Access on.",
        "With two-factor sign-in: create an app password at accounts.zoho.com and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_gmx",
        "Let mail programs in at GMX",
        "GMX opens a mailbox to programs when its settings allow POP3 and IMAP.",
        "Open GMX on the web, Settings, POP3 & IMAP, and allow access.",
        "With two-factor sign-in: create an application-specific password there and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_web_de",
        "Let mail programs in at WEB.DE",
        "WEB.DE opens a mailbox to programs when its settings allow POP3 and IMAP. The user name is the part before "
        "the @.",
        "Open WEB.DE on the web, settings, POP3/IMAP, and allow access.",
        "With two-factor sign-in: create an application-specific password there and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_mail_com",
        "Let mail programs in at mail.com",
        "mail.com may open a mailbox to programs for paying customers only, and after its settings allow it.",
        "Open mail.com on the web, Settings, POP3 & IMAP, and allow access.",
        meaning="none",
    ),
    entry(
        "prepare_t_online",
        "Use the e-mail password of T-Online",
        "T-Online has a password of its own for mail programs.",
        "Set the e-mail password in the customer centre, and use it here in place of the Telekom login's.",
        meaning="none",
    ),
    entry(
        "prepare_comcast",
        "Let mail programs in at Comcast",
        "Comcast opens a mailbox to programs when third-party access is on.",
        "Open Xfinity Email on the web, Settings, Security, and switch “Third party access security” on.",
        meaning="none",
    ),
    entry(
        "prepare_yandex",
        "Let mail programs in at Yandex",
        "Yandex opens a mailbox to programs when its settings allow IMAP, and wants an app password.",
        "Open Yandex Mail's settings, Email clients, and allow IMAP with app passwords.",
        "Create an app password in the Yandex ID, for mail, and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_mail_ru",
        "Make a password for external apps at Mail.ru",
        "Mail.ru lets programs in with a password for external applications only.",
        "Open the account's settings, Security, Passwords for external applications, and create one.",
        "Use it here in place of the account's password.",
        meaning="none",
    ),
    entry(
        "prepare_seznam",
        "Let mail programs in at Seznam",
        "Seznam opens a mailbox to programs when its settings allow IMAP, and wants an app password where two-step "
        "sign-in is on.",
        "Open Seznam Email on the web, settings, POP3 & IMAP, and allow access.",
        "With two-step sign-in: create an app password there and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_polish",
        "Let mail programs in",
        "This service opens a mailbox to programs when its settings allow IMAP, and wants an app password where "
        "two-step sign-in is on.",
        "Open the mailbox on the web, its settings, and switch POP3/IMAP on.",
        "With two-step sign-in: create an app password there and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_qq",
        "Make an authorization code at Tencent",
        "QQ Mail lets programs in with an authorization code in place of the password.",
        "Open the mailbox on the web, Settings, Account, and switch the IMAP/SMTP service on.",
        "Use the code that is shown there.",
        meaning="none",
    ),
    entry(
        "prepare_netease",
        "Make an authorization code at NetEase",
        "This service lets programs in with an authorization code in place of the password, and a free mailbox has two "
        "of them at most.",
        "Open the mailbox on the web, Settings, POP3/SMTP/IMAP, and switch IMAP on.",
        "Use the code that is shown there.",
        meaning="none",
    ),
    entry(
        "prepare_naver",
        "Let mail programs in at Naver",
        "Naver opens a mailbox to programs when its settings allow IMAP, and wants an app password where two-step "
        "sign-in is on.",
        "Open Naver Mail on the web, settings, POP3/IMAP, and choose “in use” under IMAP/SMTP.",
        "With two-step sign-in: create an app password and use it here.",
        meaning="none",
    ),
    entry(
        "prepare_daum",
        "Let mail programs in at Daum",
        "Daum opens a mailbox to programs when its settings allow IMAP, and wants an app password.",
        "Open Daum Mail on the web, settings, IMAP/POP3, and switch IMAP on.",
        "Create an app password in the Kakao account and use it here.",
        meaning="none",
    ),
    entry(
        "use_proton_bridge",
        "Proton needs its Bridge",
        "Proton encrypts mailboxes, so no server of its own lets mail programs in: its Bridge program does, on the "
        "machine that it runs on.",
        "Let Proton Mail Bridge run where Postroom reaches it, and allow that network in POSTROOM_ALLOWED_NETWORKS.",
        "Type the host, ports, user name and password that the Bridge shows.",
        who="Postroom administrator",
        meaning="none",
    ),
)
