"""Rates at the edge."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bot.guards import EdgeGuard, EdgeSettings


def guard(**rates: Any) -> EdgeGuard:
    return EdgeGuard(dataclasses.replace(EdgeSettings(), **rates))


def test_client_over_its_rate_is_stopped() -> None:
    edge = guard(recipients="2 per hour")
    assert [edge.may_name_recipient("192.0.2.1") for _ in range(3)] == [True, True, False]


def test_clients_are_counted_apart() -> None:
    edge = guard(connections="1 per hour")
    assert edge.may_connect("192.0.2.1")
    assert edge.may_connect("192.0.2.2")


def test_clients_of_one_ipv6_site_are_one() -> None:
    edge = guard(connections="1 per hour")
    assert edge.may_connect("2001:db8::1")
    assert not edge.may_connect("2001:db8::2:2")
    assert edge.may_connect("2001:db8:0:1::1")


def test_ipv4_client_of_an_ipv6_socket_is_counted_for_itself() -> None:
    edge = guard(connections="1 per hour")
    assert edge.may_connect("::ffff:192.0.2.1")
    assert edge.may_connect("::ffff:192.0.2.2")


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", None])
def test_trusted_networks_and_unix_sockets_have_no_rate(ip: str | None) -> None:
    edge = guard(connections="1 per hour")
    assert [edge.may_connect(ip) for _ in range(3)] == [True, True, True]


def test_rates_of_several_windows_all_hold() -> None:
    edge = guard(recipients="5 per minute; 2 per hour")
    assert [edge.may_name_recipient("192.0.2.1") for _ in range(3)] == [True, True, False]


def test_logins_wait_after_failures_only() -> None:
    edge = guard(failed_logins="2 per hour")
    assert [edge.may_log_in("192.0.2.1") for _ in range(5)] == [True] * 5
    edge.note_failed_login("192.0.2.1")
    edge.note_failed_login("192.0.2.1")
    assert not edge.may_log_in("192.0.2.1")


def test_domain_is_counted_over_all_client_addresses() -> None:
    edge = guard(mails_of_domain="2 per hour")
    senders = ["a@flood.example", "b@FLOOD.example", "c@flood.example", "a@other.example"]
    allowed = [edge.may_mail_from(f"192.0.2.{number}", sender) for number, sender in enumerate(senders)]
    assert allowed == [True, True, False, True]


@pytest.mark.parametrize(("ip", "sender"), [("127.0.0.1", "a@flood.example"), ("192.0.2.1", "")])
def test_own_servers_and_the_null_reverse_path_have_no_domain(ip: str, sender: str) -> None:
    edge = guard(mails_of_domain="1 per hour")
    assert [edge.may_mail_from(ip, sender) for _ in range(3)] == [True, True, True]


def test_empty_rate_is_no_limit() -> None:
    edge = guard(connections="")
    assert all(edge.may_connect("192.0.2.1") for _ in range(1000))


def test_rate_that_cannot_be_read_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ValueError, match="couldn't parse"):
        EdgeSettings(connections="often")
