"""Alembic's environment: the connection comes from `core.migrations`."""

from __future__ import annotations

from alembic import context

from core import models
from core.db import Base
from core.migrations.objects import is_ours

assert models.Book.metadata is Base.metadata  # importing the models is what fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_object=is_ours,
    render_as_batch=True,  # SQLite changes a column by making the table anew
)
context.run_migrations()
