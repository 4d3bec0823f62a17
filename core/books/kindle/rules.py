"""The table of the rules, in the order in which they are tried. Their words, reasons and sources stand in `words`.

A new rule is a function of a copy and a patch, its words, a row here, and a test.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from core.books.kindle import artwork, contents, fonts, metadata, packaging, pages, references, styles, wellformed
from core.books.kindle.working import Copy, Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A fault, and its cure."""

    name: str
    """Stable: it stands in rows and in what an operator reads; a key of `words.RULE_WORDS`."""
    apply: Callable[[Copy, Patch], None]
    """Pure: reads the copy, fills the patch."""


RULES: Final = tuple(
    Rule(name=name, apply=apply)
    for name, apply in (
        ("directory", packaging.make_directory),
        ("mimetype", packaging.store_mimetype),
        ("encoding", wellformed.declare_encoding),
        ("controls", wellformed.drop_controls),
        ("comment-hyphens", wellformed.mend_comments),
        ("named-characters", wellformed.name_characters),
        ("package-syntax", wellformed.rebuild_package),
        ("container", packaging.name_package),
        ("media-types", packaging.mend_media_types),
        ("page-syntax", wellformed.rebuild_pages),
        ("doctype", wellformed.mend_doctype),
        ("entities", wellformed.drop_entities),
        ("paths", references.mend_paths),
        ("listed-once", packaging.list_once),
        ("missing-files", packaging.drop_missing_items),
        ("unlisted-files", packaging.list_used_files),
        ("reading-order", packaging.mend_spine),
        ("fonts", fonts.reveal_fonts),
        ("picture-kinds", artwork.convert_pictures),
        ("vector-pictures", artwork.draw_vectors),
        ("photographs", artwork.mend_photographs),
        ("file-names", references.plain_names),
        ("styles", styles.mend_styles),
        ("scripts", pages.drop_scripts),
        ("remote-files", pages.drop_remote),
        ("remote-entries", packaging.drop_remote_items),
        ("page-styles", pages.drop_lost_sheets),
        ("pictures", pages.mend_pictures),
        ("picture-texts", pages.fill_alt),
        ("explorer-comments", wellformed.drop_conditional_comments),
        ("leftovers", pages.drop_leftovers),
        ("double-ids", pages.drop_double_ids),
        ("body-links", pages.unlink_body),
        ("links", pages.mend_links),
        ("contents", contents.make_contents),
        ("contents-targets", contents.mend_ncx_targets),
        ("contents-order", contents.mend_ncx_order),
        ("contents-named", packaging.name_contents),
        ("identifier", metadata.mend_identifier),
        ("contents-identifier", contents.mend_ncx_identifier),
        ("language", metadata.mend_language),
        ("title", metadata.mend_title),
        ("main-title", metadata.mark_main_title),
        ("cover", metadata.name_cover),
        ("hidden-text", pages.show_hidden),
        ("page-titles", pages.name_pages),
        ("properties", pages.true_properties),
    )
)
