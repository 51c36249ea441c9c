"""Where a webhook may go: a table of addresses that point into our own network."""

from __future__ import annotations

import pytest

from services.channels import Outcome
from services.channels.address import AddressError, Reach, check, resolve

TRUSTED = Reach(trusted=frozenset({"127.0.0.1:9000"}))

PRIVATE = [
    pytest.param("http://127.0.0.1/", id="loopback"),
    pytest.param("http://127.1/", id="loopback, written short"),
    pytest.param("http://0x7f000001/", id="loopback, written as a number"),
    pytest.param("http://2130706433/", id="loopback, written as a decimal number"),
    pytest.param("http://localhost:8080/x", id="localhost"),
    pytest.param("http://LOCALHOST./", id="localhost with a dot"),
    pytest.param("http://a.localhost/", id="a name under localhost"),
    pytest.param("https://10.1.2.3/", id="private 10/8"),
    pytest.param("https://172.16.0.1/", id="private 172.16/12"),
    pytest.param("https://192.168.1.1/", id="private 192.168/16"),
    pytest.param("http://169.254.169.254/latest", id="link-local, the clouds' metadata"),
    pytest.param("http://100.64.0.1/", id="a carrier's network"),
    pytest.param("http://0.0.0.0/", id="unspecified"),
    pytest.param("http://224.0.0.1/", id="multicast"),
    pytest.param("http://192.0.0.8/", id="a protocol's own address"),
    pytest.param("http://192.0.0.192/", id="a cloud's metadata at a protocol's address"),
    pytest.param("http://192.88.99.1/", id="an old relay"),
    pytest.param("http://168.63.129.16/", id="a cloud's door into its hosts"),
    pytest.param("http://[3fff::1]/", id="documentation of IPv6"),
    pytest.param("http://[2002:c000:c0::]/", id="a cloud's metadata behind 6to4"),
    pytest.param("http://[::1]/", id="loopback of IPv6"),
    pytest.param("http://[fe80::1]/", id="link-local of IPv6"),
    pytest.param("http://[fd00::1]/", id="unique local of IPv6"),
    pytest.param("http://[::ffff:127.0.0.1]/", id="loopback within IPv6"),
    pytest.param("http://[64:ff9b::7f00:1]/", id="loopback behind NAT64"),
    pytest.param("http://[2002:7f00:1::]/", id="loopback behind 6to4"),
    pytest.param("http://[2001:0:7f00:1::80ff:fffe]/", id="loopback behind Teredo"),
    pytest.param("http://[::7f00:1]/", id="loopback, IPv4-compatible"),
    pytest.param("http://[fec0::1]/", id="site-local of IPv6"),
    pytest.param("http://[64:ff9b:1::7f00:1]/", id="loopback behind a local NAT64"),
    pytest.param("http://[5f00::1]/", id="segment routing"),
    pytest.param("http://[ff0e::1]/", id="global multicast of IPv6"),
    pytest.param("http://[::]/", id="unspecified of IPv6"),
]


@pytest.mark.parametrize("url", PRIVATE)
def test_private_addresses_are_refused_unless_allowed(url: str) -> None:
    with pytest.raises(AddressError) as refused:
        check(url, Reach())
    assert refused.value.outcome is Outcome.FORBIDDEN_ADDRESS
    assert check(url, Reach(private=True)).scheme in {"http", "https"}


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("ftp://example.org/", id="another scheme"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("http://", id="no host"),
        pytest.param("http://user:password@example.org/", id="a password"),
        pytest.param("http://@example.org/", id="an empty user"),
        pytest.param("http://example.org\\@127.0.0.1/", id="a host that two parsers read as two"),
        pytest.param("http://example.org:99999/", id="no such port"),
        pytest.param("http://example.org:0/", id="port 0"),
        pytest.param("http://example.org/a b", id="a space"),
        pytest.param("http://example.org/\x7f", id="a control character"),
        pytest.param("http://example.org/\u00fc", id="a letter that HTTP does not carry"),
        pytest.param("http://ex\u00e4mple.org/", id="a host that is not written as DNS does"),
        pytest.param("http://example.org/\r\nx: y", id="a line end"),
    ],
)
def test_what_is_no_webhook_url_is_refused_whatever_is_allowed(url: str) -> None:
    with pytest.raises(AddressError):
        check(url, Reach(private=True))


def test_public_urls_are_taken_apart() -> None:
    place = check("https://hooks.example.org:8443/a?b=c", Reach())
    assert (place.host, place.port, place.path) == ("hooks.example.org", 8443, "/a?b=c")
    assert place.host_header == "hooks.example.org:8443"


@pytest.mark.parametrize("host", ["8.8.8.8", "[2606:4700::1111]", "[::ffff:8.8.8.8]"])
def test_public_addresses_are_reached(host: str) -> None:
    assert check(f"https://{host}/", Reach()).port == 443


def test_a_trusted_place_is_its_host_and_its_port() -> None:
    assert check("http://127.0.0.1:9000/", TRUSTED).port == 9000
    with pytest.raises(AddressError):
        check("http://127.0.0.1:9001/", TRUSTED)


def test_a_name_with_one_private_address_is_refused_at_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def two_faced(host: str, port: int, **_: object) -> list:
        return [(2, 1, 6, "", ("93.184.215.14", port)), (2, 1, 6, "", ("10.0.0.1", port))]

    monkeypatch.setattr("socket.getaddrinfo", two_faced)
    with pytest.raises(AddressError) as refused:
        resolve(check("http://two-faced.example/", Reach()), Reach())
    assert refused.value.outcome is Outcome.FORBIDDEN_ADDRESS
