# Тексти центру обміну.
web-sync = Центр обміну
web-nobody-joined = До цієї репліки ще ніхто не приєднався. Нижче можна створити запрошення.
web-revoked = Більше без доступу:
web-own-line = Лінія вгору
web-line-paused = призупинено
web-changes-arrived = Змін надійшло
web-delivered = Змін доставлено
web-last-error = Остання помилка
web-pause = Призупинити
web-resume = Продовжити
web-sync-now = Обмінятися зараз
web-line-done = Зроблено; сторінка покаже, як іде далі.
web-is-online = на зв’язку
web-is-offline = не на зв’язку
web-not-direct = під’єднано деінде
web-waits-down = Чекає відправлення вниз
web-waits-up = Чекає відправлення вгору
web-bytes-today = Сьогодні
web-actions = Повідомлення, доступ
web-message = Повідомлення
web-send = Надіслати
web-sent = { $name } побачить це серед справ на сьогодні.
web-revoke = Відкликати
web-revoke-sure = Хочу закінчити доступ назавжди
web-revoked-done = Доступ закінчено. Те, що вже є на пристрої, повернути не можна.
web-invite = Запросити
web-invite-kind = Хто приєднується
web-invite-name = Назва, у філії її код
web-invite-user = Чиє: електронна пошта; порожньо — нова людина
web-invite-hint = Код дійсний один раз і 24 години. Пристрій зберігає те, що можна бачити його людині.
web-invited = «{ $name }» може приєднатися
web-invited-picture = Код картинкою для застосунку в телефоні
web-invited-how = Застосунок у телефоні зчитує картинку; комп’ютер приєднується цим рядком. Дійсний один раз, до
web-courier = Зовсім без лінії
web-courier-what = Те, що чекає, може піти файлом: поштою чи на флешці; відповідь повертається так само.
web-courier-for = Кому
web-courier-file = Кур’єрський файл
web-courier-pack = Отримати файл
web-courier-unpack = Прийняти файл
web-courier-done = Прийнято: { $pulled ->
    [one] надійшла { $pulled } зміна
    [few] надійшло { $pulled } зміни
   *[other] надійшло { $pulled } змін
}, { $pushed ->
    [one] { $pushed } наша доставлена
   *[other] { $pushed } наших доставлено
}.
courier-page = Файл не дійшов: { $detail }
    .do = Повторіть; більший файл приймає «branchline courier unpack ФАЙЛ».
