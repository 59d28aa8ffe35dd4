"""What may stand above an answer without being one: a greeting, or an organization's classification."""

import re
import unicodedata

_ALL_WORDS = re.compile(r"[^\W\d_]+(?:['’.\-][^\W\d_]*)*")
_ENDS = ",!.:;،，、。！：~ \t"

# Words that greet alone or with a name after them.
_HELLO = re.compile(
    r"""(?:
        hi|hey|hello|hallo|hullo|howdy|greetings|dear|good\ (?:morning|afternoon|evening|day)|morning|afternoon
        |evening|guten\ (?:tag|morgen|abend)|gute[nr]?\ morgen|moin|servus|grüezi|grüß\ (?:gott|dich)|liebe[rs]?
        |sehr\ geehrte[rs]?|geehrte[rs]?|hallöchen|bonjour|bonsoir|salut|coucou|chère?s?|madame|monsieur|mesdames
        |messieurs|hola|buen[oa]s?(?:\ (?:días|dias|tardes|noches|día|dia))?|estimad[oa]s?|querid[oa]s?
        |apreciad[oa]s?|olá|oi|bom\ dia|boa\ (?:tarde|noite)|car[oa]s?|prezad[oa]s?|ciao|salve|buon\ ?giorno
        |buona\ ?sera|gentil[ei]|gentilissim[oaie]|egregi[oa]?|spettabile|beste|geachte|goedemorgen|goedemiddag
        |goedenavond|goedendag|dag|hoi|hej|hejsa|hei|heisann|god\ (?:morgen|dag|aften|kväll|middag|morgon)|kære
        |kjære|bästa|bäste|käre?|tjena|hallå|moi|terve|hyvää\ (?:huomenta|päivää|iltaa)|hyvä|arvoisa|päivää|huomenta
        |cześć|czesc|dzień\ dobry|dobry\ wieczór|witam|witaj|szanown[iay]\ (?:państwo|panie|pani)|szanowni|drog[iay]
        |ahoj|dobrý\ (?:den|večer)|dobré\ (?:ráno|popoledne)|vážen[íáý]|mil[íáý]|dobrý\ deň|szia(?:sztok)?|helló
        |üdv(?:özlöm)?|kedves|tisztelt|jó\ (?:napot|reggelt|estét)|bună(?:\ (?:ziua|dimineața|seara))?|salutare
        |stimat[eăi]|dragă?|zdravo|bok|pozdrav(?:ljeni)?|dobar\ (?:dan|večer)|poštovan[aie]|dober\ dan|živjo
        |здравей(?:те)?|добър\ ден|уважаем(?:и|а|ый|ая|ые)|привет(?:ствую)?|здравствуйте|добрый\ (?:день|вечер)
        |доброе\ утро|дорог(?:ой|ая|ие)|вітаю|доброго\ (?:дня|ранку)|добрий\ день|шановн(?:ий|а|і)
        |γεια(?:\ σας|\ σου)?|καλημέρα(?:\ σας)?|καλησπέρα|αγαπητ(?:έ|ή|οί)|merhaba(?:lar)?|selam(?:lar)?|sayın
        |günaydın|iyi\ (?:günler|akşamlar)|değerli|halo|hai|selamat\ (?:pagi|siang|sore|malam)|yth|kepada|chào
        |xin\ chào|kính\ gửi|thân\ gửi|kaixo|egun\ on|arratsalde\ on|tere|sveiki|labas|laba\ diena|labdien|namaste
        |नमस्ते|नमस्कार|प्रिय|สวัสดี\w*|เรียน|שלום|היי|הי|בוקר\ טוב|ערב\ טוב|יקר(?:ה|ים)?|مرحبا|مرحبًا|أهلا|أهلاً
        |السلام\ عليكم|صباح\ الخير|مساء\ الخير|عزيز[يت]ي?|السيد|سلام|با\ سلام|درود|team|all|everyone|everybody|folks
        |colleagues|guys|kolleg(?:en|innen)|alle|to\ whom\ it\ may\ concern
    )(?!\w)""",
    re.VERBOSE,
)
# A group alone needs the comma: "All" may be an answer.
_GROUP = re.compile(r"(?:team|all|everyone|everybody|folks|colleagues|guys|alle|dag|kolleg(?:en|innen))(?!\w)")
# Scripts without spaces: the greeting comes first, or an honorific last.
_HELLO_UNSPACED = re.compile(
    r"(?:您好|你好|大家好|各位|尊敬的|敬启者|亲爱的|親愛的|早上好|下午好|晚上好|早安|午安|こんにちは|こんばんは|おはよう|お世話に"
    r"|お疲れ|拝啓|皆様|皆さん"
    r"|안녕하세요|안녕하십니까|안녕)"
)
_HONORIFIC = re.compile(r"[^\s,，。]{1,12}(?:様|さん|殿|님|께|老师|先生|女士|您好|你好)$")


