"""A reader at an empty library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from core.mail.answer import Answer, Problem
from core.services import build_bus
from handlers._registry import Handler, build_grammar, load_handlers
from tests.factories.rows import make_user, open_database
from tests.support.reader import IDENTITY, Reader


@pytest.fixture(scope="session")
def handlers() -> Mapping[str, Handler]:
    return load_handlers()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_database(tmp_path / "library.db") as engine, Session(engine) as opened:
        yield opened


@pytest.fixture
def ada(session: Session, handlers: Mapping[str, Handler]) -> Reader:
    user = make_user(session, address="ada@reader.example", name="Ada")
    return Reader(session, user, build_grammar(handlers), handlers, build_bus(IDENTITY))


@pytest.fixture
def run(ada: Reader) -> Callable[..., Answer | Problem]:
    return ada.run
