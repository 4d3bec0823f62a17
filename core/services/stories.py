"""Which articles are one story: by their address, else by their text, whatever feeds they stand in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from core.models import Article, ArticleKey, ArticleText
from core.models.article import KEYS_A_STATEMENT
from core.models.article_key import CANDIDATES
from core.news.duplicates import Fingerprint, content_changed, same_story
from core.news.reading import ReadEntry


class Stories:
    """Files articles under their stories. One at a time, in the order given: who comes first is the story."""

    def __init__(self, session: Session, *, now: datetime) -> None:
        self._session = session
        self._now = now
        self._by_key: defaultdict[int, list[int]] = defaultdict(list)
        """Articles that were filed here and whose keys are not in the table yet."""

    def file_new(self, found: Sequence[tuple[Article, ReadEntry]]) -> None:
        """Articles whose rows are flushed and nothing else of them: keeps their texts and keys too.

        By statements and not by objects, since a feed that is new has twenty articles with twenty rows each.
        """
        if not found:
            return
        self._session.execute(
            sa.insert(ArticleText),
            [ArticleText.row(one.id, html=entry.reading.html, text=entry.reading.text) for one, entry in found],
        )
        by_address = self._by_address([entry.url_key for _, entry in found if entry.url_key is not None])
        for article, entry in found:
            same = by_address[entry.url_key] if entry.url_key is not None else []
            article.story_id = same[0].story_id if same else self._alike(article, entry) or article.id
            if any(other.feed_id == article.feed_id for other in same) and self._is_changed(same, article, entry):
                article.changed_at = self._now  # its feed gave it another guid, and another text
            same.append(article)
            for key in set(entry.fingerprint.keys):
                self._by_key[key].append(article.id)
        self._keep_keys({"key": key, "article_id": one} for key, ids in self._by_key.items() for one in ids)
        self._by_key.clear()
        self._session.flush()  # who comes next looks for these stories by statements

    def file_again(self, article: Article, entry: ReadEntry) -> None:
        """One whose text is another now; it stays in its story, unless it turns out to be an older one."""
        story_id = None
        if entry.url_key is not None:
            same = sa.select(Article.story_id).where(Article.url_key == entry.url_key, Article.id != article.id)
            story_id = self._session.scalars(same.order_by(Article.id).limit(1)).first()
        article.story_id = story_id or self._alike(article, entry) or article.story_id or article.id
        there = set(self._session.scalars(sa.select(ArticleKey.key).where(ArticleKey.article_id == article.id)))
        self._keep_keys({"key": key, "article_id": article.id} for key in set(entry.fingerprint.keys) - there)
        self._session.flush()

    def _by_address(self, url_keys: Sequence[str]) -> defaultdict[str, list[Article]]:
        """The articles that have these addresses and a story, the oldest first."""
        found: defaultdict[str, list[Article]] = defaultdict(list)
        for start in range(0, len(url_keys), KEYS_A_STATEMENT):
            some = url_keys[start : start + KEYS_A_STATEMENT]
            known = sa.select(Article).where(Article.url_key.in_(some), Article.story_id.is_not(None))
            for article in self._session.scalars(known.order_by(Article.id)):
                found[article.url_key or ""].append(article)
        return found

    def _is_changed(self, same: Sequence[Article], article: Article, entry: ReadEntry) -> bool:
        """Whether its text is none that its feed had at this address before."""
        ids = [other.id for other in same if other.feed_id == article.feed_id]
        kept = self._session.scalars(sa.select(ArticleText).where(ArticleText.article_id.in_(ids))).all()
        return bool(kept) and all(content_changed(one.text, entry.reading.text) for one in kept)

    def _alike(self, article: Article, entry: ReadEntry) -> int | None:
        keys = entry.fingerprint.keys
        if not keys:
            return None
        here = Counter(one for key in set(keys) for one in self._by_key.get(key, ())).most_common(CANDIDATES)
        ids = {one for one, _ in here}.union(ArticleKey.candidates(self._session, keys)) - {article.id}
        if not ids:
            return None
        rows = self._session.execute(
            sa.select(Article, ArticleText).join(ArticleText, ArticleText.article_id == Article.id)
            .where(Article.id.in_(ids)).order_by(Article.id)
        )  # fmt: skip
        for other, kept in rows:
            if same_story(entry.fingerprint, Fingerprint.load(other.signature), entry.reading.text, kept.text):
                return other.story_id
        return None

    def _keep_keys(self, rows: Iterable[dict[str, int]]) -> None:
        if some := list(rows):
            self._session.execute(sa.insert(ArticleKey), some)
