"""How files begin that no library holds, so that a refusal can name them."""

from __future__ import annotations

import re

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"MZ", "a Windows program"),
    (0, b"\x7fELF", "a Linux program"),
    (0, b"\xcf\xfa\xed\xfe", "a Mac program"),
    (0, b"\xca\xfe\xba\xbe", "a Mac or Java program"),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"BZh", "a bzip2 archive"),
    (0, b"\xfd7zXZ\x00", "an xz archive"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (257, b"ustar", "a TAR archive"),
    (0, b"MSCF", "a Windows cabinet archive"),
    (0, b"\x89PNG\r\n\x1a\n", "a picture (PNG)"),
    (0, b"\xff\xd8\xff", "a picture (JPEG)"),
    (0, b"GIF8", "a picture (GIF)"),
    (8, b"WEBP", "a picture (WebP)"),
    (0, b"II*\x00", "a picture (TIFF)"),
    (0, b"MM\x00*", "a picture (TIFF)"),
    (0, b"8BPS", "a picture (Photoshop)"),
    (4, b"ftypheic", "a picture (HEIC)"),
    (4, b"ftypmif1", "a picture (HEIC)"),
    (4, b"ftypavif", "a picture (AVIF)"),
    (4, b"ftypM4A", "a sound file"),
    (4, b"ftypM4B", "an audiobook"),
    (4, b"ftyp", "a film"),
    (0, b"\x1aE\xdf\xa3", "a film"),
    (8, b"AVI ", "a film"),
    (0, b"ID3", "a sound file (MP3)"),
    (0, b"\xff\xfb", "a sound file (MP3)"),
    (0, b"OggS", "a sound file"),
    (0, b"fLaC", "a sound file"),
    (8, b"WAVE", "a sound file"),
    (0, b"\x00\x01\x00\x00\x00", "a font"),
    (0, b"OTTO", "a font"),
    (0, b"wOFF", "a font"),
    (0, b"wOF2", "a font"),
    (0, b"AT&TFORM", "a DjVu book"),
    (0, b"ITOLITLS", "a Microsoft Reader book (LIT)"),
    (0, b"ITSF", "a Windows help file (CHM)"),
    (0, b"TPZ0", "a Kindle book of the Topaz kind (protected)"),
    (0, b"\xeaDRMION\xee", "a Kindle book of the KFX kind (protected)"),
    (0, b"CONT\x02\x00", "a Kindle book of the KFX kind"),
    (60, b"TEXtREAd", "a PalmDOC book"),
    (0, b"SQLite format 3\x00", "a database"),
    (0, b"\x78\x9f\x3e\x22", "an Outlook envelope (winmail.dat)"),
)
"""(offset, bytes, what it is). Letters alone mean nothing in a file that is a text otherwise."""

TEXT_SIGNATURES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"%!PS"), "a PostScript document"),
    (re.compile(r"BEGIN:VCARD\b"), "a contact card"),
    (re.compile(r"BEGIN:VCALENDAR\b"), "a calendar entry"),
    (re.compile(r"-----BEGIN PGP "), "a PGP key or signature"),
    (re.compile(r"-----BEGIN (CERTIFICATE|PKCS7|[A-Z ]*PRIVATE KEY)"), "a key or certificate"),
)
