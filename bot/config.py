"""The configuration: one TOML file, overridden by `INKPOST_…` variables; every mistake is told at once.

A room's settings are a frozen dataclass in the room itself, each key with a default and a line of prose below it. This
module puts them together and has pydantic validate them, so that a key is said once in the whole program.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import os
import textwrap
import tomllib
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, SecretStr, TypeAdapter, ValidationError

from bot.authenticate import TrustSettings
from bot.cache import CacheSettings
from bot.calibre import CalibreSettings
from bot.circuit import CircuitSettings
from bot.clicks import HttpSettings
from bot.config_ranges import range_mistakes
from bot.dns import DnsSettings
from bot.fetch import FetchSettings
from bot.guards import EdgeSettings
from bot.health import HealthSettings
from bot.intake.imap import ImapSettings
from bot.intake.lmtp import LmtpSettings
from bot.intake.policy import is_mailbox
from bot.intake.smtp_settings import SmtpSettings
from bot.jobs import JobSettings
from bot.logs import LogSettings
from bot.news.refresh import FeedSettings
from bot.pace import PaceSettings
from bot.sandbox import SandboxSettings
from bot.signing import DkimSettings
from bot.transport import RelaySettings
from bot.upkeep import UpkeepSettings
from core.books.limits import BookLimits
from core.errors import InkpostError
from core.limits import UserLimits
from core.mail.authenticity import SECRET_SEPARATOR, OurAddresses

ENVIRONMENT_PREFIX = "INKPOST_"
NOT_SETTINGS = ("INKPOST_CONFIG", "INKPOST_CORPUS", "INKPOST_TEST_")  # the command line's and the tests' own
SECRET_FILE_SUFFIX = "_file"


class ConfigMistakes(InkpostError):
    """What is wrong with the configuration, a line each: `relay.port: …`."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """Who Inkpost is to the people who write to it."""

    domain: str = "localhost"
    """The domain of the service's addresses; mail for other domains is refused."""
    mailbox: str = "books"
    """The local part that people write to: books@<domain>, or books+<their secret>@<domain>."""
    other_mailboxes: tuple[str, ...] = ()
    """Further local parts that mean the same."""
    name: str = "Inkpost"
    """The name that stands in the From field of answers."""
    hostname: str = ""
    """What the service calls itself in SMTP; the domain where empty."""
    security_contact: str = ""
    """Where somebody who found a weakness may write: an address or a URL, told by SMTP's HELP. Where empty it is
    postmaster@<domain>, whose mail is kept for the operator: `inkpost inbox list`."""

    def __post_init__(self) -> None:
        for name in (self.mailbox, *self.other_mailboxes):
            if not is_mailbox(f"{name}@{self.domain}") or SECRET_SEPARATOR in name:
                raise ValueError(f"{name}@{self.domain} is no address that people could write to")
        if not (self.security_contact.isascii() and self.security_contact.isprintable()):
            raise ValueError("security_contact is one line of ASCII")

    own_senders: bool = False
    """Send each reader's books from an address of their own, books-17@<domain>: readers approve that one at Amazon, and
    what Amazon thinks of one reader's mail does not touch the others'. Mail to these addresses must come to us."""

    @property
    def address(self) -> str:
        return f"{self.mailbox}@{self.domain}"

    @property
    def smtp_name(self) -> str:
        return self.hostname or self.domain

    @property
    def ours(self) -> OurAddresses:
        return OurAddresses(
            domains=frozenset({self.domain.lower()}),
            local_parts=frozenset(name.lower() for name in (self.mailbox, *self.other_mailboxes)),
            has_readers_own=self.own_senders,
        )


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that can be set. Unknown keys are mistakes."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    data_dir: Path = Path("var")
    """Folder of the database, the books, the spools and the journals. With SQLite one process at a time may use it."""
    database_url: str = ""
    """`postgresql://user@host/name`; a SQLite file in the data folder where empty."""
    storage_url: str = ""
    """`gs://bucket/prefix` for Google Cloud Storage; a folder in the data folder where empty."""
    service: ServiceSettings = field(default_factory=ServiceSettings)
    smtp: SmtpSettings = field(default_factory=SmtpSettings)
    lmtp: LmtpSettings = field(default_factory=LmtpSettings)
    imap: ImapSettings = field(default_factory=ImapSettings)
    edge: EdgeSettings = field(default_factory=EdgeSettings)
    trust: TrustSettings = field(default_factory=TrustSettings)
    dns: DnsSettings = field(default_factory=DnsSettings)
    relay: RelaySettings = field(default_factory=RelaySettings)
    dkim: DkimSettings = field(default_factory=DkimSettings)
    circuit: CircuitSettings = field(default_factory=CircuitSettings)
    pace: PaceSettings = field(default_factory=PaceSettings)
    limits: UserLimits = field(default_factory=UserLimits)
    books: BookLimits = field(default_factory=BookLimits)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    calibre: CalibreSettings = field(default_factory=CalibreSettings)
    fetch: FetchSettings = field(default_factory=FetchSettings)
    feeds: FeedSettings = field(default_factory=FeedSettings)
    jobs: JobSettings = field(default_factory=JobSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    upkeep: UpkeepSettings = field(default_factory=UpkeepSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    health: HealthSettings = field(default_factory=HealthSettings)
    log: LogSettings = field(default_factory=LogSettings)


def load_config(path: Path | None, *, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of a file (None: defaults), overridden by the environment. Raises `ConfigMistakes`.

    `INKPOST_RELAY__PORT=2525` overrides `port` in `[relay]`; lists are written in JSON. For each secret there is a
    second key with `_file` behind its name that names a file to read it from.
    """
    mistakes: list[str] = []
    values = _read_toml(path, mistakes) if path is not None else {}
    _merge(values, _from_environment(os.environ if environment is None else environment))
    _read_secret_files(Config, values, mistakes=mistakes)
    config = _validated(values, mistakes)
    mistakes += range_mistakes(config)
    if mistakes:
        raise ConfigMistakes(mistakes)
    return config


def _validated(values: dict[str, Any], mistakes: list[str]) -> Config:
    """The values without those that are wrong, which are taken out of them: what is left may have other mistakes."""
    try:
        return TypeAdapter(Config).validate_python(values)
    except ValidationError as error:
        mistakes += dict.fromkeys(_sentence(dict(detail)) for detail in error.errors())
        for detail in error.errors():
            _take_out(values, detail["loc"])
    return _validated(values, mistakes)


def _take_out(values: dict[str, Any], place: Sequence[int | str]) -> None:
    """The value there, or the innermost around it that stands in a table."""
    key, *inner = place
    if inner and isinstance(table := values.get(str(key)), dict) and inner[0] in table:
        _take_out(table, inner)
    else:
        values.pop(str(key), None)


def _read_toml(path: Path, mistakes: list[str]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        mistakes.append(f"{path}: there is no such file")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"{path}: {error}")
    return {}


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in sorted(environment.items(), reverse=True):  # a section behind its keys, for a text there is wrong
        if not name.startswith(ENVIRONMENT_PREFIX) or name.startswith(NOT_SETTINGS):
            continue
        *sections, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        value: Any = _json_or_text(text)
        for inner in (key, *reversed(sections)):
            value = {inner: value}
        _merge(values, value)
    return values


def _json_or_text(text: str) -> Any:
    """Lists and tables are written in JSON; all else is text, which pydantic turns into what the key wants."""
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _merge(values: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _read_secret_files(section: type, values: dict[str, Any], *, mistakes: list[str], place: str = "") -> None:
    for name, kind in typing.get_type_hints(section).items():
        if is_dataclass(kind) and isinstance(values.get(name), dict):
            _read_secret_files(typing.cast(type, kind), values[name], mistakes=mistakes, place=f"{place}{name}.")
        elif (row := _table_of(kind)) is not None and isinstance(values.get(name), list):
            for number, inner in enumerate(one for one in values[name] if isinstance(one, dict)):
                _read_secret_files(row, inner, mistakes=mistakes, place=f"{place}{name}.{number}.")
        elif kind is SecretStr and (path := values.pop(name + SECRET_FILE_SUFFIX, None)) is not None:
            try:
                values[name] = Path(str(path)).read_text("utf-8").strip()
            except OSError as error:
                mistakes.append(f"{place}{name}{SECRET_FILE_SUFFIX}: {error.strerror}: {path}")
            except ValueError:  # a `UnicodeDecodeError`, whose text shows some of it
                mistakes.append(f"{place}{name}{SECRET_FILE_SUFFIX}: it is no text in UTF-8: {path}")


def _table_of(kind: Any) -> type | None:
    """The section that a key has a list of, in TOML `[[key]]`; None for other keys."""
    inner, *others = typing.get_args(kind) or (None,)
    return inner if others == [...] and is_dataclass(inner) else None  # type: ignore[return-value] # never an instance


def _sentence(error: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"] if "[" not in str(part))  # pydantic's own steps are not keys
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return f"{place}: there is no such key"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def example_toml() -> str:
    """`config.example.toml`: every key with its default and its line of prose."""
    lines = [
        "# Every key of Inkpost's configuration, with its default. Keep what you change; delete the rest.",
        f"# {ENVIRONMENT_PREFIX}RELAY__HOST=… in the environment overrides host in [relay].",
        "# Each secret may be read from a file instead: password_file = … in place of password = ….",
        "",
    ]
    lines += [line for key in fields(Config) if not is_dataclass(_default(key)) for line in _example_key(Config, key)]
    for key in fields(Config):
        section = _default(key)
        if is_dataclass(section):
            kind: Any = type(section)
            lines += [f"# {line}" for line in textwrap.wrap(inspect.cleandoc(kind.__doc__ or ""), 110)]
            lines += [f"[{key.name}]", *(line for inner in fields(kind) for line in _example_key(kind, inner))]
            for name, of in typing.get_type_hints(kind).items():
                if (row := _table_of(of)) is not None:
                    lines += _example_row(f"{key.name}.{name}", row)
    return "\n".join(lines).rstrip() + "\n"


def _example_row(name: str, row: type) -> Iterator[str]:
    """One table of a list, commented out: there is none by default."""
    yield f"# [[{name}]]"
    for key in fields(row):
        yield from (f"# {line.removeprefix('# ')}" for line in _example_key(row, key) if line)
    yield ""


def _example_key(section: type, key: Any) -> Iterator[str]:
    if _table_of(typing.get_type_hints(section)[key.name]) is not None:
        return  # behind the section's other keys, as TOML wants it
    prose = " ".join(attribute_docstrings(section).get(key.name, "").split())
    yield from (f"# {line}" for line in textwrap.wrap(prose, 110))
    default = _default(key)
    yield f"# {key.name} =" if default is None or default is MISSING else f"{key.name} = {_toml(default)}"
    yield ""


def _default(key: Any) -> Any:
    return key.default_factory() if key.default_factory is not MISSING else key.default


def _toml(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(str(key))} = {_toml(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:_}" if value >= 10_000 else str(value)
    if isinstance(value, float):
        return str(value)
    if isinstance(value, tuple | list | frozenset | set):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return json.dumps(str(value), ensure_ascii=False)


@functools.cache
def attribute_docstrings(section: type) -> dict[str, str]:
    """The strings that stand below a class's attributes, by attribute. Reads the class's source."""
    body = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = text
    return found
