"""The mail services that Postroom knows, region by region.

Hosts, ports and forms of the user name are facts, read in 2026-10 from Mozilla's database of mail settings and compared
with the settings that mail programs ship. TLS from the start is taken wherever a service offers it (RFC 8314 section
3.3). A domain of a service that is missing here is found by its MX records.
"""

from __future__ import annotations

from typing import Final

from postroom.providers.discovery.mail_services import Form, MailService, MailServices

_LOCAL: Final[tuple[Form, ...]] = ("local",)

_LARGE: Final = (
    MailService(
        "Gmail",
        "imap.gmail.com",
        "smtp.gmail.com",
        domains="gmail.com googlemail.com",
        provider="gmail",
        secret="app_password",
        advice=("use_google_sign_in",),
    ),
    MailService(
        "Google Workspace",
        "imap.gmail.com",
        "smtp.gmail.com",
        mx="google.com googlemail.com",
        provider="gmail",
        secret="app_password",
        advice=("use_google_sign_in",),
    ),
    MailService(
        "Outlook.com",
        "outlook.office365.com",
        "smtp-mail.outlook.com:587",
        domains="outlook.com outlook.at outlook.be outlook.cl outlook.co.id outlook.co.il outlook.co.th outlook.com.ar "
        "outlook.com.au outlook.com.br outlook.com.gr outlook.com.tr outlook.com.vn outlook.cz outlook.de outlook.dk "
        "outlook.es outlook.fr outlook.hu outlook.ie outlook.in outlook.it outlook.jp outlook.kr outlook.lv "
        "outlook.my outlook.ph outlook.pt outlook.sa outlook.sg outlook.sk hotmail.com hotmail.be hotmail.ch "
        "hotmail.co.jp hotmail.co.uk hotmail.com.ar hotmail.com.br hotmail.com.tr hotmail.de hotmail.es hotmail.fi "
        "hotmail.fr hotmail.it hotmail.nl hotmail.no hotmail.se live.com live.at live.be live.ca live.cl live.cn "
        "live.co.uk live.co.za live.com.ar live.com.au live.com.mx live.com.my live.com.pt live.com.sg live.de "
        "live.dk live.fi live.fr live.hk live.ie live.in live.it live.jp live.nl live.no live.ru live.se msn.com "
        "passport.com windowslive.com",
        provider="outlook",
        secret="none",
        advice=("use_microsoft_sign_in",),
    ),
    MailService(
        "Microsoft 365",
        "outlook.office365.com",
        "smtp.office365.com:587",
        mx="mail.protection.outlook.com mx.microsoft",
        provider="outlook",
        secret="none",
        advice=("use_microsoft_sign_in",),
    ),
    MailService(
        "Yahoo",
        "imap.mail.yahoo.com",
        "smtp.mail.yahoo.com",
        domains="yahoo.com yahoo.at yahoo.be yahoo.ca yahoo.cl yahoo.co.id yahoo.co.il yahoo.co.in yahoo.co.kr "
        "yahoo.co.nz yahoo.co.th yahoo.co.uk yahoo.co.za yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.co "
        "yahoo.com.hk yahoo.com.mx yahoo.com.my yahoo.com.pe yahoo.com.ph yahoo.com.sg yahoo.com.tr yahoo.com.tw "
        "yahoo.com.ve yahoo.com.vn yahoo.cz yahoo.de yahoo.dk yahoo.es yahoo.fi yahoo.fr yahoo.gr yahoo.hu yahoo.ie "
        "yahoo.in yahoo.it yahoo.nl yahoo.no yahoo.pl yahoo.pt yahoo.ro yahoo.se ymail.com rocketmail.com",
        mx="yahoodns.net",
        secret="app_password",
        advice=("prepare_yahoo",),
    ),
    MailService(
        "AOL",
        "imap.aol.com",
        "smtp.aol.com",
        domains="aol.com aim.com aol.co.uk aol.de aol.fr verizon.net",
        mx="mx-aol.mail.gm0.yahoodns.net",
        secret="app_password",
        advice=("prepare_aol",),
    ),
    MailService(
        "AT&T",
        "imap.mail.att.net",
        "smtp.mail.att.net",
        domains="att.net ameritech.net bellsouth.net flash.net nvbell.net pacbell.net prodigy.net sbcglobal.net "
        "snet.net swbell.net wans.net",
        secret="app_password",
        advice=("prepare_att",),
    ),
    MailService(
        "iCloud Mail",
        "imap.mail.me.com",
        "smtp.mail.me.com:587",
        domains="icloud.com me.com mac.com",
        mx="mail.icloud.com",
        imap_forms=("local", "address"),
        secret="app_password",
        advice=("prepare_icloud",),
    ),
    MailService(
        "Fastmail",
        "imap.fastmail.com",
        "smtp.fastmail.com",
        domains="fastmail.com fastmail.fm fastmail.cn fastmail.co.uk fastmail.com.au fastmail.de fastmail.es "
        "fastmail.in fastmail.jp fastmail.net fastmail.nl fastmail.org fastmail.se fastmail.to fastmail.us "
        "messagingengine.com sent.com",
        mx="messagingengine.com",
        secret="app_password",
        advice=("prepare_fastmail",),
    ),
    MailService(
        "Proton Mail",
        "",
        "",
        domains="proton.me protonmail.com protonmail.ch pm.me",
        mx="protonmail.ch",
        secret="bridge_password",
        advice=("use_proton_bridge",),
    ),
)


