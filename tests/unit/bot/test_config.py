"""The configuration: the example is the truth, mistakes are told all at once, secrets come from files."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bot.config import Config, ConfigMistakes, example_toml, load_config
from bot.handbook import manual_pages
from handlers._registry import build_grammar, load_handlers

ROOT = Path(__file__).resolve().parents[3]


def test_example_names_every_key_with_its_default() -> None:
    assert (ROOT / "config.example.toml").read_text("utf-8") == example_toml(), "run `make docs`"


def test_every_key_has_its_line_of_prose() -> None:
    lines = example_toml().splitlines()
    keys = [(before, line) for before, line in pairwise(lines) if re.match(r"(# )?\w+ =", line)]
    assert len(keys) > 50
    assert [line for before, line in keys if not before.startswith("# ")] == []


def test_pages_of_the_commands_are_what_the_grammar_says() -> None:
    pages = manual_pages(build_grammar(load_handlers()))
    assert {path.name: path.read_text("utf-8") for path in (ROOT / "docs" / "commands").iterdir()} == pages, "make docs"


def test_example_is_the_default_configuration() -> None:
    assert load_config(ROOT / "config.example.toml", environment={}) == Config()


def test_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[service]\ndomain = "file.example"\nname = "Kept"\n')
    config = load_config(file, environment={"INKPOST_SERVICE__DOMAIN": "environment.example"})
    assert (config.service.domain, config.service.name) == ("environment.example", "Kept")


def test_lists_in_the_environment_are_json() -> None:
    config = load_config(None, environment={"INKPOST_SERVICE__OTHER_MAILBOXES": '["library", "inbox"]'})
    assert config.service.other_mailboxes == ("library", "inbox")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('colour = "red"\n[relay]\nport = "many"\nprot = 1\n[trust]\nnetworks = ["10.0.0.0/99"]\n')
    with pytest.raises(ConfigMistakes) as caught:
        load_config(file, environment={})
    told = "\n".join(caught.value.mistakes)
    assert all(place in told for place in ("colour", "relay.port", "relay.prot", "trust.networks"))


def test_a_number_out_of_range_is_told_beside_other_mistakes(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[smtp]\nport = 70000\nhost = 3\n[relay]\nport = -1\n[edge]\nrequests = "often"\n[nope]\na = 1\n')

    with pytest.raises(ConfigMistakes) as caught:
        load_config(file, environment={})

    assert sorted(mistake.partition(":")[0] for mistake in caught.value.mistakes) == [
        "edge",
        "nope",
        "relay.port",
        "smtp.host",
        "smtp.port",
    ]


def test_mistakes_of_a_table_in_a_list_are_told_once(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[smtp]\nport = 70000\n[[imap.accounts]]\nport = "many"\ncolour = 1\n')

    with pytest.raises(ConfigMistakes) as caught:
        load_config(file, environment={})

    told = [mistake.partition(":")[0] for mistake in caught.value.mistakes]
    assert {"imap.accounts.0.port", "imap.accounts.0.colour", "smtp.port"} <= set(told)
    assert len(told) == len(set(told))


@pytest.mark.parametrize("names", [("INKPOST_RELAY", "INKPOST_RELAY__HOST"), ("INKPOST_RELAY__HOST", "INKPOST_RELAY")])
def test_text_for_a_section_is_a_mistake_also_beside_its_keys(names: tuple[str, ...]) -> None:
    with pytest.raises(ConfigMistakes, match=r"^relay: "):
        load_config(None, environment=dict.fromkeys(names, "relay.example"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DOMAIN", ""),
        ("DOMAIN", "https://books.example"),
        ("DOMAIN", "books example"),
        ("DOMAIN", "@books.example"),
        ("MAILBOX", ""),
        ("MAILBOX", "my books"),
        ("MAILBOX", "books+ada"),
        ("OTHER_MAILBOXES", '["library", "library@books.example"]'),
    ],
)
def test_address_that_nobody_could_write_to_is_a_mistake(key: str, value: str) -> None:
    with pytest.raises(ConfigMistakes, match=r"^service: .* is no address that people could write to"):
        load_config(None, environment={f"INKPOST_SERVICE__{key}": value})


def test_cache_that_is_no_redis_is_a_mistake() -> None:
    with pytest.raises(ConfigMistakes, match=r"^cache: a cache's URL starts with"):
        load_config(None, environment={"INKPOST_CACHE__URL": "memcached://127.0.0.1"})
    with pytest.raises(ConfigMistakes, match=r"^cache: Port could not be cast"):
        load_config(None, environment={"INKPOST_CACHE__URL": "redis://127.0.0.1:abc"})


def test_a_missing_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigMistakes, match="no such file"):
        load_config(tmp_path / "absent.toml", environment={})


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n")
    config = load_config(None, environment={"INKPOST_RELAY__PASSWORD_FILE": str(secret)})
    assert config.relay.password.get_secret_value() == "hunter2"


def test_an_unreadable_secret_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigMistakes, match=r"relay\.password_file"):
        load_config(None, environment={"INKPOST_RELAY__PASSWORD_FILE": str(tmp_path / "absent")})


def test_a_secret_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_bytes(b"\xc0hunter2")

    with pytest.raises(ConfigMistakes, match=r"^relay\.password_file: it is no text") as caught:
        load_config(None, environment={"INKPOST_RELAY__PASSWORD_FILE": str(secret)})

    assert "0xc0" not in str(caught.value)


def test_a_secret_file_that_is_named_by_a_number_is_a_mistake(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[relay]\npassword_file = 7\n")
    with pytest.raises(ConfigMistakes, match=r"^relay\.password_file: "):
        load_config(file, environment={})


def test_a_password_is_not_shown() -> None:
    config = load_config(None, environment={"INKPOST_RELAY__PASSWORD": "hunter2"})
    assert "hunter2" not in repr(config)


def test_numbers_that_cannot_be_meant_are_told_at_once() -> None:
    environment = {
        "INKPOST_SMTP__PORT": "99999",
        "INKPOST_HEALTH__PORT": "-1",
        "INKPOST_SMTP__IDLE_TIMEOUT_SECONDS": "0",
        "INKPOST_JOBS__CONCURRENCY": "0",
        "INKPOST_UPKEEP__KEEP_MAIL_DAYS": "-1",
        "INKPOST_JOBS__STALLED_SECONDS": "nan",
        "INKPOST_PACE__PER_MINUTE": '{"kindle.com": 0, "pbsync.com": 20}',
        "INKPOST_PACE__INTERVAL_SECONDS": '{"kindle.com": 0, "pbsync.com": -1}',
        "INKPOST_RELAY__MAX_MAIL_BYTES": "0",  # which means that the relay says it
    }

    with pytest.raises(ConfigMistakes) as caught:
        load_config(None, environment=environment)

    assert {mistake.partition(":")[0] for mistake in caught.value.mistakes} == {
        "smtp.port",
        "health.port",
        "smtp.idle_timeout_seconds",
        "jobs.concurrency",
        "upkeep.keep_mail_days",
        "jobs.stalled_seconds",
        "pace.per_minute.kindle.com",
        "pace.interval_seconds.pbsync.com",
    }
