"""The search index over books: what triggers keep beside table `book`, on SQLite and on PostgreSQL.

Two texts of a book are indexed. *names* is what it is called by: title, authors, series, genre, tags; people mean a
book by it, and may write only the beginning of the last word. *words* is all that and the description. They are apart
because the names are a quarter of the text: a search among them is quick for the words that every description has, and
only they pay for beginnings.

On SQLite these are two FTS5 tables whose row id is the user's id and the book's id in one number. “Own books only” is
then a range, which FTS5 seeks to, and the newest come first without sorting. On PostgreSQL it is a table with two GIN
indexes, and the user's id leads its key. A removed book is in neither.

Who changes these statements writes a migration that drops the index and creates it anew (`drop`, `create`).
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

USER_BITS: Final = 32  # a book's id has 32 bits of the 63, a user's 31
LONGEST_DESCRIPTION: Final = 20_000  # characters of it that are indexed; PostgreSQL takes 1 MB of words a document

_SQLITE_NAMES = (
    "{0}.title || ' ' || coalesce((SELECT group_concat(value, ' ') FROM json_each({0}.authors)), '') || ' ' || "
    "coalesce({0}.series, '') || ' ' || coalesce({0}.genre, '') || ' ' || "
    "coalesce((SELECT group_concat(value, ' ') FROM json_each({0}.tags)), '')"
)
_SQLITE_WORDS = f"{_SQLITE_NAMES} || ' ' || substr(coalesce({{0}}.description, ''), 1, {LONGEST_DESCRIPTION})"
_SQLITE_TEXTS = (("book_fts_names", _SQLITE_NAMES), ("book_fts_words", _SQLITE_WORDS))
# Contentless tables are told what they forget: exactly the text that they learnt.
_SQLITE_FORGET = " ".join(
    f"INSERT INTO {table}({table}, rowid, text) SELECT 'delete', (old.user_id << {USER_BITS}) | old.id, "
    f"{text.format('old')} WHERE old.removed_at IS NULL;"
    for table, text in _SQLITE_TEXTS
)
_SQLITE_LEARN = " ".join(
    f"INSERT INTO {table}(rowid, text) SELECT (new.user_id << {USER_BITS}) | new.id, {text.format('new')} "
    "WHERE new.removed_at IS NULL;"
    for table, text in _SQLITE_TEXTS
)
_COLUMNS = "user_id, title, authors, series, genre, tags, description, removed_at"

_SQLITE: Final = (
    # Beginnings of two to four letters have lists of their own; longer ones begin few words.
    "CREATE VIRTUAL TABLE book_fts_names USING fts5(text, content='', prefix='2 3 4', "
    "tokenize='unicode61 remove_diacritics 2')",
    "CREATE VIRTUAL TABLE book_fts_words USING fts5(text, content='', tokenize='unicode61 remove_diacritics 2')",
    f"CREATE TRIGGER book_fts_insert AFTER INSERT ON book BEGIN {_SQLITE_LEARN} END",
    f"CREATE TRIGGER book_fts_delete AFTER DELETE ON book BEGIN {_SQLITE_FORGET} END",
    # One trigger, since SQLite promises no order among several: the old words have to go before the new ones come.
    f"CREATE TRIGGER book_fts_update AFTER UPDATE OF {_COLUMNS} ON book BEGIN {_SQLITE_FORGET} {_SQLITE_LEARN} END",
)
_SQLITE_DROP: Final = (
    "DROP TRIGGER IF EXISTS book_fts_update",
    "DROP TRIGGER IF EXISTS book_fts_delete",
    "DROP TRIGGER IF EXISTS book_fts_insert",
    "DROP TABLE IF EXISTS book_fts_words",
    "DROP TABLE IF EXISTS book_fts_names",
)

# PostgreSQL's parser makes one token of `J.R.R`, of `foo/bar` and of what looks like a host or a number. The doubled
# signs are one each: psycopg reads a percent sign as a placeholder, SQL a quote as the end of a string.
_POSTGRES_SIGNS = "!\"#$%%&''()*+,-./:;<=>?@[\\]^_`{|}~"
_POSTGRES: Final = (
    "CREATE TABLE book_fts (user_id bigint NOT NULL, book_id bigint NOT NULL, names tsvector NOT NULL, "
    "words tsvector NOT NULL, PRIMARY KEY (user_id, book_id))",
    "CREATE INDEX book_fts_names ON book_fts USING gin (names)",
    "CREATE INDEX book_fts_words ON book_fts USING gin (words)",
    # Lower case without accents, by what every server has: no extension, which only an administrator may install.
    # `lower` of a database in the C locale knows ASCII alone, hence the collation.
    "CREATE FUNCTION book_fts_fold(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS "
    "$$ SELECT lower(regexp_replace(normalize($1, NFKD), '[\\u0300-\\u036f]', '', 'g') {collation}) $$",
    "CREATE FUNCTION book_fts_vector(text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS "
    f"$$ SELECT to_tsvector('simple', book_fts_fold(translate($1, '{_POSTGRES_SIGNS}', '{' ' * 32}'))) $$",
    """CREATE FUNCTION book_fts_keep() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE names text;
    BEGIN
      IF TG_OP <> 'INSERT' THEN
        DELETE FROM book_fts WHERE user_id = OLD.user_id AND book_id = OLD.id;
      END IF;
      IF TG_OP <> 'DELETE' AND NEW.removed_at IS NULL THEN
        names := concat_ws(' ', NEW.title, (SELECT string_agg(value, ' ') FROM json_array_elements_text(NEW.authors)),
          NEW.series, NEW.genre, (SELECT string_agg(value, ' ') FROM json_array_elements_text(NEW.tags)));
        INSERT INTO book_fts VALUES (NEW.user_id, NEW.id, book_fts_vector(names),
          book_fts_vector(concat_ws(' ', names, left(NEW.description, {longest}))));
      END IF;
      RETURN NULL;
    END $$""",
    "CREATE TRIGGER book_fts_insert AFTER INSERT OR DELETE ON book FOR EACH ROW EXECUTE FUNCTION book_fts_keep()",
    f"CREATE TRIGGER book_fts_update AFTER UPDATE OF {_COLUMNS} ON book FOR EACH ROW EXECUTE FUNCTION book_fts_keep()",
)
_POSTGRES_DROP: Final = (
    "DROP TRIGGER IF EXISTS book_fts_update ON book",
    "DROP TRIGGER IF EXISTS book_fts_insert ON book",
    "DROP TABLE IF EXISTS book_fts",
    "DROP FUNCTION IF EXISTS book_fts_keep(), book_fts_vector(text), book_fts_fold(text)",
)


def create(connection: sa.Connection) -> None:
    """Make the index beside an empty table `book`, in the caller's transaction."""
    if connection.dialect.name == "sqlite":
        _execute(connection, _SQLITE)
        return
    has_unicode = connection.exec_driver_sql("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'").first()
    slots = {"{collation}": 'COLLATE "und-x-icu"' if has_unicode else "", "{longest}": str(LONGEST_DESCRIPTION)}
    for statement in _POSTGRES:
        for slot, value in slots.items():
            statement = statement.replace(slot, value)
        connection.exec_driver_sql(statement)


def drop(connection: sa.Connection) -> None:
    """Take the index away; the books stay."""
    _execute(connection, _SQLITE_DROP if connection.dialect.name == "sqlite" else _POSTGRES_DROP)


def _execute(connection: sa.Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement)