def _zoho(region: str, mail: str) -> MailService:
    return MailService(
        f"Zoho Mail ({region})",
        f"imap.{mail}",
        f"smtp.{mail}",
        domains="zohomail.com zoho.com" if mail == "zoho.com" else f"zohomail.{mail.partition('.')[2]}",
        mx=mail,
        advice=("prepare_zoho",),
    )


# A customer's own domain may need the hosts imappro and smtppro: zoho_app_password says so when these refuse.
_ZOHO: Final = tuple(
    _zoho(region, mail)
    for region, mail in (
        ("international", "zoho.com"),
        ("Europe", "zoho.eu"),
        ("India", "zoho.in"),
        ("Australia", "zoho.com.au"),
        ("Japan", "zoho.jp"),
        ("Canada", "zohocloud.ca"),
    )
)

_GERMAN: Final = (
    MailService(
        "GMX",
        "imap.gmx.com",
        "mail.gmx.com",
        domains="gmx.com gmx.us gmx.co.uk gmx.es gmx.fr gmx.ca gmx.tm gmx.sg gmx.pt gmx.li",
        advice=("prepare_gmx",),
    ),
    MailService(
        "GMX",
        "imap.gmx.net",
        "mail.gmx.net",
        domains="gmx.net gmx.de gmx.at gmx.ch gmx.eu gmx.biz gmx.info gmx.org",
        advice=("prepare_gmx",),
    ),
    MailService(
        "WEB.DE",
        "imap.web.de",
        "smtp.web.de",
        domains="web.de email.de",
        imap_forms=_LOCAL,
        smtp_forms=_LOCAL,
        advice=("prepare_web_de",),
    ),
    MailService(
        "IONOS",
        "imap.1und1.de",
        "smtp.1und1.de",
        domains="1und1.de go4more.de online.de onlinehome.de sofort-start.de sofort-surf.de sofortstart.de "
        "sofortsurf.de",
        mx="kundenserver.de ionos.de 1und1.de",
    ),
    MailService(
        "T-Online",
        "secureimap.t-online.de",
        "securesmtp.t-online.de",
        domains="t-online.de magenta.de",
        secret="app_password",
        advice=("prepare_t_online",),
    ),
    MailService("STRATO", "imap.strato.de", "smtp.strato.de", domains="strato.de", mx="rzone.de"),
    MailService(
        "Posteo",
        "posteo.de",
        "posteo.de",
        domains="posteo.de posteo.net posteo.org posteo.eu posteo.at posteo.be posteo.ch posteo.es posteo.me "
        "posteo.nl posteo.us",
    ),
    MailService("Hetzner", "mail.your-server.de", "mail.your-server.de", domains="your-server.de", mx="your-server.de"),
)

