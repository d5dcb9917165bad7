# Тексти командного рядка.
error-heading = Помилка:
warning = Попередження: { $text }
wrong-usage = Виклик незрозумілий: { $detail }
    .do = Запустіть команду з --help: там її вигляд і приклад.
data-missing = Не вказано теку.
    .do = Задайте --data ТЕКА або змінну BRANCHLINE_DATA.
not-a-set = += і -= не пасують до поля «{ $field }».
    .do = Вони додають і прибирають у множинах, лічильниках і рядках; для інших полів є ПОЛЕ=ЗНАЧЕННЯ.
counter-step = «{ $value }» — не ціле число, лічильник «{ $field }» ним не зрушити.
    .do = Задайте ціле число, наприклад { $field }+=1.
value-file = Файл не читається: { $detail }
    .do = Перевірте назву, права і що це текст в UTF-8.
value-file-large = Файл більший за { $limit } байтів.
    .do = Великі файли прикріплює «branchline attach».
ambiguous-change = З «{ $change }» починаються кілька змін цього запису.
    .do = Вкажіть більше знаків.
user-disable-self = Від імені «{ $name }» працює ця репліка.
    .do = Нехай це зробить інший власник або керівник з іншої репліки.
verify-damaged = { $count ->
    [one] Пошкоджено { $count } частину сховища
    [few] Пошкоджено { $count } частини сховища
   *[many] Пошкоджено { $count } частин сховища
}: { $first }
    .do = Залиште теку як є; відновіть резервну копію в нову теку або приєднайтеся знову і порівняйте.
verify-differs = { $count ->
    [one] { $count } похідний рядок розходиться
    [few] { $count } похідні рядки розходяться
   *[many] { $count } похідних рядків розходяться
} з журналом.
    .do = Запустіть «branchline verify --repair»: рядки буде записано наново за журналом.
server-task = Частина роботи сервера обірвалася: { $detail }
    .do = Подивіться рядки вище в журналі; якщо повториться, перезапустіть сервер.

record-created = Створено: «{ $label }», { $id }.
record-edited = Змінено: «{ $label }», { $id }.
record-unchanged = Змінювати нічого: «{ $label }», { $id }.
record-archived = В архіві: «{ $label }», { $id }.
record-unarchived = Повернено з архіву: «{ $label }», { $id }.
change-undone = Зміну скасовано: «{ $label }», { $id }.
conflict-resolved = «{ $label }»: { $field } тепер { $value }.
no-conflicts = Відкритих конфліктів немає.
hub-made = «{ $name }»: усе готово, тека { $folder }, власник { $owner }.
user-added = Додано людину: { $name }, { $id }.
user-disabled = { $name } більше не має доступу.
backup-written = Записано в { $file }: { $records ->
    [one] { $records } запис
    [few] { $records } записи
   *[many] { $records } записів
}, байтів: { $bytes }.
backup-restored = Відновлено в { $folder }: { $records ->
    [one] { $records } запис
    [few] { $records } записи
   *[many] { $records } записів
}.
verify-changes = Перевірено змін
verify-records = Складено записів
verify-heads = Розійшлося вершин
verify-rows = Розійшлося рядків
verify-search = Розійшлося рядків пошуку
verify-sound = Усе узгоджене з журналом.
verify-repaired = Те, що розійшлося, записано наново за журналом.

label-created = Створено
label-updated = Змінено
label-archived = В архіві
kind-shared = спільна
kind-branch = філії
col-at = Коли
col-change = Зміна
col-choices = Значення
col-collection = Колекція
col-device = Пристрій
col-excerpt = Текст
col-field = Поле
col-fields = Полів
col-from = Було
col-id = Id
col-kind = Вид
col-label = Назва
col-lag = Відставання
col-last-seen = На зв’язку
col-name = Ім’я
col-outbox = Чекає на відправлення
col-required = Обов’язкове
col-scopes = Області
col-shown = Показано
col-title = Запис
col-to = Стало
col-type = Тип
col-user = Хто
col-value = Значення
col-version = Версія
done-created = Створено
done-updated = Змінено
done-unchanged = Без змін
col-done = Підсумок
line-up = Лінія є.
line-differs = Вищий сервер повернуто до попереднього стану: обидві сторони звіряють, що мають.
line-down = Лінії немає: { $why } Наступна спроба через { $seconds } с.
line-paused = вимкнено вручну
line-state = Лінія
progress-seed = Байти образу
progress-records = Записи
sync-pushed = Надіслано змін
sync-pulled = Отримано змін
sync-refused = Не прийнято змін
sync-bytes-up = Надіслано байтів
sync-bytes-down = Отримано байтів
sync-round-trips = Обертів
listen-failed = Слухати цю адресу не можна: { $detail }
    .do = Візьміть іншу через --listen або завершіть процес, який її зайняв.
