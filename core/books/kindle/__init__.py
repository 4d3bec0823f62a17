"""Copies of books that Amazon takes: small named rules over an EPUB, none of which may change its text or pictures."""
