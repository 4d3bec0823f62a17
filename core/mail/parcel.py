"""A mail to a person with a file that lies in the blob store: a text of a few lines, and the file."""

from __future__ import annotations

from datetime import datetime
from email.message import EmailMessage

from core.mail.loops import LOOP_FIELD
from core.mail.outgoing import BOT_POLICY, AttachedFile, Identity, OutgoingMail, attach, to_address


def compose_parcel(
    *, identity: Identity, rcpt_to: str, reference: str, date: datetime, subject: str, text: str, file: AttachedFile
) -> OutgoingMail:
    """Marked as automatic (RFC 3834), with the null reverse-path: should it fail, nobody is told of that."""
    message = EmailMessage(policy=BOT_POLICY)
    message["From"] = identity.from_header
    message["To"] = to_address(rcpt_to)
    message["Subject"] = subject
    message["Date"] = date
    message["Message-ID"] = message_id = identity.message_id(reference)
    message["Auto-Submitted"] = "auto-generated"
    message[LOOP_FIELD] = identity.address
    message["MIME-Version"] = "1.0"
    message.set_content(text, charset="utf-8", cte="quoted-printable")
    return OutgoingMail(
        reference=reference,
        message_id=message_id,
        mail_from="",
        rcpt_to=rcpt_to,
        subject=subject,
        head=attach(message, message_id=message_id, file=file),
        attachment=file,
    )
