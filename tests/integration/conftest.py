"""Servers for the integration tests."""

from __future__ import annotations

from tests.support.command_line import data_folder, inkpost, run  # noqa: F401 - fixtures
from tests.support.imap_servers import dovecot, imap_server, mail_devel  # noqa: F401 - fixtures
from tests.support.postgres import postgres_server, postgres_url  # noqa: F401 - fixtures
from tests.support.redis_server import redis_url  # noqa: F401 - a fixture
