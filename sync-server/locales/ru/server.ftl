# Тексты командной строки.
error-heading = Ошибка:
warning = Предупреждение: { $text }
wrong-usage = Вызов непонятен: { $detail }
    .do = Запустите команду с --help: там её вид и пример.
data-missing = Не указана папка.
    .do = Задайте --data ПАПКА или переменную BRANCHLINE_DATA.
not-a-set = += и -= не подходят полю «{ $field }».
    .do = Они добавляют и убирают в множествах, счётчиках и строках; для других полей есть ПОЛЕ=ЗНАЧЕНИЕ.
counter-step = «{ $value }» — не целое число, счётчик «{ $field }» им не сдвинуть.
    .do = Задайте целое число, например { $field }+=1.
value-file = Файл не читается: { $detail }
    .do = Проверьте имя, права и что это текст в UTF-8.
value-file-large = Файл больше { $limit } байт.
    .do = Большие файлы прикрепляет «branchline attach».
ambiguous-change = С «{ $change }» начинаются несколько изменений этой записи.
    .do = Укажите больше знаков.
user-disable-self = От имени «{ $name }» работает эта реплика.
    .do = Пусть это сделает другой владелец или руководитель с другой реплики.
verify-damaged = { $count ->
    [one] Повреждена { $count } часть хранилища
    [few] Повреждены { $count } части хранилища
   *[many] Повреждено { $count } частей хранилища
}: { $first }
    .do = Оставьте папку как есть; восстановите резервную копию в новую папку или подключитесь заново и сравните.
verify-differs = { $count ->
    [one] { $count } производная строка расходится
    [few] { $count } производные строки расходятся
   *[many] { $count } производных строк расходятся
} с журналом.
    .do = Запустите «branchline verify --repair»: строки будут записаны заново по журналу.
server-task = Часть работы сервера оборвалась: { $detail }
    .do = Посмотрите строки выше в журнале; если повторится, перезапустите сервер.

record-created = Создано: «{ $label }», { $id }.
record-edited = Изменено: «{ $label }», { $id }.
record-unchanged = Менять нечего: «{ $label }», { $id }.
record-archived = В архиве: «{ $label }», { $id }.
record-unarchived = Возвращено из архива: «{ $label }», { $id }.
change-undone = Изменение отменено: «{ $label }», { $id }.
conflict-resolved = «{ $label }»: { $field } теперь { $value }.
no-conflicts = Открытых конфликтов нет.
hub-made = «{ $name }»: всё готово, папка { $folder }, владелец { $owner }.
user-added = Добавлен человек: { $name }, { $id }.
user-disabled = У { $name } больше нет доступа.
backup-written = Записано в { $file }: { $records ->
    [one] { $records } запись
    [few] { $records } записи
   *[many] { $records } записей
}, байт: { $bytes }.
backup-restored = Восстановлено в { $folder }: { $records ->
    [one] { $records } запись
    [few] { $records } записи
   *[many] { $records } записей
}.
verify-changes = Проверено изменений
verify-records = Сложено записей
verify-heads = Разошлось вершин
verify-rows = Разошлось строк
verify-search = Разошлось строк поиска
verify-sound = Всё согласно с журналом.
verify-repaired = Разошедшееся записано заново по журналу.

label-created = Создано
label-updated = Изменено
label-archived = В архиве
kind-shared = общая
kind-branch = филиала
col-at = Когда
col-change = Изменение
col-choices = Значения
col-collection = Коллекция
col-device = Устройство
col-excerpt = Текст
col-field = Поле
col-fields = Полей
col-from = Было
col-id = Id
col-kind = Вид
col-label = Название
col-lag = Отставание
col-last-seen = На связи
col-name = Имя
col-outbox = Ждёт отправки
col-required = Обязательно
col-scopes = Области
col-shown = Показано
col-title = Запись
col-to = Стало
col-type = Тип
col-user = Кто
col-value = Значение
col-version = Версия
done-created = Создано
done-updated = Изменено
done-unchanged = Без изменений
col-done = Итог
line-up = Линия есть.
line-differs = Вышестоящий сервер возвращён к прежнему состоянию: обе стороны сверяют, что у них есть.
line-down = Линии нет: { $why } Следующая попытка через { $seconds } с.
line-paused = отключена вручную
line-state = Линия
progress-seed = Байты образа
progress-records = Записи
sync-pushed = Отправлено изменений
sync-pulled = Получено изменений
sync-refused = Не принято изменений
sync-bytes-up = Отправлено байт
sync-bytes-down = Получено байт
sync-round-trips = Оборотов
listen-failed = Слушать этот адрес нельзя: { $detail }
    .do = Возьмите другой через --listen или завершите процесс, который его занял.
