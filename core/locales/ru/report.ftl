# Тексты отчётов.
unknown-report = Нет отчёта «{ $name }».
    .do = Отчёты: { $known }.
report-by = По полю «{ $field }» группировать нельзя.
    .do = Группируйте по варианту, ссылке, дате или короткому тексту.
report-chart = Диаграмма не строится: { $reason }
    .do = Возьмите таблицу или CSV.
report-funnel = Воронка продаж
report-pipeline = Ожидаемые сделки по месяцам
report-activity = Работа по неделям
report-by-column = Разрез
report-stage = Этап
report-month = Месяц
report-week = Неделя
report-count = Количество
report-amount = Сумма
report-weighted = С учётом вероятности
report-currency = Валюта
report-conversion = Конверсия
report-median-days = Дней (медиана)
report-calls = Звонки
report-meetings = Встречи
report-visits = Визиты
report-tasks = Задачи
report-emails = Письма
report-deals = Выиграно сделок
report-others = { $count ->
    [one] ещё { $count }
    [few] ещё { $count }
   *[many] ещё { $count }
}
