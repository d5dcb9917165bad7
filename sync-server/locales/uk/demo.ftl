# Тексти команди `branchline demo`.
demo-process = Процес демонстрації не впорався: { $detail }
    .do = Запустіть ще раз; якщо порт зайнятий, виберіть інший через --port.
demo-diverged = Ці репліки розходяться з вищою: { $replicas }
    .do = Такого не має бути: повідомте, будь ласка, додавши вивід.
demo-founded = Головний офіс заснував компанію: { $records ->
    [one] { $records } спільний запис
    [few] { $records } спільні записи
   *[many] { $records } спільних записів
}. Сторінка: { $url }
demo-opened = Приєдналася філія { $office }. Сторінка: { $url }
demo-lines-cut = { $count ->
    [one] Обірвано { $count } лінію
    [few] Обірвано всі { $count } лінії
   *[many] Обірвано всі { $count } ліній
}; філії працюють далі.
demo-worked = { $office }, без зв’язку: клієнтів { $accounts }, контактів { $contacts }, угод { $deals }, справ { $activities }.
demo-line-back = Лінія філії { $office } знову є.
demo-line-slow = Лінія філії { $office } знову є, але повільна: { $kbit } кбіт/с, { $ms } мс туди й назад.
demo-cut-midway = Лінію філії { $office } обірвано посеред передачі, після { $bytes }; повернеться — піде далі з того ж місця.
demo-agree = Усі репліки згодні. У головному офісі тепер записів: { $records }.
demo-rep = Ноутбук у дорогу: { $name }. Сторінка: { $url }
demo-rep-away = { $name }: у роз’їздах без зв’язку, днів: { $days }. Лінія філії теж зникла.
demo-edit-rep = { $name } у дорозі: «{ $deal }» виграно за 4 800 EUR, щодня візит.
demo-edit-office = Філія { $office } про це не знає і списує «{ $deal }».
demo-edit-hub = Головний офіс піднімає «{ $deal }» до 5 200 EUR.
demo-all-back = { $name } знову на зв’язку, і лінія філії { $office } теж.
demo-conflict = Конфлікт у «{ $deal }», { $field }: { $values }
demo-settled = Головний офіс вирішує: «{ $deal }» виграно.
demo-look = Відкрийте сторінки вище; Ctrl-C завершить показ.
col-replica = Репліка
col-heads-equal = Вершини рівні
col-page = Сторінка