def is_greeting(line: str) -> bool:
    """Tell whether a whole line is only a salutation ("Hi,", "Dear team,", "Bonjour Jane !")."""
    text = _folded(line[:80])
    core = text.strip(_ENDS)
    if not core or len(text) > 60:
        return False
    if _HELLO_UNSPACED.match(core):
        return len(core) <= 20
    if not core.isascii() and _HONORIFIC.match(core):
        return True
    found = _HELLO.match(core)
    if found is None:
        return False
    ends = text[-1] in _ENDS
    # What follows a comma may be the answer: "Hi, rejected".
    others = core[found.end() :].split()
    if not all(_ALL_WORDS.fullmatch(word) or word in "&/" for word in others):
        return False
    if _GROUP.match(core):
        return ends and not others
    return len(others) <= (5 if ends else 2)


# Organizations' words for confidentiality levels.
_LEVELS_LIST = """
    public internal private general confidential restricted secret official sensitive unclassified classified
    proprietary unrestricted personal protected external extern ext nonbusiness business öffentlich intern
    interne internes internen vertraulich geheim streng vs nfd eingeschränkt persönlich publique publics
    confidentiel confidentielle restreint restreinte secrète diffusion limitée privé público publica pública
    publico interno interna internos confidencial restringido restringida restrito restrita secreto secreta
    reservado privado externo externa pubblico pubblica riservato riservata confidenziale segreto esterno
    openbaar vertrouwelijk beperkt bedrijfsvertrouwelijk offentlig fortrolig internt konfidentiell öppen hemlig
    begränsad åpen begrenset julkinen sisäinen luottamuksellinen salainen publiczne publiczny wewnętrzne
    wewnętrzny poufne poufny zastrzeżone tajne veřejné veřejný interní důvěrné důvěrný tajné verejné interné
    dôverné nyilvános belső bizalmas titkos confidențial javno povjerljivo zaupno публично внутреннее
    конфиденциально секретно публічно внутрішнє конфіденційно поверително δημόσιο εσωτερικό εμπιστευτικό
    απόρρητο genel gizli dahili herkese açık hizmete özel rahasia publik umum terbatas nội bộ mật công khai 公开
    公開 内部 內部 机密 機密 绝密 秘密 社外秘 社内限 部外秘 极秘 極秘 대외비 기밀 공개 내부 公開可 סודי חסוי פנימי
    ציבורי سري عام داخلي محرمانه
"""
_LEVELS = frozenset(_LEVELS_LIST.split())
_FILLERS_LIST = """
    use only for company strictly highly most data information document mail email message and of the level
    class c0 c1 c2 c3 c4 c5 l1 l2 l3 l4 s1 s2 s3 s4 i ii iii iv 0 1 2 3 4 5 nur für den dienstgebrauch gebrauch
    zum usage à pour uso solo para sólo apenas alleen voor gebruik kun til bruk brug endast bara för vain
    käyttöön sender recipients anyone employees all parties unrestricted personal ограниченного доступа
"""
_FILLERS = frozenset(_FILLERS_LIST.split())
_CLASS_NOUN = re.compile(
    r"""(?:(?:data|information|document|e-?mail|message|mail|security|protective|content|mip|iso)[ -])?
    (?:
        sensitivity(?:[ ]label)?|classification(?:[ ](?:level|label))?|classified(?:[ ]as)?
        |security[ ]?(?:level|class|label|marking)|protective[ ]marking|marking
        |confidentiality(?:[ ](?:level|class|label))?|handling|privacy(?:[ ]level)?|distribution|tlp
        |klassifi(?:zierung|kation|erung|kering|cering|sering)|sicherheits(?:stufe|klasse)
        |schutz(?:klasse|stufe|bedarf)|vertraulichkeit(?:sstufe|sklasse)?|sensitivität|informationsklasse
        |sensibilité|confidentialité|niveau[ ]de[ ](?:confidentialité|sensibilité|classification)|clasificación
        |sensibilidad|confidencialidad|nivel[ ]de[ ](?:confidencialidad|sensibilidad)|classificação|sensibilidade
        |confidencialidade|classificazione|riservatezza|sensibilità|classificatie|gevoeligheid|vertrouwelijkheid
        |rubricering|informationsklass|känslighet|sekretess|følsomhed|følsomhet|luokitus|luottamuksellisuus
        |tietoluokka|klasyfikacja|poufność|klasifikace|citlivost|důvěrnost|klasifikácia|minősítés|besorolás
        |clasificare|klasifikacija|классификация|конфиденциальность|гриф|класифікація|конфіденційність|ταξινόμηση
        |διαβάθμιση|sınıflandırma|gizlilik(?:[ ]derecesi)?|klasifikasi
        |phân[ ]loại|機密区分|分類|密级|密級|敏感度|分类|보안등급|보안[ ]등급
        |분류|민감도|סיווג|تصنيف|التصنيف|حساسیت
    )
    (?:[ ](?:level|label|class))?""",
    re.VERBOSE,
)
_TLP = re.compile(r"\W*tlp\s*[:=\- ]\s*(?:clear|white|green|amber|red)(?:\s*\+\s*strict)?\W*$")
_BRACKETED = re.compile(
    r"[\[({<【「《*#=!_~|-][\s\[({<【「《*#=!_~|-]{0,20}(?P<inside>[^\[\](){}<>【】]{1,60}?)\s*[\])}>】」》*#=!_~|-]+\W*$"
)