progress-rows = Рядки
import-batch = Завантаження
import-rows = Рядків
import-created = Створено
import-updated = Змінено
import-unchanged = Без змін
import-looked-up = Створено за посиланнями
import-refused = Не прийнято
import-dry = Нічого не записано: це був пробний прогін.
import-warnings = { $count ->
    [one] { $count } клітинку варто переглянути
    [few] { $count } клітинки варто переглянути
   *[many] { $count } клітинок варто переглянути
}
import-archived = Знову в архіві
import-restored = Полів повернуто
import-kept = Залишено: хтось уже змінював
and-more = … і ще { $count }; усі перелічить --json.
export-written = Записано в { $file }: { $count ->
    [one] { $count } запис
    [few] { $count } записи
   *[many] { $count } записів
}.
file-not-written = Файл не записується: { $detail }
    .do = Перевірте теку, права і вільне місце.
col-row = Рядок
col-column = Стовпець
col-reason = Причина
col-nearest = Найближче відоме
never = ще ніколи
complete-through = { $branch }: усе надійшло по { $at }
invited = { $name }: з цим кодом можна приєднатися один раз, до { $at }.
device-granted = { $name } тепер працює з роллю { $role } в областях: { $scopes }.
device-revoked = { $name } більше не має доступу.
state-revoked = відкликано
col-role = Роль
col-state = Стан
col-score = Схожість
records-merged = Тепер обидва — «{ $label }», { $id }.
record-unmerged = «{ $label }» знову окремо, { $id }.
lead-converted = Клієнт «{ $account }», контакт «{ $contact }», угода «{ $opportunity }».
attached = Прикріплено: { $name }, байтів: { $bytes }, { $hash }
fetched = { $file }, байтів: { $bytes }.
not-an-attachment = Поле «{ $field }» не для файлу.
    .do = Поля типу attachment перелічить «branchline schema show КОЛЕКЦІЯ».
tls-unusable = Сертифікат або ключ непридатний ({ $detail }).
    .do = Укажіть ланцюжок PEM і його ключ або нічого: тоді репліка зробить свій.
nothing-refused = Відхиленого, що чекало б рішення, немає.
marked-archived = Його правили, поки його архівували, і він повернувся. Заархівуйте його знову або поверніть.
state-waiting = чекає
state-accepted = прийнято
state-declined = відмовлено
state-retried = надіслано знову
state-replayed = записано знову
state-carried = повернено
col-transaction = Транзакція
refused-exported = Записано { $file }: { $count ->
    [one] { $count } відхилену зміну
    [few] { $count } відхилені зміни
   *[other] { $count } відхилених змін
}.
courier-packed = Записано в { $file }, одержувач: { $name }. Запаковане чекає, доки не повернеться відповідь.
courier-changes = Змін
courier-receipts = Підтверджень
courier-attachments = Вкладень
courier-bytes = Байтів
courier-joining = Записано в { $file }: реєстрація цієї теки. Розпакуйте файл у вищого сервера, запакуйте там відповідь для цієї репліки та розпакуйте її тут.
seed-written = Записано в { $file }: { $records ->
        [one] { $records } запис
        [few] { $records } записи
       *[many] { $records } записів
    }, байтів: { $bytes }. Файл не зашифровано: зберігайте його як резервну копію.
verify-fetching = Пошкоджених частин: { $count }; наступна синхронізація отримає їх знову від вищого сервера.
    .do = Виконайте «branchline sync», потім знову «branchline verify».
verify-attachments = Вкладень немає або вони не ті, що кажуть їхні назви: { $count }.
    .do = Відновіть резервну копію або попросіть прикласти їх знову; де є вищий сервер, їх отримає «branchline verify --repair».
verify-attachments-checked = Перевірено вкладень
fetched-encrypted = На місці, зашифровано разом із текою, байтів: { $bytes }. Скопіювати: --out ФАЙЛ.
key-file-unreadable = Файл ключа не читається: { $detail }
    .do = Перевірте шлях і власника файлу.
key-file-open = Файл ключа може прочитати будь-хто на цьому комп’ютері.
    .do = Закрийте його: chmod 600.
encryption-needs-key = Ключ не вказано.
    .do = Вкажіть його файл: --key-file або BRANCHLINE_KEY_FILE. Новий ключ: «openssl rand -hex 32 > ФАЙЛ», потім «chmod 600 ФАЙЛ».
encryption-is-on = Теку { $folder } зашифровано. Без ключа її не прочитає ніхто: зберігайте копію ключа в іншому місці. Попередній вміст може лишатися на диску, доки його не перезапишуть.
encryption-is-off = Теку { $folder } більше не зашифровано.
encryption-rekeyed = Теку { $folder } відкриває новий ключ, а старий — ні. Попереднім резервним копіям потрібен старий.
