"""The part of imapclient 4.1 that is used here."""

import imaplib

class LoginError(imaplib.IMAP4.error): ...
