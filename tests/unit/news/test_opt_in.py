"""What waits for a new subscriber: a link or a code, and never an issue that speaks of confirming."""

from __future__ import annotations

import pytest

from core.news.opt_in import OptIn, read_opt_in

LINK = "https://daily.example/x/9f?token=A%2Bb&u=1"
LEAVE = ("Unsubscribe", "https://daily.example/unsubscribe/confirm")


@pytest.mark.parametrize(
    ("subject", "text", "label"),
    [
        ("Confirm your subscription", "Please tap below.", "Yes, subscribe me"),
        ("The Daily", "One more step: please confirm your address.", "Confirm"),
        ("Bitte bestätigen Sie Ihre Anmeldung", "Ein Klick noch.", "Anmeldung bestätigen"),
        ("Confirma tu suscripción", "Haz clic.", "Confirmar"),
        ("Confirmez votre inscription", "Cliquez.", "Je confirme"),
        ("Подтвердите подписку", "Нажмите.", "Подтвердить"),
        ("メールアドレスの確認", "押してください。", "確認する"),
        ("Verify your email", "Tap.", ""),
    ],
)
def test_link_is_found_byte_for_byte(subject: str, text: str, label: str) -> None:
    links = [("The Daily", "https://daily.example/"), LEAVE, (label, LINK)]

    found = read_opt_in(subject, text, links if label else [(label, LINK), LEAVE])

    assert found == OptIn(link=LINK, code="")


@pytest.mark.parametrize(
    ("subject", "text", "code"),
    [
        ("Your sign-in code", "Your code is: 482913", "482913"),
        ("Verify your email", "Enter this code:\n\n482 913\n\nIt is good for ten minutes.", "482 913"),
        ("Bestätigungscode", "Ihr Code: 4829", "4829"),
        ("Confirm", "This is it:\n\n77120\n", "77120"),
    ],
)
def test_code_is_found(subject: str, text: str, code: str) -> None:
    assert read_opt_in(subject, text, [LEAVE]) == OptIn(link="", code=code)


@pytest.mark.parametrize(
    ("subject", "text", "links"),
    [
        ("The tide", "The boats were found.", [("Read on", "https://daily.example/1"), LEAVE]),
        ("The tide", "Scientists confirm it: 2026 was wet. " * 70, [("Confirm", LINK)]),
        ("You have confirmed your subscription", "Thank you.", [LEAVE]),
        ("Confirm your subscription", "Tap.", [("Confirm", "javascript:alert(1)"), ("Confirm", "ftp://x.example/")]),
        ("", "", []),
    ],
)
def test_what_is_no_request_is_none(subject: str, text: str, links: list[tuple[str, str]]) -> None:
    assert read_opt_in(subject, text, links) is None
