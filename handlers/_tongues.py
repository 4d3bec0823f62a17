"""The words of the commands in each language, beside those that their own files have.

English, German and Spanish are complete, the others have the words of the first days. The first one is what the
command is called there; a word that is of one language alone tells which one its writer reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from core.mail.grammar import CommandSpec


def in_all_tongues(spec: CommandSpec) -> CommandSpec:
    """The description with the words of all languages."""
    words = {
        language: tuple(word.strip() for word in table[spec.name].split(","))
        for language, table in TONGUES.items()
        if spec.name in table
    }
    return replace(spec, tongues=words, sayings=SAYINGS.get(spec.name, {}))


TONGUES: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "list": "what books do i have, which books do i have, what do i have, what do i have in my library, "
        "what is in my library, what's in my library, list my library, all my books, please list my books",
        "find": "do you have, have you got, find books by, find me something by, find something by, looking for, "
        "i am looking for, i'm looking for, books by",
        "send": "get me, mail me",
        "show": "details of, details about, info about, info on, tell me about, what do you know about",
        "undo": "undo that, undo it, undo this, take that back, bring it back",
        "help": "help with, help on, help me with, how do i use this, how does it work, what can i do, what can i say, "
        "manual, instructions",
        "subscribe": "subscribe me to, follow the feed",
        "unsubscribe": "stop following, unsubscribe me from, cancel my subscription to",
        "feeds": "show my subscriptions, show subscriptions, which feeds do i follow, what feeds do i follow, "
        "what do i follow, what am i subscribed to",
        "kindle": "show my devices, list devices, list my devices, which devices do i have",
        "later": "read this later, read it later, save for later, for later",
        "settings": "set my, my settings, show my settings, show settings, options",
        "status": "where are my books, where is my book, where's my book, did it arrive, has it arrived, is it sent, "
        "what became of it, deliveries, my deliveries",
        "digest": "the paper, the digest, my morning paper, morning paper",
        "stats": "my statistics, my stats",
    },
    "de": {
        "add": "hinzufügen, "
        "füge hinzu, aufnehmen, nimm auf, hochladen, ablegen, neues buch",
        "confirm": "bestätige, bestätigen",
        "digest": "zeitung, meine zeitung, morgenzeitung, "
        "mein digest, die zeitung, tageszeitung, meine morgenzeitung",
        "edit": "ändere, bearbeite, "
        "bearbeiten, ändern, korrigiere, korrigieren, verbessere",
        "export": "exportiere, exportieren, exportiere feeds, "
        "ausführen, exportiere meine feeds",
        "feeds": "meine feeds, abos, abonnements, "
        "meine abos, meine abonnements, welche feeds habe ich, welche abos habe ich, zeig meine feeds, "
        "zeige meine feeds, zeig meine abos",
        "find": "suche, suchen, suche nach, finde, "
        "hast du, habt ihr, finden, finde bücher von, suche bücher von, bücher von, ich suche",
        "help": "hilfe, "
        "hilfe zu, hilfe mit, hilfe bei, befehle, anleitung, was kann ich schreiben, was kannst du, "
        "wie geht das, wie funktioniert das, was kann ich tun",
        "invite": "einladen, lade ein, "
        "lade",
        "kindle": "gerät, geräte, meine geräte, mein kindle, zeig meine geräte, zeige meine geräte",
        "later": "später lesen, "
        "später lesen, für später, lies später, später",
        "less": "weniger, "
        "weniger wie, weniger davon",
        "list": "liste, bücher, meine bücher, bibliothek, zeige meine bücher, "
        "welche bücher habe ich, was habe ich, alle bücher, zeig meine bücher, zeigen meine bücher, "
        "zeige alle bücher, zeig alle bücher, meine bibliothek, seite, auflisten, liste meiner bücher, bücherliste",
        "more": "mehr, "
        "mehr davon",
        "pause": "pausiere, "
        "pausieren, stummschalten",
        "popular": "beliebt, "
        "beliebteste, meistgelesen",
        "quota": "kontingent, "
        "kontingente",
        "read": "lies, lesen, "
        "lese, jetzt lesen",
        "remove": "lösche, löschen, entferne, "
        "entfernen, lösch, wirf weg, nimm heraus",
        "rename": "umbenennen, "
        "benenne um, verschieben",
        "resume": "fortsetzen, "
        "weitermachen, fortfahren",
        "save": "speichern, "
        "speichere, sichern, behalte",
        "secret": "geheimnis, geheimadresse, geheime adresse, meine geheime adresse",
        "send": "schicke, schick, sende, senden, "
        "schicken, übertrage, übertragen, liefere, liefern, schick buch, sende buch, send mir",
        "settings": "einstellungen, "
        "einstellung, meine einstellungen, setze, stelle ein",
        "share": "teile, teilen, "
        "teilen mit, verleihe, verleihen, leihe",
        "shelf": "regal, regale, "
        "meine regale, schlagworte, meine schlagworte",
        "show": "zeige, zeig, "
        "zeigen, was weißt du über, infos zu, details zu, erzähl mir von",
        "stats": "statistik, "
        "statistiken, meine statistik",
        "status": "zustand, "
        "wo ist mein buch, wo sind meine bücher, ist es angekommen, was wurde daraus, lieferungen, "
        "meine lieferungen",
        "subscribe": "abonniere, abonnieren, "
        "abonnier, folgen",
        "totals": "statistik alle, "
        "gesamtzahlen",
        "undo": "rückgängig, "
        "rückgängig machen, mach rückgängig, widerrufen, zurücknehmen, wiederherstellen",
        "unshare": "nicht mehr teilen, "
        "teilen beenden",
        "unsubscribe": "abbestellen, abbestelle, "
        "abo beenden, abo kündigen, kündige, kündigen, abmelden",
        "users": "benutzer, nutzer, "
        "alle benutzer, alle nutzer",
        "why": "warum, "
        "wieso, weshalb",
        "suspend": "sperre, sperren",
        "unsuspend": "entsperre, entsperren",
        "forget": "vergiss mich, vergiss alles",
        "newsletter": "rundbrief, rundbriefe, meine newsletter",
    },
    "es": {
        "add": "añadir, "
        "añade, agregar, agrega, subir, libro nuevo",
        "confirm": "confirmar, confirma",
        "digest": "periódico, mi periódico, "
        "diario, mi diario, el periódico, mi periódico de la mañana",
        "edit": "cambia, editar, "
        "edita, cambiar, corrige, corregir, modifica, modificar",
        "export": "exportar, exporta, "
        "exportar fuentes, exporta mis fuentes, exportar mis feeds",
        "feeds": "mis feeds, suscripciones, "
        "mis suscripciones, fuentes, mis fuentes, a qué estoy suscrito, a qué estoy suscrita, ver mis feeds",
        "find": "busca, buscar, encuentra, "
        "buscar libros de, busca libros de, libros de, tienes, encontrar, estoy buscando",
        "help": "ayuda, "
        "ayuda con, ayuda sobre, comandos, instrucciones, cómo funciona esto, cómo funciona, "
        "qué puedo escribir, qué puedes hacer, qué puedo hacer",
        "invite": "invita, invitar, "
        "invita a",
        "kindle": "dispositivo, dispositivos, mis dispositivos, mi kindle, ver mis dispositivos",
        "later": "más tarde, luego, "
        "leer después, leer más tarde, para después, para luego",
        "less": "menos, "
        "menos como, menos así",
        "list": "lista, libros, mis libros, biblioteca, "
        "qué libros tengo, qué tengo, todos los libros, todos mis libros, muéstrame mis libros, "
        "ver mis libros, enséñame mis libros, enseñarme mis libros, enseñar mis libros, mostrar mis libros, "
        "mi biblioteca, muestra mis libros, página, listar",
        "more": "más, "
        "más como, más así",
        "pause": "pausar, "
        "pausa, silencia, silenciar",
        "popular": "populares, "
        "más leídos, lo más enviado",
        "quota": "cuota, "
        "cuotas",
        "read": "leer, "
        "lee, leer ahora",
        "remove": "borra, borrar, elimina, quitar, "
        "eliminar, borra el libro, suprime, suprimir, quita",
        "rename": "renombrar, "
        "renombra, cambia el nombre de, mover, mueve",
        "resume": "reanudar, "
        "reanuda, continuar, continúa",
        "save": "guardar, "
        "guarda, guárdame",
        "secret": "secreto, dirección secreta, mi dirección secreta",
        "send": "envía, enviar, envíame, manda, "
        "enviarme, mándame, mandar, manda el libro, envíe, ponme, pásame",
        "settings": "ajustes, configuración, "
        "mis ajustes, preferencias, mi configuración, opciones",
        "share": "comparte, compartir, "
        "presta, prestar, comparte el libro",
        "shelf": "estante, estantes, "
        "mis estantes, estantería, estanterías, etiquetas, mis etiquetas",
        "show": "muestra, mostrar, "
        "muéstrame, enséñame, detalles, detalles de, qué sabes de, información sobre",
        "stats": "estadísticas, "
        "mis estadísticas",
        "status": "estado, "
        "dónde está mi libro, dónde están mis libros, ha llegado, mis envíos, envíos",
        "subscribe": "suscribir, suscríbeme, "
        "suscribirme, suscríbeme a, suscribirme a, suscribe, seguir, sigue",
        "totals": "estadísticas todas, "
        "totales",
        "undo": "deshacer, "
        "deshaz, deshazlo, recupera, recuperar, restaurar",
        "unshare": "dejar de compartir, "
        "deja de compartir",
        "unsubscribe": "desuscribir, "
        "darme de baja de, dame de baja de, baja, cancela la suscripción a, cancelar la suscripción a, "
        "cancelar suscripción a, dejar de seguir, deja de seguir",
        "users": "usuarios, "
        "todos los usuarios",
        "why": "por qué, "
        "por qué está, porqué",
        "suspend": "suspende",
        "unsuspend": "reactiva",
        "forget": "olvídame, olvida todo",
        "newsletter": "boletín, boletines, mis boletines",
    },
    "fr": {
        "add": "ajouter, ajoute, nouveau livre",
        "digest": "journal, mon journal, le journal",
        "feeds": "mes abonnements, mes flux",
        "find": "cherche, chercher, trouve, recherche, as-tu, avez-vous",
        "help": "aide, comment ça marche, que puis-je écrire, que peux-tu faire",
        "kindle": "appareils, mes appareils",
        "later": "plus tard, lire plus tard",
        "less": "moins, moins comme",
        "list": "mes livres, montre-moi mes livres, ma bibliothèque, bibliothèque, livres, quels livres ai-je",
        "more": "plus, plus comme",
        "read": "lire, lis",
        "remove": "supprime, supprimer, efface, effacer",
        "save": "enregistre, enregistrer",
        "send": "envoie, envoyer, envoie-moi, envoyez, envoyez-moi, m'envoyer",
        "settings": "paramètres, réglages, mes réglages",
        "show": "montre, montre-moi, montrer, affiche",
        "status": "où est mon livre, où sont mes livres, état",
        "subscribe": "abonne-moi à, abonner, s'abonner à, m'abonner à, suivre",
        "undo": "annuler, annule",
        "unsubscribe": "désabonner, désabonne-moi de, me désabonner de",
        "why": "pourquoi",
    },
    "it": {
        "add": "aggiungi, aggiungere",
        "digest": "giornale, il mio giornale",
        "feeds": "i miei feed, abbonamenti, i miei abbonamenti",
        "find": "cerca, cercare, trova",
        "help": "aiuto, come funziona, cosa posso scrivere",
        "kindle": "dispositivi, i miei dispositivi",
        "later": "più tardi, leggi dopo",
        "less": "meno, meno come",
        "list": "i miei libri, elenco, la mia biblioteca, mostra i miei libri, mostrami i miei libri, libri",
        "more": "più, più come",
        "read": "leggi, leggere",
        "remove": "eliminare, cancella, cancellare, rimuovi",
        "save": "salva, salvare",
        "send": "invia, inviare, inviami, mandami, mandare",
        "settings": "impostazioni, le mie impostazioni",
        "show": "mostra, mostrami",
        "status": "stato, dov'è il mio libro",
        "subscribe": "iscrivimi a, iscriviti a, abbonami a",
        "undo": "annulla, annullare",
        "unsubscribe": "disiscrivimi da, annulla iscrizione a",
        "why": "perché",
    },
    "pt": {
        "add": "adicionar, adiciona",
        "digest": "jornal, meu jornal",
        "find": "procurar, procura, encontrar",
        "help": "ajuda, como funciona",
        "list": "meus livros, os meus livros, minha biblioteca, livros",
        "remove": "apagar, apaga, excluir, remover",
        "send": "enviar, envie, manda-me, envia-me, me envie, mande",
        "settings": "configurações, definições",
        "show": "mostra-me",
        "undo": "desfazer",
    },
    "zh": {
        "add": "添加", "digest": "日报, 报纸", "feeds": "我的订阅, 订阅列表", "find": "查找, 搜索, 找", "help": "帮助",
        "list": "我的书, 书单, 书库, 列表", "read": "阅读", "remove": "删除", "send": "发送, 发", "settings": "设置",
        "show": "显示, 详情", "status": "状态", "subscribe": "订阅", "undo": "撤销", "unsubscribe": "取消订阅",
    },
    "ja": {
        "add": "追加", "digest": "新聞", "feeds": "購読一覧", "find": "検索, 探す", "help": "ヘルプ, 使い方",
        "list": "本棚, 一覧, 本の一覧", "read": "読む", "remove": "削除", "send": "送信, 送って", "settings": "設定",
        "show": "表示", "status": "状況", "subscribe": "購読", "undo": "元に戻す", "unsubscribe": "購読解除",
    },
}  # fmt: skip

SAYINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "digest": {
        "my paper now": "now", "a paper now": "now", "paper now": "now", "send me my paper": "now",
        "stop my digest": "off", "stop my paper": "off", "stop the paper": "off", "stop the digest": "off",
        "pause my paper": "pause", "pause the paper": "pause", "pause my digest": "pause",
        "stopp die zeitung": "off", "stoppe die zeitung": "off", "keine zeitung mehr": "off",
        "pausiere die zeitung": "pause", "pausiere meine zeitung": "pause",
        "para el periódico": "off", "parar el periódico": "off", "pausa el periódico": "pause",
    },
    "kindle": {
        "my kindle is": "add", "my kindle address is": "add", "add my kindle": "add", "add kindle": "add",
        "add device": "add", "my kobo is": "add", "add my device": "add",
        "mein kindle ist": "add", "meine kindle-adresse ist": "add", "kindle hinzufügen": "add",
        "gerät hinzufügen": "add", "gerät entfernen": "remove", "kindle entfernen": "remove",
        "mi kindle es": "add", "añadir kindle": "add", "añade mi kindle": "add", "añadir dispositivo": "add",
        "eliminar dispositivo": "remove", "quitar dispositivo": "remove",
    },
}  # fmt: skip
"""Phrases for one form of a command: what stands beside each is written before the words behind the phrase."""
