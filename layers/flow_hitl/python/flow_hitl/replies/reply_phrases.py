"""How mail clients and gateways mark text that is not the person's, in their languages.

These are only words; `reply.py` and its helpers use them, case-folded and after NFKC. To add a language, add its words
to each group.
"""

import re
import unicodedata


def _all_of(block: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", block).casefold()
    return frozenset(" ".join(phrase.split()) for phrase in folded.split("|"))


def _any_of(block: str) -> str:
    """Return a pattern for whole words; scripts without spaces get no word boundaries."""
    # Longest first, because the first alternative that fits wins.
    phrases = sorted(_all_of(block), key=lambda phrase: (-len(phrase), phrase))
    spaced = [re.escape(phrase) for phrase in phrases if phrase[0] < "\u0e00"]
    unspaced = [re.escape(phrase) for phrase in phrases if phrase[0] >= "\u0e00"]
    return rf"(?:(?<!\w)(?:{'|'.join(spaced)})(?!\w)" + (f"|{'|'.join(unspaced)})" if unspaced else ")")


WROTE_WORDS = tuple(
    sorted(
        _all_of(
            """wrote|writes|schrieb|geschrieben|a écrit|écrivait|écrit|escribió|escribio
    |va escriure|escreveu|ha scritto
    |scrisse|schreef|geschreven|skrev|skrifaði|kirjoitti|napisał(a)|pisze|pisał|pisała
    |napisał|napisała|napsal(a)|napsal|napsala
    |napísal(a)|napísal|írta|a scris|je napisao|je napisala|je napisal|napisao je|написал(а)|написал|написала
    |написав|написала|пишет|пише|написа|έγραψε|yazdı|şunları yazdı|menulis|đã viết|เขียนว่า|เขียน|כתב|כתבה|כתב/ה
    |מאת|كتب|写道|寫道|写|のメール|书き込みました|書きました|님이 작성|작성|님이 씀|씀|idatzi zuen|rakstīja|rašė
    |kirjutas"""
        )
    )
)
WROTE = _any_of("|".join(WROTE_WORDS))

# How an attribution begins, other than with a weekday or a date.
ATTRIBUTION_OPENS = _any_of(
    """on|at|am|le|el|il|il giorno|em|a|no dia|op|den|d|dne|dňa|dnia|w dniu|в|на|pada|vào|vào ngày|στις|la|pe|în|ב
    |בתאריך|في|בתאריך|在|于|於|el dia|data"""
)

WEEKDAYS = _any_of(
    """mon|tue|wed|thu|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday|mo|di|mi|do|fr|sa|so
    |montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lun|mar|mer|jeu|ven|sam|dim|lundi|mardi
    |mercredi|jeudi|vendredi|samedi|dimanche|mié|jue|vie|sáb|dom|ma|ti|ke|to|la|su|pe|man|tir|ons|tor|fre|lør
    |søn|mån|tis|tors|lör|sön|pon|wt|śr|czw|pt|sob|niedz|po|út|st|čt|pá|пн|вт|ср|чт|пт|сб|вс|нд|seg|ter|qua|qui
    |sex|gio|mar|mer|pzt|sal|çar|per|cum|cmt|paz"""
)

HEADERS: dict[str, str] = {
    "from": _any_of(
        """from|von|de|da|van|fra|från|lähettäjä|od|feladó|de la|от|от кого|від|από|kimden|gönderen|dari|từ|จาก|מאת
        |من|发件人|發件人|寄件者|差出人|送信者|보낸 사람|보낸사람|expéditeur|remitente|mittente|afzender
        |absender|avsender"""
    ),
    "date": _any_of(
        """sent|date|gesendet|datum|envoyé|envoyé le|enviado|enviado el|enviado em|enviada em|enviada|fecha|data
        |inviato|verzonden|sendt|dato|skickat|lähetetty|päivämäärä|päiväys|wysłano|wysłane|odesláno|odoslané
        |elküldve|dátum|trimis|отправлено|дата|надіслано|gönderildi|tarih|dikirim|tanggal|đã gửi|ngày|ημερομηνία
        |στάλθηκε|נשלח|תאריך|تاريخ|تم الإرسال|发送时间|發送時間|传送日期|寄件日期|日期|时间|送信日時|日付|日時
        |보낸 날짜|날짜"""
    ),
    "to": _any_of(
        """to|an|à|a|para|aan|til|till|vastaanottaja|do|komu|címzett|către|кому|до|προς|kime|alıcı|kepada|đến|tới
        |אל|إلى|收件人|收件者|宛先|받는 사람|받는사람|destinataire|destinatario"""
    ),
    "subject": _any_of(
        """subject|betreff|objet|asunto|assunto|oggetto|onderwerp|emne|ämne|aihe|temat|předmět|predmet|tárgy
        |subiect|тема|θέμα|konu|subjek|perihal|chủ đề|נושא|الموضوع|主题|主旨|主題|件名|제목"""
    ),
    "other": _any_of("cc|bcc|kopie|kopia|kopi|reply-to|antwort an|抄送|副本|참조|importance|attachments|копия"),
}

ORIGINAL = _any_of(
    """original message|original appointment|original mail|original email|forwarded message|forwarded by
    |ursprüngliche nachricht|originalnachricht|original-nachricht|weitergeleitete nachricht
    |weitergeleiteten nachricht|ursprungliche nachricht|message d'origine|message d’origine|message original
    |message transféré|message réexpédié|mensaje original|mensaje reenviado|mensagem original
    |mensagem encaminhada|messaggio originale|messaggio inoltrato|oorspronkelijk bericht|origineel bericht
    |doorgestuurd bericht|oprindelig meddelelse|oprindelig besked|videresendt meddelelse|videresendt besked
    |opprinnelig melding|videresendt melding|ursprungligt meddelande|originalmeddelande
    |vidarebefordrat meddelande|alkuperäinen viesti|välitetty viesti|wiadomość oryginalna|oryginalna wiadomość
    |wiadomość przekazana|přeposlaná zpráva|původní zpráva|původní e-mail|pôvodná správa|eredeti üzenet
    |továbbított üzenet|mesaj original|исходное сообщение|пересылаемое сообщение|пересланное сообщение
    |оригінальне повідомлення|αρχικό μήνυμα|orijinal mesaj|özgün ileti|iletilen mesaj|iletilmiş mesaj|pesan asli
    |pesan terusan|tin nhắn gốc|原始邮件|原始郵件|转发邮件|轉寄郵件|转发的邮件|元のメッセージ|転送メッセージ
    |転送されたメッセージ|원본 메일|원본 메시지|전달된 메시지|הודעה מקורית|الرسالة الأصلية"""
)

FORWARD_BEGINS = _any_of(
    """begin forwarded message|anfang der weitergeleiteten nachricht|début du message réexpédié
    |début du message transféré|inizio messaggio inoltrato|inicio del mensaje reenviado
    |início da mensagem encaminhada|begin doorgestuurd bericht|start på videresendt besked|vidarebefordrat brev
    |videresendt melding|välitetty viesti alkaa|początek przekazywanej wiadomości
    |начало переадресованного сообщения|开始转发的邮件|下面是被转发的邮件|開始轉寄的郵件|転送されたメッセージ
    |전달된 메시지 시작|início da mensagem reencaminhada|vidarebefordrat mejl|začátek přeposílané zprávy
    |začiatok preposlanej správy|továbbított levél kezdete|începe mesajul redirecționat|započni proslijeđenu poruku
    |začetek posredovanega sporočila|начало на препратеното съобщение|початок листа, що пересилається
    |έναρξη προωθημένου μηνύματος|ileti başlangıcı|iletilen ileti başlangıcı|بدء الرسالة المعاد توجيهها
    |תחילת ההודעה שהועברה|शुरू किया गया संदेश|अग्रेषित संदेश प्रारंभ
    |เริ่มข้อความที่ส่งต่อ|bắt đầu thư được chuyển tiếp
    |mulai pesan terusan|mulakan mesej dimajukan|inici del missatge reenviat|開始轉寄郵件|转发的邮件|forwarded message
    |شروع پیام فرستاده شده"""
)

SENT = _any_of(
    """sent|gesendet|envoyé|envoyée|envoyé à partir|enviado|enviada|inviato|inviata|verzonden|verstuurd|sendt
    |skickat|skickades|skickad|lähetetty|wysłano|wysłane|odesláno|odoslané|küldve|elküldve|trimis|отправлено
    |надіслано|изпратено|gönderildi|dikirim|được gửi|στάλθηκε|נשלח|أرسلت|أُرسلت|مرسل
    |مرسلة|تم الإرسال|ارسال شده|فرستاده شده|dihantar|poslano|enviat|bidalia|bidalita|saadetud
    |sūtīts|nosūtīts|išsiųsta|sent úr|anfonwyd|imetumwa|भेजा गया|পাঠানো|ส่งจาก|đã gửi
    |გაგზავნილია|ուղարկված է|发自|發自|傳送|发送|寄自|送信|보냄
    |보냈습니다|から送信"""
)

# Follows "sent" if no product is named: "from a magnificent torch of pixels".
FROM = _any_of(
    "from|via|by|with|using|von|vom|mit|über|depuis|de|du|à partir|avec|desde|con|do|da|dal|dall|vanaf|van|met|fra|från"
    "|med|z|ze|с|со|из|з|na|dari"
)

PRODUCTS = r"(?:i(?:phone|pad)|android)|" + _any_of(
    """ipod|apple watch|blackberry|samsung|galaxy|huawei|xiaomi|redmi|oneplus|pixel|nokia|wiko
    |motorola|windows phone|windows mail|mail for windows|mail für windows|outlook|yahoo|proton mail|protonmail
    |tutanota|gmx|web.de|mail.ru|mailbird|superhuman|typeapp|bluemail|aquamail|fairemail|k-9 mail|thunderbird
    |airmail|zoho|fastmail|mailspring|shortwave|айфон|网易|qq邮箱"""
)

# A sentence may mention these, and then has a comma.
DEVICES = _any_of(
    """smartphone|handy|mobile|mobil|phone|mobiltelefon|telefono|teléfono|telefone|téléphone|telefoon|mobiele|móvil
    |celular|portable|telefon|телефон|телефона|手机|手機|携帯|휴대폰|spark|spike|edison|canary|hey"""
)

# Unambiguous closings: everything after them is signature.
CLOSINGS = _all_of(
    """regards|best regards|kind regards|kindest regards|warm regards|warmest regards|with regards
    |with kind regards|with best regards|thanks & regards|thanks and regards|thanks & best regards
    |thanks and best regards|best wishes|with best wishes|sincerely|yours sincerely|sincerely yours
    |yours faithfully|yours truly|very truly yours|respectfully|yours respectfully|mit freundlichen grüßen
    |mit freundlichen grüssen|mit freundlichen gruessen|mit freundlichem gruß|mit freundlichem gruss
    |freundliche grüße|freundliche grüsse|freundlicher gruß|viele grüße|viele grüsse|vielen dank und viele grüße
    |liebe grüße|liebe grüsse|beste grüße|beste grüsse|herzliche grüße|schöne grüße|mit besten grüßen
    |mit lieben grüßen|mit herzlichen grüßen|mit vielen grüßen|grüße|gruß|hochachtungsvoll|cordialement
    |bien cordialement|très cordialement|bien à vous|bien à toi|salutations|meilleures salutations
    |salutations distinguées|sincères salutations|respectueusement|amicalement|saludos|saludos cordiales
    |cordiales saludos|un saludo|un cordial saludo|muchos saludos|atentamente|cordialmente|atenciosamente
    |cumprimentos|melhores cumprimentos|com os melhores cumprimentos|cordiali saluti|distinti saluti
    |un cordiale saluto|saluti|un saluto|met vriendelijke groet|met vriendelijke groeten|vriendelijke groet
    |vriendelijke groeten|hartelijke groet|hartelijke groeten|groeten|med venlig hilsen|venlig hilsen
    |de bedste hilsner|bedste hilsner|mange hilsner|hilsen|med vennlig hilsen|vennlig hilsen|beste hilsen
    |med vänlig hälsning|med vänliga hälsningar|vänlig hälsning|vänliga hälsningar|bästa hälsningar|hälsningar
    |terveisin|ystävällisin terveisin|parhain terveisin|pozdrawiam|serdecznie pozdrawiam|z poważaniem
    |pozdrowienia|z wyrazami szacunku|s pozdravem|s přátelským pozdravem|s pozdravom|üdvözlettel|tisztelettel
    |cu stimă|cu respect|cu drag|с уважением|с наилучшими пожеланиями|з повагою|με εκτίμηση|saygılarımla
    |saygılarımızla|iyi çalışmalar|hormat kami|trân trọng|敬具|此致|祝好|顺颂商祺|בברכה|בכבוד רב|مع التحية
    |مع أطيب التحيات|lep pozdrav|srdačan pozdrav|s poštovanjem|z lepimi pozdravi"""
)

# Closings that are also ordinary words: they need a comma or a name after them.
SHORT_CLOSINGS = _all_of(
    "best|cheers|rgds|br|kr|mfg|lg|vg|bg|cdt|cdlt|bàv|att|abs|abraço|abraços|ciao|groet|gr|mvg|mvh|kh|vh|dbh|terv|pzdr"
    "|all the best|take care|yours|bien a vous|un abrazo|salam|с ув"
)

# "Thanks," above a name is a signature only if nothing precedes it.
THANKS = _all_of(
    "thanks|thank you|many thanks|thx|ty|danke|vielen dank|merci|merci beaucoup|gracias|muchas gracias"
    "|obrigado|obrigada|grazie|bedankt|dank je|dank u|tak|mange tak|takk|tack|kiitos|dziękuję|dzięki"
    "|děkuji|köszönöm|mulțumesc|спасибо|дякую|ευχαριστώ|teşekkürler|terima kasih|cảm ơn|谢谢|謝謝|ありがとう|감사합니다"
    "|תודה|شكرا"
)

# Languages share the stem of this word but not its endings.
VIRUS = re.compile(
    r"\bv[iíï]r[ueiü]\w{1,6}|\bwirus|вирус|вірус|ウイルス|ウィルス|病毒|바이러스|ไวรัส|فيروس|ویروس|וירוס|\bιό|\bιώ|वायरस|malware"
)

THIS = re.compile(
    r"\W*(?:(?:this|diese|ce|cet|este|esta|questo|questa|deze|dit|detta|det här|denne|tämä|ta|ten|tato|tento|это|"
    r"данное|цей|цього|bu|ezt?|acest)\b|이|この|此|本|该)"
)

BANNER_OPENS = _any_of(
    """caution|warning|attention|external|external email|external sender|external mail|notice|alert|security notice
    |security warning|phishing alert|be careful|achtung|vorsicht|warnung|hinweis|extern|externe e-mail|prudence
    |avertissement|externe|atención|precaución|advertencia|externo|correo externo|atenção|cuidado|aviso
    |attenzione|avviso|esterno|let op|waarschuwing|advarsel|bemærk|varning|obs|varoitus|huomio|uwaga|ostrzeżenie
    |upozornění|внимание|осторожно|увага|dikkat|uyarı|注意|警告|外部|주의|경고"""
)

BANNER_SAYS = _any_of(
    """external|outside|extern|externe|externen|externer|externo|externa|externí|esterno|esterna|externt|zewnętrzn
    |внешн|зовнішн|ulkopuol|kívülről|dış|harici|unknown sender|originated|suspicious|extérieur|外部|외부
    |от отправителя|fuera de|fora da|al di fuori|von außerhalb|buiten"""
)

# Without one of these, "external" is just a word.
BANNER_ABOUT = _any_of(
    """e-mail|email|mail|message|sender|organization|organisation|company|network|link|links|attachments|nachricht
    |absender|organisation|courriel|expéditeur|mensaje|correo|remitente|organización|mensagem|remetente
    |messaggio|mittente|bericht|afzender|meddelelse|meddelande|avsender|avsändare|afsender|viesti|wiadomość
    |nadawca|zpráva|письмо|сообщение|отправителя|лист|posta|ileti|邮件|郵件|メール|메일|이메일"""
)

# A label may be the whole banner; without its brackets it could be an answer.
BANNER_LABELS = (
    r"external (?:e-?mail|sender|message|mail)|externe (?:e-?mail|mail|nachricht)|correo externo|e-?mail externe?"
    r"|[\[(*]+\s*(?:external|extern|externe|externo|esterno|外部|외부)(?: e-?mail| sender)?\s*[\])*]+"
)

BANNER_GOES_ON = re.compile(
    r"do not click|don't click|attachments? unless|recogni[sz]e the sender|content is safe|know the sender|"
    r"links? or (?:open )?attach|verify the sender|klicken sie|öffnen sie keine|"
    r"ne cliquez|n'ouvrez|haga clic|clique em|"
    r"fare clic|klik niet|think before you|report (?:this|phishing|suspicious)|use caution"
)

LEARN_SENDER = re.compile(
    r"aka\.ms/learnaboutsenderidentification|you don['’]t often get email from|some people who received this message|"
    r"sie erhalten nicht h(?:ä|ae)ufig|vous n['’]obtenez pas souvent|no suele recibir correo|u ontvangt niet vaak"
)

FOOTER = re.compile(
    r"""\W*+(?:
        (?:confidential(?:ity)?(?:\ notice|\ note)?|disclaimer|legal\ notice|privileged(?:\ and\ confidential)?
          |haftungsausschluss|avis\ de\ confidentialité|aviso\ legal|aviso\ de\ confidencialidade?)\s*:?\s*\W*$
      | (?:this|the\ (?:information|contents?)(?:\ contained)?\ (?:in|of)\ this|notice:|important:?|disclaimer:?
          |confidential(?:ity)?(?:\ notice|\ note)?:?|diese[rs]?|der\ inhalt\ dieser|die\ informationen\ in\ dieser
          |ce|cet|le\ présent|este|esta|la\ información|a\ informação|questo|questa|le\ informazioni|dit|deze
          |de\ informatie|denne|detta|det\ här|tämä|ta|niniejsza|это|данное|цей|эта)\b
        .{0,40}\b(?:e-?mails?|messages?|transmission|communication|nachricht|mail|courriel|courrier|mensaje|correo
          |mensagem|messaggio|bericht|besked|meddelelse|melding|meddelande|viesti
    |wiadomość|сообщение|письмо|повідомлення)\b
        .{0,200}\b(?:confidential|confidentiality|privileged|intended|recipient|scanned|checked\ for|vertraulich\w*
          |bestimmt|confidentiel\w*|destin\w+|confidencia\w*|riservat\w*|vertrouwelijk\w*|bedoeld|bestemd|fortrolig\w*
          |konfidentiell\w*|luottamuksellinen|poufn\w+|конфиденциальн\w*|конфіденційн\w*)
      | (?:please\ )?(?:consider|think\ of)\ the\ environment
      | (?:virus-free|virenfrei)\b
      | .{0,80}\bmailing\ list$
      | you\ (?:are\ receiving|received)\ this\ (?:e-?mail|message|because)
      | to\ (?:unsubscribe|stop\ receiving|respond,\ reply)\b
      | unsubscribe\b.{1,40}$
      | reply\ to\ this\ email\ directly
      | yahoo\ mail:\ search
      | registered\ (?:in\ england|office)\b
    )""",
    re.VERBOSE,
)