progress-rows = Строки
import-batch = Загрузка
import-rows = Строк
import-created = Создано
import-updated = Изменено
import-unchanged = Без изменений
import-looked-up = Создано по ссылкам
import-refused = Не принято
import-dry = Ничего не записано: это был пробный прогон.
import-warnings = { $count ->
    [one] { $count } ячейку стоит посмотреть
    [few] { $count } ячейки стоит посмотреть
   *[many] { $count } ячеек стоит посмотреть
}
import-archived = Снова в архиве
import-restored = Полей возвращено
import-kept = Оставлено: кто-то уже менял
and-more = … и ещё { $count }; все перечислит --json.
export-written = Записано в { $file }: { $count ->
    [one] { $count } запись
    [few] { $count } записи
   *[many] { $count } записей
}.
file-not-written = Файл не записывается: { $detail }
    .do = Проверьте папку, права и свободное место.
col-row = Строка
col-column = Столбец
col-reason = Причина
col-nearest = Ближайшее известное
never = ещё никогда
complete-through = { $branch }: всё пришло по { $at }
invited = { $name }: с этим кодом можно подключиться один раз, до { $at }.
device-granted = { $name } теперь работает с ролью { $role } в областях: { $scopes }.
device-revoked = У { $name } больше нет доступа.
state-revoked = отозвано
col-role = Роль
col-state = Состояние
col-score = Сходство
records-merged = Теперь обе — «{ $label }», { $id }.
record-unmerged = «{ $label }» снова отдельно, { $id }.
lead-converted = Клиент «{ $account }», контакт «{ $contact }», сделка «{ $opportunity }».
attached = Прикреплено: { $name }, байт: { $bytes }, { $hash }
fetched = { $file }, байт: { $bytes }.
not-an-attachment = Поле «{ $field }» не для файла.
    .do = Поля типа attachment перечислит «branchline schema show КОЛЛЕКЦИЯ».
tls-unusable = Сертификат или ключ непригоден ({ $detail }).
    .do = Укажите цепочку PEM и её ключ или ничего: тогда реплика сделает свой.
nothing-refused = Отклонённого, что ждало бы решения, нет.
marked-archived = Её правили, пока её архивировали, и она вернулась. Заархивируйте её снова или верните.
state-waiting = ждёт
state-accepted = принято
state-declined = отказано
state-retried = отправлено снова
state-replayed = записано снова
state-carried = возвращено
col-transaction = Транзакция
refused-exported = Записан { $file }: { $count ->
    [one] { $count } отклонённое изменение
    [few] { $count } отклонённых изменения
   *[other] { $count } отклонённых изменений
}.
courier-packed = Записано в { $file }, получатель: { $name }. Упакованное ждёт, пока не вернётся ответ.
courier-changes = Изменений
courier-receipts = Подтверждений
courier-attachments = Вложений
courier-bytes = Байт
courier-joining = Записано в { $file }: регистрация этой папки. Распакуйте файл у вышестоящего сервера, упакуйте там ответ для этой реплики и распакуйте его здесь.
seed-written = Записано в { $file }: { $records ->
        [one] { $records } запись
        [few] { $records } записи
       *[many] { $records } записей
    }, байт: { $bytes }. Файл не зашифрован: храните его как резервную копию.
verify-fetching = Повреждённых частей: { $count }; следующая синхронизация получит их заново от вышестоящего сервера.
    .do = Выполните «branchline sync», затем снова «branchline verify».
verify-attachments = Вложений нет или они не те, что говорят их имена: { $count }.
    .do = Восстановите резервную копию или попросите приложить их снова; где есть вышестоящий сервер, их получит «branchline verify --repair».
verify-attachments-checked = Проверено вложений
fetched-encrypted = На месте, зашифровано вместе с папкой, байт: { $bytes }. Скопировать: --out ФАЙЛ.
key-file-unreadable = Файл ключа не читается: { $detail }
    .do = Проверьте путь и владельца файла.
key-file-open = Файл ключа может прочитать любой пользователь этого компьютера.
    .do = Закройте его: chmod 600.
encryption-needs-key = Ключ не указан.
    .do = Укажите его файл: --key-file или BRANCHLINE_KEY_FILE. Новый ключ: «openssl rand -hex 32 > ФАЙЛ», затем «chmod 600 ФАЙЛ».
encryption-is-on = Папка { $folder } зашифрована. Без ключа её не прочтёт никто: храните копию ключа в другом месте. Прежнее содержимое может находиться на диске, пока его не перезапишут.
encryption-is-off = Папка { $folder } больше не зашифрована.
encryption-rekeyed = Папку { $folder } открывает новый ключ, а старый — нет. Прежним резервным копиям нужен старый.
