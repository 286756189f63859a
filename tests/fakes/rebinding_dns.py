"""A name server that changes its mind: the first question about a name gets one address, all later ones another."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset


class RebindingDns:
    """`asked` counts questions about addresses by name."""

    def __init__(self, first: Sequence[str], later: Sequence[str]) -> None:
        self.asked: Counter[str] = Counter()
        self._answers = (first, later)
        self._endpoint = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._endpoint.bind(("127.0.0.1", 0))
        self.port: int = self._endpoint.getsockname()[1]

    def serve(self) -> None:
        while True:
            octets, client = self._endpoint.recvfrom(4096)
            if not octets:
                return
            self._endpoint.sendto(self._answer(dns.message.from_wire(octets)), client)

    def _answer(self, query: dns.message.Message) -> bytes:
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        question = query.question[0]
        if question.rdtype == dns.rdatatype.A:
            name = question.name.to_text(omit_final_dot=True)
            addresses = self._answers[min(self.asked[name], 1)]
            self.asked[name] += 1
            response.answer.append(dns.rrset.from_text(question.name, 0, "IN", "A", *addresses))
        return response.to_wire()

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as endpoint:
            endpoint.sendto(b"", ("127.0.0.1", self.port))


@contextmanager
def rebinding_dns(first: Sequence[str], later: Sequence[str]) -> Iterator[RebindingDns]:
    server = RebindingDns(first, later)
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        server._endpoint.close()
