"""How mail programs begin a quote, a forwarded message and a signature: tables of phrases, language by language."""

from __future__ import annotations

import re


def _any(phrases: str) -> str:
    """A pattern for the phrases of a table, which are divided by bars and line ends."""
    return "|".join(re.escape(phrase.strip()) for phrase in re.split(r"[|\n]", phrases) if phrase.strip())


WROTE = _any("""
wrote | writes | schrieb | schrieben | a écrit | escribió | ha scritto | escreveu | schreef | geschreven | skrev
kirjoitti | napisał | napisał(a) | napisała | pisze | napsal | napsal(a) | napsala | napísal | napísala
написал | написал(а) | написала | пишет | написав | написала | пише | написа
írta | írta a következőt | a scris | yazdı | έγραψε | va escriure | je napisao
je napisala | je napisal | rakstīja | rašė | kirjutas | đã viết | menulis
写道 | 寫道 | 写了 | のメッセージ | 書きました | 작성 | 작성함 | เขียนว่า | כתב | כתבה | כתב/ה | كتب | نوشت | ने लिखा
""")
"""The verb of an attribution."""

PREFIXES = _any("""
On | Am | Le | El | Il | Em | Op | Den | På | Dne | Dňa | Dnia | W dniu | Pe | În data de | Vào | Pada | Στις | Dana
El dia | El día | Il giorno | Em data
""")
"""What stands before the date of one."""

_SEPARATORS = _any("""
Begin forwarded message | Forwarded message | Original message | Original appointment
Anfang der weitergeleiteten Nachricht | Anfang der weitergeleiteten E-Mail | Weitergeleitete Nachricht
Ursprüngliche Nachricht | Originalnachricht
Début du message transféré | Début du message réexpédié | Message transféré | Message d'origine | Message d’origine
Inicio del mensaje reenviado | Mensaje reenviado | Mensaje original
Inizio messaggio inoltrato | Messaggio inoltrato | Messaggio originale
Início da mensagem reencaminhada | Início da mensagem encaminhada | Mensagem encaminhada | Mensagem original
Begin doorgestuurd bericht | Doorgestuurd bericht | Oorspronkelijk bericht
Vidarebefordrat brev | Vidarebefordrat meddelande | Ursprungligt meddelande
Videresendt e-post | Videresendt melding | Opprinnelig melding | Start på videresendt besked | Videresendt besked
Oprindelig meddelelse | Välitetty viesti alkaa | Välitetty viesti | Alkuperäinen viesti
Początek przekazywanej wiadomości | Wiadomość oryginalna | Oryginalna wiadomość | Przekazana wiadomość
Začátek přeposlané zprávy | Přeposlaná zpráva | Původní zpráva | Preposlaná správa | Pôvodná správa
Начало переадресованного сообщения | Пересылаемое сообщение | Исходное сообщение | Пересланное сообщение
Переслане повідомлення | Továbbított üzenet | Eredeti üzenet | Mesaj redirecționat | Mesaj original
İletilen ileti başlangıcı | İletilmiş mesaj | Özgün ileti | Orijinal mesaj | Πρωτότυπο μήνυμα | Προωθημένο μήνυμα
Missatge reenviat | Missatge original | Proslijeđena poruka | Izvorna poruka
开始转发的邮件 | 转发的邮件 | 转发邮件 | 原始邮件 | 開始轉寄郵件 | 轉寄的郵件 | 轉寄郵件 | 原始郵件
転送されたメッセージ | 元のメッセージ | 전달된 메시지 | 전달된 메시지 시작 | 원본 메시지 | 원본 메일
Thư đã chuyển tiếp | Pesan terusan | הודעה שהועברה | הודעה מקורית | رسالة معاد توجيهها | الرسالة الأصلية
""")
SEPARATORS = re.compile(rf"[>*\s]*(?:{_SEPARATORS})\s*[:：]?[*\s]*", re.IGNORECASE)
"""A line that is only this has a forwarded or quoted mail below it; between dashes it is known by its shape."""

