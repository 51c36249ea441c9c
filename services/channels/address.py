"""Where a webhook may go: the guard against being sent into our own network.

Who comes in: a URL of a subscription. Who goes out: an address that was checked, to connect to
and to no other. A name is looked up once, every address it has is judged, and the connection
goes to the judged address itself: a name that changes its mind in between gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import orjson

from services.channels import Outcome

DEFAULT_PORTS = {"http": 80, "https": 443}
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
# Addresses that carry an IPv4 address inside: what counts is the one inside.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# All that is routed in public. Beyond it lie ways home that no list of private networks names:
# site-local and IPv4-compatible addresses, a local NAT64, segment routing.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Never a receiver's, though not every Python we run on (or none) calls them private: protocols' own
# addresses and old relays, addresses for documents, and doors of clouds into their own hosts.
_NOBODYS: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
    *map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")),
    *map(ipaddress.IPv6Network, ("2001::/23", "3fff::/20")),
)


class AddressError(Exception):
    """This URL cannot be called; `outcome` names why. The text names no address."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        """Keep the reason as an outcome, for the attempt's row."""
        super().__init__(why)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Place:
    """A URL taken apart."""

    scheme: str
    host: str
    port: int
    path: str  # with the query

    @property
    def host_header(self) -> str:
        """As HTTP wants it: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reach:
    """What the settings allow: all private addresses, or only the `trusted` `host:port`s; mail."""

    private: bool = False
    trusted: frozenset[str] = frozenset()
    mail: bool = False

    def allows_private(self, place: Place) -> bool:
        """Whether this place may have a private address."""
        return self.private or f"{place.host}:{place.port}" in self.trusted


def parse(url: str) -> Place:
    """Take `url` apart. Raises AddressError for one that no webhook can have."""
    if not url.isascii() or not url.isprintable() or " " in url:
        why = "holds spaces or letters that a URL writes otherwise (%C3%A4, xn--...)"
        raise AddressError(Outcome.UNREACHABLE, why)
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as error:
        raise AddressError(Outcome.UNREACHABLE, "not a URL") from error
    if parts.scheme not in DEFAULT_PORTS:
        raise AddressError(Outcome.UNREACHABLE, "the scheme is neither http nor https")
    if not host or "@" in parts.netloc:
        raise AddressError(Outcome.UNREACHABLE, "needs a host, and neither user nor password")
    if port == 0:
        raise AddressError(Outcome.UNREACHABLE, "port 0 cannot be called")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], path)


@lru_cache(4096)
def endpoint(channel: str) -> str:
    """Who is called by a subscription's `channel` (its JSON): scheme, host and port, or the kind.

    Never an error: what cannot be called is an endpoint of its own.
    """
    try:
        target = orjson.loads(channel)
        if not isinstance(target, dict) or "url" not in target:
            return str(target.get("kind")) if isinstance(target, dict) else channel
        place = parse(str(target["url"]))
    except (orjson.JSONDecodeError, AddressError):
        return channel
    return f"{place.scheme}://{place.host}:{place.port}"


def check(url: str, reach: Reach) -> Place:
    """`parse`, and refuse what is plainly private without asking the network. For the door."""
    place = parse(url)
    literal = _literal(place.host)
    local_name = place.host == "localhost" or place.host.endswith(".localhost")
    if not reach.allows_private(place) and (
        local_name or (literal is not None and not is_public(literal))
    ):
        raise AddressError(Outcome.FORBIDDEN_ADDRESS, "a private, loopback or link-local address")
    return place


def resolve(place: Place, reach: Reach) -> list[str]:
    """The addresses to connect to. Raises AddressError unless all of the name's are allowed."""
    try:
        found = socket.getaddrinfo(
            place.host, place.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError) as error:
        raise AddressError(Outcome.UNREACHABLE, "the name has no address") from error
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not addresses:
        raise AddressError(Outcome.UNREACHABLE, "the name has no address")
    if not reach.allows_private(place) and not all(
        is_public(ipaddress.ip_address(each)) for each in addresses
    ):
        raise AddressError(
            Outcome.FORBIDDEN_ADDRESS, "the name has a private, loopback or link-local address"
        )
    return addresses


def is_public(address: IPAddress) -> bool:
    """Whether `address` belongs to the internet at large, and so does what it wraps."""
    inner = _inner(address)
    if inner is not None:
        return is_public(inner)
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if any(address in network for network in _NOBODYS):
        return False
    return address.is_global and not address.is_multicast


def _inner(address: IPAddress) -> IPAddress | None:
    """The IPv4 address within an IPv6 one, where there is one."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _literal(host: str) -> IPAddress | None:
    """`host` as an address, also in the spellings a resolver takes (`127.1`, `0x7f000001`)."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except (OSError, UnicodeEncodeError):
        return None
