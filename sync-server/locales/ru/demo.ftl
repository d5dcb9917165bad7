# Тексты команды `branchline demo`.
demo-process = Процесс демонстрации не справился: { $detail }
    .do = Запустите ещё раз; если порт занят, выберите другой через --port.
demo-diverged = Эти реплики расходятся с вышестоящей: { $replicas }
    .do = Такого быть не должно: сообщите, пожалуйста, приложив вывод.
demo-founded = Головной офис основал компанию: { $records ->
    [one] { $records } общая запись
    [few] { $records } общие записи
   *[many] { $records } общих записей
}. Страница: { $url }
demo-opened = Подключился филиал { $office }. Страница: { $url }
demo-lines-cut = { $count ->
    [one] Обрезана { $count } линия
    [few] Обрезаны все { $count } линии
   *[many] Обрезаны все { $count } линий
}; филиалы работают дальше.
demo-worked = { $office }, без связи: клиентов { $accounts }, контактов { $contacts }, сделок { $deals }, дел { $activities }.
demo-line-back = Линия филиала { $office } снова есть.
demo-line-slow = Линия филиала { $office } снова есть, но медленная: { $kbit } кбит/с, { $ms } мс туда и обратно.
demo-cut-midway = Линия филиала { $office } обрезана посреди передачи, после { $bytes }; вернётся — продолжит с того же места.
demo-agree = Все реплики согласны. В головном офисе теперь записей: { $records }.
demo-rep = Ноутбук в дорогу: { $name }. Страница: { $url }
demo-rep-away = { $name }: в разъездах без связи, дней: { $days }. Линия филиала тоже пропала.
demo-edit-rep = { $name } в дороге: «{ $deal }» выиграна за 4 800 EUR, каждый день визит.
demo-edit-office = Филиал { $office } об этом не знает и списывает «{ $deal }».
demo-edit-hub = Головной офис поднимает «{ $deal }» до 5 200 EUR.
demo-all-back = { $name } снова на связи, и линия филиала { $office } тоже.
demo-conflict = Конфликт в «{ $deal }», { $field }: { $values }
demo-settled = Головной офис решает: «{ $deal }» выиграна.
demo-look = Откройте страницы выше; Ctrl-C закончит показ.
col-replica = Реплика
col-heads-equal = Вершины равны
col-page = Страница
