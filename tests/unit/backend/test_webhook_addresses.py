"""Where webhooks may lead: addresses and URLs."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.provisional import urls

from backend_lambda.webhooks.addresses import is_loopback, is_public
from backend_lambda.webhooks.url import UrlRefused, WebhookUrl, check_addresses, read_url

NAT64 = ip_network("64:ff9b::/96")
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:8.8.8.8",
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::8.8.8.8",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "223.255.255.255", "2606:4700::1111", "64:ff9b::8.8.8.8"]


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_what_is_not_the_public_internet_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_admitted(address: str) -> None:
    assert is_public(ip_address(address))


@settings(deadline=None)
@given(st.ip_addresses())
def test_nothing_that_python_calls_special_is_public(address: IPv4Address | IPv6Address) -> None:
    if is_public(address):
        assert address.is_global
        assert not (
            address.is_private
            or address.is_loopback
            or address.is_link_local
            or address.is_multicast
            or (address.is_reserved and address not in NAT64)
            or address.is_unspecified
        )


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_disguise_is_never_better_than_itself(address: IPv4Address) -> None:
    for disguised in (f"::ffff:{address}", f"::{address}", f"64:ff9b::{address}"):
        assert not is_public(IPv6Address(disguised)) or is_public(address)
        assert not is_loopback(IPv6Address(disguised)) or disguised == "::0.0.0.1"


REFUSED = [
    "",
    "hooks.example.com",
    "//hooks.example.com/",
    "ftp://hooks.example.com/",
    "http://hooks.example.com/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "https:/hooks.example.com/",
    "https:///path",
    "https://",
    "https://user@hooks.example.com/",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com%2f@127.0.0.1/",
    "https://127.0.0.1#@hooks.example.com/",
    "https://hooks.example.com/#fragment",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/a\r\nx-evil: 1",
    "https://hooks.example.com/\t",
    " https://hooks.example.com/",
    "https://hooks.example.com/\x00",
    "https://hooks.example.com/é",
    "https://hooks.example.com/%zz",
    "https://hooks.example.com/%",
    'https://hooks.example.com/"',
    "https://hooks.example.com\\path",
    "https://bücher.example/",
    "https://hooks。example。com/",
    "https://１２７.0.0.1/",
    "https://ⓔxample.com/",
    "https://hooks%2eexample.com/",
    "https://hooks_1.example.com/",
    "https://-hooks.example.com/",
    "https://hooks-.example.com/",
    "https://hooks..example.com/",
    "https://.example.com/",
    "https://hooks.example.com../",
    "https://./",
    f"https://{'a' * 64}.example.com/",
    f"https://{'a.' * 127}com/",
    "https://localhost/",
    "https://metadata/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.1/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://example.0x/",
    "https://[::1/",
    "https://[fe80::1%25eth0]/",
    "https://[::g]/",
    "https://[]/",
    "https://hooks.example.com:0/",
    "https://hooks.example.com:25/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:0443/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:99999/",
    "https://hooks.example.com:https/",
    "https://hooks.example.com:-1/",
    "https://hooks.example.com:443:443/",
    f"https://hooks.example.com/{'a' * 1000}",
]


@pytest.mark.parametrize("text", REFUSED)
def test_a_url_that_could_be_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(UrlRefused) as refused:
        read_url(text)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize(
    ("text", "written", "host", "port", "target"),
    [
        ("https://hooks.example.com", "https://hooks.example.com/", "hooks.example.com", 443, "/"),
        ("HTTPS://Hooks.Example.COM./", "https://hooks.example.com/", "hooks.example.com", 443, "/"),
        ("https://hooks.example.com:443/", "https://hooks.example.com/", "hooks.example.com", 443, "/"),
        ("https://hooks.example.com:8443/a", "https://hooks.example.com:8443/a", "hooks.example.com", 8443, "/a"),
        ("https://hooks.example.com?a=1", "https://hooks.example.com/?a=1", "hooks.example.com", 443, "/?a=1"),
        (
            "https://hooks.example.com/A/b%20c/..//d?x=https://y/?z@",
            "https://hooks.example.com/A/b%20c/..//d?x=https://y/?z@",
            "hooks.example.com",
            443,
            "/A/b%20c/..//d?x=https://y/?z@",
        ),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://1.1.1.1/", "https://1.1.1.1/", "1.1.1.1", 443, "/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/", "2606:4700::1111", 443, "/"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/", "2606:4700::1111", 8443, "/"),
    ],
)
def test_what_is_accepted_is_written_in_one_way(text: str, written: str, host: str, port: int, target: str) -> None:
    url = read_url(text)
    assert str(url) == written
    assert url == WebhookUrl("https", host, port, target) == read_url(written)


@settings(deadline=None)
@given(urls() | st.text(max_size=80) | st.from_regex(r"https://[^/]{1,30}(/.*)?", fullmatch=True))
def test_any_text_is_one_url_or_none(text: str) -> None:
    try:
        url = read_url(text)
    except UrlRefused:
        return
    assert url.is_encrypted
    assert read_url(str(url)) == url
    assert not set(str(url)) & set(" \t\r\n\\#\x00")
    assert "@" not in url.authority
    assert str(url).isascii()


def test_http_and_the_own_machine_are_read_where_development_says_so() -> None:
    assert str(read_url("http://localhost:8080/x", to_loopback=True)) == "http://localhost:8080/x"
    assert read_url("http://127.0.0.1", to_loopback=True).port == 80
    for text in ("http://metadata/", "http://2130706433/", "http://user@127.0.0.1/", "gopher://127.0.0.1/"):
        with pytest.raises(UrlRefused):
            read_url(text, to_loopback=True)


def check(text: str, *addresses: str, to_loopback: bool = False) -> None:
    check_addresses(
        read_url(text, to_loopback=to_loopback), [ip_address(found) for found in addresses], to_loopback=to_loopback
    )


def test_every_address_of_a_host_must_be_public() -> None:
    check("https://hooks.example.com/", "1.1.1.1", "2606:4700::1111")
    for addresses in (["1.1.1.1", "10.0.0.1"], ["10.0.0.1", "1.1.1.1"], ["1.1.1.1", "::1"], ["127.0.0.1"], []):
        with pytest.raises(UrlRefused):
            check("https://hooks.example.com/", *addresses)


def test_development_admits_loopback_and_nothing_else() -> None:
    for text in ("http://localhost:1/", "https://localhost/", "http://hooks.example.com/"):
        check(text, "127.0.0.1", "::1", to_loopback=True)
    check("https://hooks.example.com/", "1.1.1.1", to_loopback=True)
    for text, address in (
        ("http://hooks.example.com/", "1.1.1.1"),
        ("http://hooks.example.com/", "169.254.169.254"),
        ("https://hooks.example.com/", "169.254.169.254"),
        ("https://hooks.example.com/", "10.0.0.1"),
        ("https://hooks.example.com/", "::ffff:127.0.0.1"),
    ):
        with pytest.raises(UrlRefused):
            check(text, address, to_loopback=True)