_FRENCH_AND_ITALIAN: Final = (
    MailService("Orange", "imap.orange.fr", "smtp.orange.fr", domains="orange.fr wanadoo.fr"),
    MailService("Free", "imap.free.fr", "smtp.free.fr", domains="free.fr", imap_forms=_LOCAL, smtp_forms=_LOCAL),
    MailService("SFR", "imap.sfr.fr", "smtp.sfr.fr", domains="sfr.fr neuf.fr cegetel.net club-internet.fr"),
    MailService(
        "La Poste",
        "imap.laposte.net",
        "smtp.laposte.net",
        domains="laposte.net",
        imap_forms=_LOCAL,
        smtp_forms=_LOCAL,
    ),
    MailService("OVH", "ssl0.ovh.net", "ssl0.ovh.net", domains="ovh.net ovh.fr", mx="ovh.net"),
    MailService("Gandi", "mail.gandi.net", "mail.gandi.net", domains="gandi.net", mx="gandi.net"),
    MailService(
        "Libero", "imapmail.libero.it", "smtp.libero.it", domains="libero.it inwind.it iol.it blu.it giallo.it"
    ),
    MailService("Virgilio", "in.virgilio.it", "out.virgilio.it", domains="virgilio.it"),
)

_ENGLISH: Final = (
    MailService(
        "mail.com",
        "imap.mail.com",
        "smtp.mail.com",
        domains="mail.com accountant.com activist.com allergist.com alumni.com archaeologist.com artlover.com asia.com "
        "bartender.net bikerider.com birdlover.com brew-meister.com cheerful.com chef.net chemist.com clerk.com "
        "clubmember.org collector.org columnist.com comic.com computer4u.com consultant.com contractor.net "
        "coolsite.net counsellor.com cyberservices.com deliveryman.com diplomats.com disposable.com doctor.com dr.com "
        "email.com engineer.com europe.com execs.com fastservice.com financier.com fireman.net gardener.com "
        "geologist.com graduate.org graphic-designer.com groupmail.com hairdresser.net homemail.com hot-shot.com "
        "iname.com instruction.com instructor.net insurer.com job4u.com journalist.com keromail.com lawyer.com "
        "legislator.com linuxmail.org lobbyist.com mexico.com minister.com moscowmail.com musician.org myself.com "
        "net-shopping.com null.net optician.com orthodontist.net pediatrician.com photographer.net physicist.net "
        "planetmail.com planetmail.net politician.com post.com presidency.com priest.com programmer.net publicist.com "
        "qualityservice.com radiologist.net realtyagent.com registerednurses.com repairman.com representative.com "
        "rescueteam.com salesperson.net scientist.com secretary.net socialworker.net sociologist.com solution4u.com "
        "songwriter.net surgical.net swissmail.com teachers.org tech-center.com techie.com technologist.com "
        "therapist.net toothfairy.com tvstar.com umpire.com usa.com workmail.com writeme.com",
        mx="mail.com",
        advice=("prepare_mail_com",),
    ),
    MailService("IONOS", "imap.ionos.com", "smtp.ionos.com", mx="ionos.com ionos.co.uk 1and1.com perfora.net"),
    MailService(
        "Rackspace Email",
        "secure.emailsrvr.com",
        "secure.emailsrvr.com",
        domains="emailsrvr.com",
        mx="emailsrvr.com",
    ),
    MailService(
        "GoDaddy Workspace",
        "imap.secureserver.net",
        "smtpout.secureserver.net",
        domains="secureserver.net",
        mx="secureserver.net",
    ),
    MailService(
        "Comcast",
        "imap.comcast.net",
        "smtp.comcast.net",
        domains="comcast.net",
        advice=("prepare_comcast",),
    ),
    MailService(
        "BT", "mail.btinternet.com", "mail.btinternet.com", domains="btinternet.com btopenworld.com talk21.com"
    ),
    MailService("Telstra", "imap.telstra.com", "smtp.telstra.com", domains="telstra.com bigpond.com bigpond.net.au"),
    MailService("one.com", "imap.one.com", "send.one.com", domains="one.com", mx="one.com"),
)

