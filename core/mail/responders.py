"""How automatic answers begin where nothing in their header says so: tables of phrases, language by language."""

from __future__ import annotations

import re


def _any(phrases: str) -> str:
    """A pattern for the phrases of a table, which are divided by bars and line ends; blanks stand for any space."""
    table = (phrase.strip() for phrase in re.split(r"[|\n]", phrases))
    return "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in table if phrase)


_ANSWERS = _any("""
Automatic reply | Automated reply | Automatic response | Automated response | Auto reply | Auto-reply | Autoreply
Auto response | Auto-response | Autoresponse | Out of office | Out of the office | Out of office reply
Out of office autoreply | Vacation reply | Away from my mail
Automatische Antwort | Automatische Rückantwort | Abwesenheitsnotiz | Abwesenheitsmeldung | Abwesenheitsbenachrichtigung
Abwesend | Réponse automatique | Absence du bureau | Message d'absence | Notification d'absence
Respuesta automática | Fuera de la oficina | Risposta automatica | Fuori sede | Fuori ufficio
Resposta automática | Fora do escritório | Ausência temporária | Automatisch antwoord | Afwezigheidsbericht | Afwezig
Autosvar | Automatiskt svar | Automatisk svar | Ikke til stede | Frånvaro | Frånvarande | Fraværende
Automaattinen vastaus | Poissa | Automatyczna odpowiedź | Odpowiedź automatyczna | Poza biurem
Automatická odpověď | Mimo kancelář | Automatická odpoveď | Автоответ | Автоматический ответ | Автоматична відповідь
Automatikus válasz | Răspuns automat | Otomatik yanıt | Otomatik cevap | Ofis dışında | Αυτόματη απάντηση
Resposta automàtica | Automatski odgovor | Samodejni odgovor | Trả lời tự động | Balasan otomatis
自动回复 | 自动答复 | 自動回覆 | 自動答覆 | 自動返信 | 自動応答 | 不在通知 | 자동 회신 | 자동 응답 | 부재중
מענה אוטומטי | תשובה אוטומטית | رد تلقائي
""")

_BOUNCES = _any("""
Undeliverable | Undelivered Mail Returned to Sender | Mail delivery failed | Mail delivery failure | Delivery failure
Delivery Status Notification | Delivery delayed | Message delivery delayed | Warning: message | Returned mail
Failure notice | Mail System Error | Non remis | Unzustellbar | No se puede entregar | Non recapitabile | Onbestelbaar
""")

AUTOMATIC_SUBJECT = re.compile(
    rf"\s*[\[(*\"]*(?:(?:{_ANSWERS})\s*(?:[:：)\]*\"]|[-–—]\s|$)|(?:{_BOUNCES})\b)", re.IGNORECASE
)
"""A subject that begins with the name of an automatic answer and a colon, or is that name; or a bounce's."""

VACATION = re.compile(
    r"""
      \bI(?:\ am|['’]m|\ will\ be|['’]ll\ be)\b[^\n]{0,80}
        \b(?:out\ of\ (?:the\ |my\ )?office|not\ in\ the\ office|on\ (?:\w+\ )?(?:leave|vacation|holidays?)
        |away\ (?:from|until|on))\b
    | \bthis\ is\ an\ auto(?:matic|mated|-)[^\n]{0,40}(?:reply|response|answer|message)
    | \bich\ (?:bin|befinde\ mich)\b[^\n]{0,80}(?:nicht\ im\ (?:Büro|Haus)|im\ Urlaub|abwesend|nicht\ erreichbar)
    | \bje\ (?:suis|serai)\b[^\n]{0,80}(?:absente?|en\ congés?|en\ vacances|en\ déplacement)
    | \b(?:estoy|estaré|me\ encuentro)\b[^\n]{0,80}(?:fuera\ de\ la\ oficina|de\ vacaciones|ausente)
    | \b(?:sono|sarò)\b[^\n]{0,80}(?:fuori\ (?:sede|ufficio)|in\ ferie|assente)
    | \b(?:estou|estarei)\b[^\n]{0,80}(?:fora\ do\ escritório|de\ férias|ausente)
    | \bik\ ben\b[^\n]{0,80}(?:niet\ op\ kantoor|met\ vakantie|op\ vakantie|afwezig)
    | \bjag\ är\b[^\n]{0,80}(?:semester|frånvarande|bortrest|inte\ på\ kontoret)
    | \bjeg\ er\b[^\n]{0,80}(?:ferie|ikke\ på\ kontoret|fraværende)
    | \b(?:jestem|przebywam)\b[^\n]{0,80}(?:na\ urlopie|poza\ biurem|nieobecn)
    | \bjsem\b[^\n]{0,80}(?:na\ dovolené|mimo\ kancelář)
    | \bя\b[^\n]{0,80}(?:в\ отпуске|отсутству)
    | 我(?:目前|现在|現在|正在)?[^。\n]{0,30}(?:休假|不在办公室|不在辦公室|度假)
    | (?:休暇|不在に|不在の)[^。\n]{0,30}(?:おり|です|ます|ため)
    | (?:휴가|부재)\s*중(?:입니다|이오니|으로)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A sentence in which somebody says that they are away."""