_FROM_FIELD = _any("""
From | Von | Absender | De | Expéditeur | Remitente | Enviado por | Da | Mittente | Van | Afzender | Från | Avsändare
Fra | Afsender | Avsender | Lähettäjä | Od | Nadawca | Odesílatel | Odosielateľ | От | От кого | Від | Feladó | De la
Kimden | Gönderen | Από | Šalje | Pošiljatelj | Saatja | 发件人 | 寄件者 | 寄件人 | 差出人 | 送信者 | 보낸 사람
보낸사람 | Từ | Dari | จาก | מאת | من
""")
FROM_FIELD = re.compile(rf"[>*\s]*(?:{_FROM_FIELD})\*?\s?[:：]", re.IGNORECASE)
"""The first line of a quoted header."""

_OTHER_FIELD = _any("""
To | An | À | Para | Aan | Till | Til | Vastaanottaja | Do | Komu | Кому | Címzett | Către | Kime | Προς | 收件人 | 宛先
받는 사람 | Cc | Kopie | Kopia | Copie | Копия | 抄送 | Date | Datum | Fecha | Data | Dato | Päivämäärä | Дата | Dátum
Tarih | Ημερομηνία | 日期 | 日付 | 날짜 | Sent | Gesendet | Envoyé | Enviado | Enviado el | Enviada em | Inviato
Verzonden | Skickat | Sendt | Lähetetty | Wysłano | Odesláno | Отправлено | Elküldve | Trimis | Gönderildi | 发送时间
寄件日期 | 送信日時 | 보낸 날짜 | Subject | Betreff | Objet | Asunto | Oggetto | Assunto | Onderwerp | Ämne | Emne
Aihe | Temat | Předmět | Predmet | Тема | Tárgy | Subiect | Konu | Θέμα | 主题 | 主旨 | 件名 | 제목 | Message-ID
MIME-Version | Reply-To | Received | Return-Path
""")
OTHER_FIELD = re.compile(rf"[>*\s]*(?:{_OTHER_FIELD})\*?\s?[:：]", re.IGNORECASE)
"""The lines with it. Two of them, or one of them and a From line, are a header."""

_SENT_FROM = _any("""
Sent from | Sent via | Sent with | Sent using | Get Outlook for | Get BlackBerry
Gesendet von | Gesendet mit | Von meinem iPhone | Von meinem iPad | Diese Nachricht wurde von | Holen Sie sich Outlook
Envoyé de | Envoyé depuis | Envoyé à partir | Obtenez Outlook | Télécharger Outlook
Enviado desde | Enviado do | Enviado de | Enviado a partir | Enviado con | Obtener Outlook | Obter o Outlook
Inviato da | Inviato dal | Scarica Outlook | Ottieni Outlook
Verzonden vanaf | Verstuurd vanaf | Verzonden met | Outlook voor
Skickat från | Skaffa Outlook | Hämta Outlook | Sendt fra | Hent Outlook | Lähetetty | Hanki Outlook
Wysłane z | Wysłano z | Pobierz program Outlook | Odesláno z | Odoslané z | Získejte Outlook
Отправлено с | Отправлено из | Отправлено через | Надіслано з | Скачать Outlook
Elküldve | Küldve | Trimis de pe | Στάλθηκε από | Enviat des de | Poslano z | Poslano s | Dikirim dari
Đã gửi từ | Gửi từ | נשלח מ | נשלח מה | أرسلت من | مرسل من
""")
_SENT_FROM_IN_ASIA = r"(?:发自|發自|傳送自).{2,40}|[从從]我的.{2,40}(?:发送|發送|傳送)|.{2,40}(?:から送信|에서 보냄)"
SENT_FROM = re.compile(rf"(?:{_SENT_FROM})\b.{{2,100}}|{_SENT_FROM_IN_ASIA}|.{{2,40}}gönderildi\W*", re.IGNORECASE)
"""What telephones sign with."""
