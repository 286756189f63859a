"""SRV records: priorities, weights, encryption, and "not offered" (RFC 6186, RFC 8314)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from postroom.providers.base import Security
from postroom.providers.discovery.found import Found, FoundServer
from postroom.providers.discovery.records import Offer, found_in_records
from postroom.providers.name_server import ServiceRecord

USUAL = ("ann@shop.test", "ann")


def offer(host: str, port: int, priority: int = 0, weight: int = 1, security: Security = "tls") -> Offer:
    return Offer(ServiceRecord(host, port, priority, weight), security)


def found(imap: list[Offer], smtp: list[Offer]) -> Found | None:
    return found_in_records({"imap": imap, "smtp": smtp}, "ann@shop.test", "shop.test")


def test_the_lowest_priority_wins_even_over_encryption_from_the_start() -> None:
    told = found([offer("tls.shop.test", 993, 10), offer("start.shop.test", 143, 5, security="starttls")], [])
    assert told is not None
    assert told.imap == FoundServer("start.shop.test", 143, "starttls", USUAL)
    assert told.smtp is None and told.not_offered == () and not told.is_decided


def test_among_equals_tls_from_the_start_comes_first_then_the_heavier() -> None:
    told = found(
        [offer("start.shop.test", 143, weight=90, security="starttls"), offer("tls.shop.test", 993)],
        [offer("light.shop.test", 465, weight=1), offer("heavy.shop.test", 465, weight=9)],
    )
    assert told is not None and told.imap is not None and told.smtp is not None
    assert (told.imap.host, told.smtp.host) == ("tls.shop.test", "heavy.shop.test")


def test_a_dot_says_that_a_service_is_not_offered() -> None:
    told = found([offer("imap.shop.test", 993), offer("", 0, security="starttls")], [offer("", 0)])
    assert told is not None and told.imap is not None
    assert (told.smtp, told.not_offered, told.is_decided) == (None, ("smtp",), True)


def test_no_records_and_senseless_ones_say_nothing() -> None:
    assert found([], []) is None
    assert found([offer("0x7f.1", 993), offer("imap.shop.test", 0), offer("127.1", 993)], []) is None


@given(st.permutations([offer(f"h{n}.shop.test", 993, n % 3, n % 2) for n in range(6)]))
def test_the_order_of_the_answer_does_not_matter(offers: list[Offer]) -> None:
    told = found(offers, [])
    assert told is not None and told.imap is not None and told.imap.host == "h3.shop.test"
