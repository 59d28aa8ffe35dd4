"""A name server of our own, on this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset


@contextmanager
def name_server(records: dict[str, list[str]]) -> Iterator[None]:
    """Let the resolver ask a server of our own, which knows these records and nothing of other names.

    `{"example.com": ["10 host."]}` are MX records; others name their kind: `{"host.example.com A": ["192.0.2.1"]}`.
    """
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            wire, client = server.recvfrom(4096)
            if not wire:
                return
            query = dns.message.from_wire(wire)
            (question,) = query.question
            answer = dns.message.make_response(query)
            name, kind = str(question.name).rstrip("."), dns.rdatatype.to_text(question.rdtype)
            found = records.get(f"{name} {kind}", records.get(name) if kind == "MX" else None)
            if found is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
            elif found:
                answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, *found))
            server.sendto(answer.to_wire(), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
    before, dns.resolver.default_resolver = dns.resolver.default_resolver, resolver
    try:
        yield
    finally:
        dns.resolver.default_resolver = before
        server.sendto(b"", server.getsockname())
        thread.join()
        server.close()
