"""Domains at which private persons have their mailboxes: an address there says nothing about a company.

The big ones of each region, by the public sign-up pages of the providers named; whoever is missing counts as a company.
"""

from __future__ import annotations

from typing import Final

_LISTED: Final = """
    gmail.com googlemail.com
    outlook.com outlook.de outlook.fr outlook.es outlook.it hotmail.com hotmail.co.uk hotmail.de hotmail.fr hotmail.es
    hotmail.it live.com live.co.uk live.de live.fr live.nl live.it msn.com passport.com
    icloud.com me.com mac.com
    yahoo.com yahoo.co.uk yahoo.co.in yahoo.co.jp yahoo.com.br yahoo.com.au yahoo.de yahoo.fr yahoo.es yahoo.it yahoo.ca
    ymail.com rocketmail.com aol.com aol.de aim.com att.net sbcglobal.net bellsouth.net comcast.net verizon.net cox.net
    gmx.de gmx.net gmx.at gmx.ch gmx.com gmx.fr web.de mail.com email.com t-online.de magenta.de freenet.de arcor.de
    posteo.de mailbox.org vodafone.de 1und1.de online.de
    proton.me protonmail.com protonmail.ch pm.me tutanota.com tutanota.de tuta.com tuta.io fastmail.com fastmail.fm
    hushmail.com hey.com zohomail.com zohomail.eu
    orange.fr wanadoo.fr free.fr laposte.net sfr.fr neuf.fr bbox.fr
    libero.it virgilio.it tin.it alice.it tiscali.it fastwebnet.it
    telenet.be skynet.be ziggo.nl kpnmail.nl planet.nl xs4all.nl home.nl
    bluewin.ch hispeed.ch sunrise.ch a1.net aon.at chello.at
    btinternet.com sky.com virginmedia.com talktalk.net ntlworld.com blueyonder.co.uk
    telia.com bredband.net online.no mail.dk elisanet.fi kolumbus.fi
    wp.pl o2.pl onet.pl interia.pl gazeta.pl seznam.cz centrum.cz post.cz azet.sk freemail.hu citromail.hu abv.bg
    yandex.ru yandex.com ya.ru mail.ru bk.ru inbox.ru list.ru rambler.ru ukr.net i.ua
    qq.com foxmail.com 163.com 126.com yeah.net sina.com sina.cn sohu.com aliyun.com 139.com naver.com daum.net
    hanmail.net rediffmail.com
    uol.com.br bol.com.br terra.com.br ig.com.br rogers.com shaw.ca sympatico.ca bigpond.com optusnet.com.au
"""
PRIVATE_DOMAINS: Final = frozenset(_LISTED.split())