def is_classification(line: str) -> bool:
    """Tell whether a whole line can only be a classification.

    For example "Sensitivity: Internal", "TLP:AMBER", or "[EXTERNAL]"; see `may_be_classification` for bare words.
    """
    text = _folded(line[:120])
    if not text or len(text) > 80:
        return False
    if _TLP.match(text):
        return True
    bracketed = _BRACKETED.match(text)
    core = (bracketed["inside"] if bracketed else text).strip(" *_#-–—|")
    label, colon, value = core.partition(":")
    if colon and _CLASS_NOUN.fullmatch(label.strip(" *_")) and 1 <= len(value.split()) <= 8:
        return True
    return bool(bracketed) and _is_level(core)


def may_be_classification(line: str) -> bool:
    """Tell whether a line consists of classification words, like "Confidential" or "For internal use only".

    It may also be an answer: only its place in the email and the options can tell.
    """
    text = _folded(line[:120])
    return len(text) <= 60 and _is_level(text)


def _is_level(text: str) -> bool:
    words = [word for word in re.split(r"[\s/|,.;:()\[\]*_#!\-–—·+&]+", text) if word]
    return (
        1 <= len(words) <= 9
        and not _LEVELS.isdisjoint(words)
        and all(word in _LEVELS or word in _FILLERS for word in words)
    )


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
