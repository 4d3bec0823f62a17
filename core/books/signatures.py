"""How files begin that no library holds, so that a refusal can name them."""

from __future__ import annotations

import re

from core.i18n import N_

SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"MZ", N_("a Windows program")),
    (0, b"\x7fELF", N_("a Linux program")),
    (0, b"\xcf\xfa\xed\xfe", N_("a Mac program")),
    (0, b"\xca\xfe\xba\xbe", N_("a Mac or Java program")),
    (0, b"L\x00\x00\x00\x01\x14\x02\x00", N_("a Windows shortcut")),
    (0, b"Rar!\x1a\x07", N_("a RAR archive")),
    (0, b"7z\xbc\xaf\x27\x1c", N_("a 7-Zip archive")),
    (0, b"\x1f\x8b", N_("a gzip archive")),
    (0, b"BZh", N_("a bzip2 archive")),
    (0, b"\xfd7zXZ\x00", N_("an xz archive")),
    (0, b"\x28\xb5\x2f\xfd", N_("a zstd archive")),
    (257, b"ustar", N_("a TAR archive")),
    (0, b"MSCF", N_("a Windows cabinet archive")),
    (0, b"\x89PNG\r\n\x1a\n", N_("a picture (PNG)")),
    (0, b"\xff\xd8\xff", N_("a picture (JPEG)")),
    (0, b"GIF8", N_("a picture (GIF)")),
    (8, b"WEBP", N_("a picture (WebP)")),
    (0, b"II*\x00", N_("a picture (TIFF)")),
    (0, b"MM\x00*", N_("a picture (TIFF)")),
    (0, b"8BPS", N_("a picture (Photoshop)")),
    (4, b"ftypheic", N_("a picture (HEIC)")),
    (4, b"ftypmif1", N_("a picture (HEIC)")),
    (4, b"ftypavif", N_("a picture (AVIF)")),
    (4, b"ftypM4A", N_("a sound file")),
    (4, b"ftypM4B", N_("an audiobook")),
    (4, b"ftyp", N_("a film")),
    (0, b"\x1aE\xdf\xa3", N_("a film")),
    (8, b"AVI ", N_("a film")),
    (0, b"ID3", N_("a sound file (MP3)")),
    (0, b"\xff\xfb", N_("a sound file (MP3)")),
    (0, b"OggS", N_("a sound file")),
    (0, b"fLaC", N_("a sound file")),
    (8, b"WAVE", N_("a sound file")),
    (0, b"\x00\x01\x00\x00\x00", N_("a font")),
    (0, b"OTTO", N_("a font")),
    (0, b"wOFF", N_("a font")),
    (0, b"wOF2", N_("a font")),
    (0, b"AT&TFORM", N_("a DjVu book")),
    (0, b"ITOLITLS", N_("a Microsoft Reader book (LIT)")),
    (0, b"ITSF", N_("a Windows help file (CHM)")),
    (0, b"TPZ0", N_("a Kindle book of the Topaz kind (protected)")),
    (0, b"\xeaDRMION\xee", N_("a Kindle book of the KFX kind (protected)")),
    (0, b"CONT\x02\x00", N_("a Kindle book of the KFX kind")),
    (60, b"TEXtREAd", N_("a PalmDOC book")),
    (0, b"SQLite format 3\x00", N_("a database")),
    (0, b"\x78\x9f\x3e\x22", N_("an Outlook envelope (winmail.dat)")),
)
"""(offset, bytes, what it is). Letters alone mean nothing in a file that is a text otherwise."""

TEXT_SIGNATURES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"%!PS"), N_("a PostScript document")),
    (re.compile(r"BEGIN:VCARD\b"), N_("a contact card")),
    (re.compile(r"BEGIN:VCALENDAR\b"), N_("a calendar entry")),
    (re.compile(r"-----BEGIN PGP "), N_("a PGP key or signature")),
    (re.compile(r"-----BEGIN (CERTIFICATE|PKCS7|[A-Z ]*PRIVATE KEY)"), N_("a key or certificate")),
)
