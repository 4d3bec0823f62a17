"""Ways out for mail: an SMTP relay, or a Maildir where there is none."""
