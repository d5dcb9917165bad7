# Тексты центра обмена.
web-sync = Центр обмена
web-nobody-joined = К этой реплике ещё никто не присоединился. Ниже можно сделать приглашение.
web-revoked = Больше без доступа:
web-own-line = Линия наверх
web-line-paused = приостановлена
web-changes-arrived = Изменений пришло
web-delivered = Изменений доставлено
web-last-error = Последняя ошибка
web-pause = Приостановить
web-resume = Продолжить
web-sync-now = Обменяться сейчас
web-line-done = Сделано; страница покажет, как идёт дальше.
web-is-online = на связи
web-is-offline = не на связи
web-not-direct = подключено в другом месте
web-waits-down = Ждёт отправки вниз
web-waits-up = Ждёт отправки наверх
web-bytes-today = Сегодня
web-actions = Сообщение, доступ
web-message = Сообщение
web-send = Отправить
web-sent = { $name } увидит это среди дел на сегодня.
web-revoke = Отозвать
web-revoke-sure = Хочу закончить доступ навсегда
web-revoked-done = Доступ закончен. То, что уже есть на устройстве, вернуть нельзя.
web-invite = Пригласить
web-invite-kind = Кто присоединяется
web-invite-name = Название, у филиала его код
web-invite-user = Чьё: электронная почта; пусто — новый человек
web-invite-hint = Код годен один раз и 24 часа. Устройство хранит то, что можно видеть его человеку.
web-invited = «{ $name }» может присоединиться
web-invited-picture = Код картинкой для приложения в телефоне
web-invited-how = Приложение в телефоне считывает картинку; компьютер присоединяется этой строкой. Годен один раз, до
web-courier = Совсем без линии
web-courier-what = То, что ждёт, может уйти файлом: почтой или на флешке; ответ возвращается так же.
web-courier-for = Кому
web-courier-file = Курьерский файл
web-courier-pack = Получить файл
web-courier-unpack = Принять файл
web-courier-done = Принято: { $pulled ->
    [one] пришло { $pulled } изменение
    [few] пришло { $pulled } изменения
   *[other] пришло { $pulled } изменений
}, { $pushed ->
    [one] { $pushed } наше доставлено
   *[other] { $pushed } наших доставлено
}.
courier-page = Файл не дошёл: { $detail }
    .do = Повторите; больший файл принимает «branchline courier unpack ФАЙЛ».
