# Тексти звітів.
unknown-report = Немає звіту «{ $name }».
    .do = Звіти: { $known }.
report-by = За полем «{ $field }» групувати не можна.
    .do = Групуйте за варіантом, посиланням, датою чи коротким текстом.
report-chart = Діаграма не будується: { $reason }
    .do = Візьміть таблицю або CSV.
report-funnel = Воронка продажів
report-pipeline = Очікувані угоди за місяцями
report-activity = Робота за тижнями
report-by-column = Розріз
report-stage = Етап
report-month = Місяць
report-week = Тиждень
report-count = Кількість
report-amount = Сума
report-weighted = З урахуванням імовірності
report-currency = Валюта
report-conversion = Конверсія
report-median-days = Днів (медіана)
report-calls = Дзвінки
report-meetings = Зустрічі
report-visits = Візити
report-tasks = Завдання
report-emails = Листи
report-deals = Виграно угод
report-others = { $count ->
    [one] ще { $count }
    [few] ще { $count }
   *[many] ще { $count }
}