_EASTERN: Final = (
    MailService(
        "Yandex Mail",
        "imap.yandex.com",
        "smtp.yandex.com",
        domains="yandex.com yandex.ru yandex.by yandex.kz yandex.ua yandex.com.tr ya.ru narod.ru",
        mx="yandex.net yandex.ru",
        secret="app_password",
        advice=("prepare_yandex",),
    ),
    MailService(
        "Mail.ru",
        "imap.mail.ru",
        "smtp.mail.ru",
        domains="mail.ru inbox.ru list.ru bk.ru internet.ru",
        mx="mail.ru",
        secret="app_password",
        advice=("prepare_mail_ru",),
    ),
    MailService(
        "Seznam",
        "imap.seznam.cz",
        "smtp.seznam.cz",
        domains="seznam.cz email.cz post.cz spoluzaci.cz",
        mx="seznam.cz",
        advice=("prepare_seznam",),
    ),
    MailService(
        "WP Poczta",
        "imap.wp.pl",
        "smtp.wp.pl",
        domains="wp.pl",
        imap_forms=_LOCAL,
        smtp_forms=_LOCAL,
        advice=("prepare_polish",),
    ),
    MailService(
        "o2 Poczta",
        "poczta.o2.pl",
        "poczta.o2.pl",
        domains="o2.pl go2.pl tlen.pl prokonto.pl",
        imap_forms=_LOCAL,
        smtp_forms=_LOCAL,
        advice=("prepare_polish",),
    ),
    MailService(
        "Onet Poczta",
        "imap.poczta.onet.pl",
        "smtp.poczta.onet.pl",
        domains="onet.pl onet.eu op.pl poczta.onet.pl poczta.onet.eu vp.pl",
        advice=("prepare_polish",),
    ),
)

_ASIAN: Final = (
    MailService(
        "QQ Mail",
        "imap.qq.com",
        "smtp.qq.com",
        domains="qq.com vip.qq.com foxmail.com",
        imap_forms=("address", "local"),  # the two lists differ here
        secret="authorization_code",
        advice=("prepare_qq",),
    ),
    MailService(
        "Tencent Exmail",
        "imap.exmail.qq.com",
        "smtp.exmail.qq.com",
        domains="exmail.qq.com",
        mx="qq.com",
        secret="authorization_code",
        advice=("prepare_qq",),
    ),
    MailService(
        "NetEase 163",
        "imap.163.com",
        "smtp.163.com",
        domains="163.com",
        secret="authorization_code",
        advice=("prepare_netease",),
    ),
    MailService(
        "NetEase 126",
        "imap.126.com",
        "smtp.126.com",
        domains="126.com",
        secret="authorization_code",
        advice=("prepare_netease",),
    ),
    MailService("Naver", "imap.naver.com", "smtp.naver.com", domains="naver.com", advice=("prepare_naver",)),
    MailService(
        "Daum",
        "imap.daum.net",
        "smtp.daum.net",
        domains="daum.net hanmail.net",
        secret="app_password",
        advice=("prepare_daum",),
    ),
)

SERVICES: Final = (*_LARGE, *_ZOHO, *_GERMAN, *_FRENCH_AND_ITALIAN, *_ENGLISH, *_EASTERN, *_ASIAN)
TABLE: Final = MailServices(SERVICES)
