"""Accounts: the people that Inkpost works for, their secrets and their settings."""

from __future__ import annotations

import secrets
from zoneinfo import available_timezones

import sqlalchemy as sa

from core.errors import BadRequest, Conflict, NotFound
from core.events import SecretChanged, SettingChanged, UserAdded, UserSuspended
from core.i18n import LANGUAGES, _, preferred
from core.mail.answer import Step, Steps
from core.mail.author import NoAuthor, clean_address
from core.mail.words import fold
from core.models import User
from core.models.user import UserRole, UserState, hash_secret
from core.pages import Page, fetch_page
from core.work import Work

SECRET_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
SECRET_LENGTH = 16  # 80 bits: nobody guesses it over SMTP
NAME_LENGTH = 200


class Accounts:
    """Accounts in one transaction."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._session = work.session

    def add_user(self, address: str, *, name: str = "", timezone: str = "UTC") -> tuple[User, str]:
        """A new user and their secret, which is told this once and kept as a hash. Raises `BadRequest`, `Conflict`."""
        address = checked_address(address)
        if User.by_address(self._session, address) is not None:
            raise Conflict(
                _("{address} is a user already.").format(address=address),
                fix=_("A new secret is made with: inkpost user secret"),
            )
        user = User(
            address=address, name=_checked_name(name), timezone=_checked_zone(timezone), created_at=self._work.now
        )
        self._session.add(user)
        self._session.flush()
        self._work.emit(UserAdded(user_id=user.id, address=address))
        return user, self.rotate_secret(user.id)

    def rotate_secret(self, user_id: int) -> str:
        """A new secret; the old one is worth nothing from the commit on."""
        secret = "".join(secrets.choice(SECRET_ALPHABET) for _place in range(SECRET_LENGTH))
        user = self._get(user_id)
        user.secret_hash = hash_secret(secret)
        self._work.emit(SecretChanged(user_id=user_id))
        return secret

    def revoke_secret(self, user_id: int) -> None:
        """No secret: mails to the old one are strangers' mails."""
        user = self._get(user_id)
        user.secret_hash = None
        self._work.emit(SecretChanged(user_id=user_id))

    def suspend(self, user_id: int) -> None:
        """Nothing of this user is obeyed any more; nothing of theirs is deleted."""
        user = self._get(user_id)
        user.state = UserState.SUSPENDED
        self._work.emit(UserSuspended(user_id=user_id, address=user.address))

    def set_role(self, user_id: int, role: UserRole) -> None:
        self._set(user_id, "role", role)

    def resume(self, user_id: int) -> None:
        self._get(user_id).state = UserState.ACTIVE
        self._work.emit(SettingChanged(user_id=user_id, key="state", value=UserState.ACTIVE))

    def find(self, address: str) -> User:
        """Raises `NotFound`."""
        user = User.by_address(self._session, address.strip())
        if user is None:
            raise NotFound(
                _("{address} is no user.").format(address=address),
                code="user.not-found",
                fix=_("Their addresses: “users” by mail, “inkpost user list” at a terminal."),
            )
        return user

    def list_page(self, page: int = 1) -> Page[User]:
        """By address."""
        return fetch_page(self._session, sa.select(User).order_by(User.address), page=page)

    def set_timezone(self, user_id: int, zone: str) -> None:
        """Raises `BadRequest` for what is no IANA zone."""
        self._set(user_id, "timezone", _checked_zone(zone))

    def set_name(self, user_id: int, name: str) -> None:
        """Raises `BadRequest` for a name that is too long."""
        self._set(user_id, "name", _checked_name(name))

    def set_language(self, user_id: int, name: str) -> None:
        """By its code or by what it is called. Raises `BadRequest` for a language that we have no texts in."""
        self._set(user_id, "language", _checked_language(name))

    def set_reads_links_now(self, user_id: int, *, enabled: bool) -> None:
        self._set(user_id, "reads_links_now", enabled)

    def set_autosend(self, user_id: int, *, enabled: bool) -> None:
        self._set(user_id, "autosend", enabled)

    def _set(self, user_id: int, key: str, value: str | bool) -> None:
        setattr(self._get(user_id), key, value)
        self._work.emit(SettingChanged(user_id=user_id, key=key, value=str(value)))

    def _get(self, user_id: int) -> User:
        return self._session.get_one(User, user_id)


def checked_address(text: str) -> str:
    """An addr-spec in lower case. Raises `BadRequest` for what is none."""
    try:
        return clean_address(text.strip().strip("<>")).lower()
    except NoAuthor as error:
        raise BadRequest(
            _("“{text}” is not a mail address.").format(text=text), fix=_("Write it as name@domain.")
        ) from error


def _checked_name(name: str) -> str:
    name = " ".join(name.split())
    if len(name) > NAME_LENGTH:
        raise BadRequest(
            _("The name is too long: {length} characters.").format(length=len(name)),
            fix=_("At most {most}.").format(most=NAME_LENGTH),
        )
    return name


def _checked_language(name: str) -> str:
    wanted = fold(name.strip())
    names = {fold(own): code for code, own in LANGUAGES.items()} | _OTHER_NAMES
    language = preferred([wanted]) or names.get(wanted)
    if language is None:
        known = ", ".join(f"{code} ({own})" for code, own in LANGUAGES.items())
        raise BadRequest(
            _("I do not speak “{name}” yet.").format(name=name), fix=_("I speak {known}.").format(known=known)
        )
    return language


_OTHER_NAMES = {
    "german": "de", "aleman": "de", "englisch": "en", "ingles": "en", "spanish": "es", "spanisch": "es",
    "castellano": "es",
}  # fmt: skip
"""What others call our languages, folded."""


def _checked_zone(name: str) -> str:
    """The zone's own spelling of its name, whatever the case it was written in."""
    wanted = name.strip().replace(" ", "_")
    known = {zone.lower(): zone for zone in available_timezones()}
    zone = known.get(wanted.lower())
    if zone is None:
        # None of Etc: its GMT+2 is two hours behind Greenwich (tz database, file "etcetera").
        places = sorted(zone for zone in known.values() if not zone.startswith("Etc/"))
        cities = [zone for zone in places if zone.lower().rpartition("/")[2] == wanted.lower()]
        meant = [Step(zone, f"settings timezone={zone}", reply="yes") for zone in cities[:1]]
        raise BadRequest(
            _("“{name}” is not a time zone.").format(name=name),
            fix=(
                _("Did you mean {zone}?").format(zone=cities[0])
                if cities
                else _("Write it as Europe/Berlin or America/New_York.")
            ),
            blocks=(Steps((*meant, Step(_("No"), "help settings", reply="no"))),) if meant else (),
        )
    return zone
