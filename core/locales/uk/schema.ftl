# Texts of the room `schema`.
unknown-collection = Немає колекції «{ $collection }».
    .do = Перелік колекцій покаже «branchline schema show».
bad-name = «{ $name }» не годиться як ім’я: малі латинські літери, цифри та «_», першою — літера, не довше { $limit } символів.
    .do = Візьміть ім’я на зразок delivery_date; те, що читають люди, задає підпис.
unknown-type = Немає типу поля «{ $type }».
    .do = Є text, long_text, integer, decimal, money, boolean, date, instant, choice, reference:КОЛЕКЦІЯ, set:text, set:choice, set:reference:КОЛЕКЦІЯ, lines, counter, attachment, location.
unknown-winner = Немає правила суперечки «{ $winner }».
    .do = Є latest, earliest, highest, lowest, ask і state:ЗНАЧЕННЯ.
too-many-fields = Понад { $limit } полів одразу.
    .do = Розділіть запис або файл.
required-field = Запису колекції «{ $collection }» потрібне поле «{ $field }».
    .do = Заповніть { $field }.
unknown-column = У рядків поля «{ $field }» немає стовпця «{ $column }».
    .do = Стовпці покаже «branchline schema show».
wrong-type = { $field }: «{ $value }» не підходить, тут зберігається { $type ->
        [integer] ціле число
        [counter] ціле число
        [decimal] число
        [money] сума, наприклад 1054.00 UAH
        [boolean] так або ні
        [date] дата, наприклад 2017-03-01
        [instant] час, наприклад 2017-03-01T09:30:00Z
        [reference] запис
        [set] список через «;»
        [lines] список рядків
        [attachment] файл
        [location] місце, наприклад 55.75,37.61
       *[other] текст
    }.
    .do = Запишіть значення в такому вигляді.
bad-money = { $field }: у «{ $value }» більше знаків, ніж має { $currency } ({ $digits }), або сума завелика.
    .do = Округліть суму або вкажіть валюту.
unknown-choice = { $field }: «{ $value }» немає у списку ({ $known }).
    .do = { $near ->
            [0] Візьміть значення зі списку або доповніть список через «branchline schema apply».
           *[other] Можливо, «{ $nearest }»?
        }
choice-not-in-list = { $field }: «{ $value }» немає у списку{ $near ->
        [0] .
       *[other] ; найближче «{ $nearest }».
    }
    .do = Виправте значення або залиште як є.
text-too-long = { $field }: текст «{ $value }» довший за { $limit }.
    .do = Скоротіть його або додайте файлом.
bad-text = { $field }: у тексті «{ $value }» є керівні символи.
    .do = Приберіть їх; можливо, файл має інше кодування.
bad-item = { $field }: «{ $value }» не може бути елементом: від 1 до { $limit } байтів, без «;», розривів рядка та пробілів по краях; посилання — це id.
    .do = Виправте елемент.
out-of-range = { $field }: «{ $value }» поза межами{ $type ->
        [location] : широта від −90 до 90, довгота від −180 до 180
       *[other] : роки від 0 до 9999
    }.
    .do = Виправте значення.
too-many-items = { $field }: елементів { $count }, це більше за { $limit }.
    .do = Розділіть запис.
bad-attachment = { $field }: «{ $value }» — не вкладення: потрібні тип і ім’я файлу без шляху.
    .do = Файли додає «branchline attach».
filter-syntax = Символ { $position } умови: стоїть «{ $found }», очікувалося { $expected }.
    .do = Пишіть так: stage = "won" and amount > 1000.
filter-field = Символ { $position } умови: у колекції «{ $collection }» немає поля «{ $field }».
    .do = { $near ->
            [0] Список полів покаже «branchline schema show».
           *[other] Можливо, «{ $nearest }»?
        }
filter-value = Символ { $position } умови: { $field } не можна порівняти з «{ $value }» (тип поля — { $type }).
    .do = Дати — 2017-03-01 або today-30d, суми — 1000 або "1000 UAH", тексти — у подвійних лапках.
filter-operator = Символ { $position } умови: { $field } ({ $type }) так не порівняти.
    .do = Посилання, так/ні та множини порівнюються через = і !=, тексти й множини ще через ~; «is empty» годиться для всіх.
filter-too-large = Символ { $position } умови: понад { $terms } порівнянь або { $depth } вкладених дужок.
    .do = Розділіть умову.
schema-file = Рядок { $line } файлу схеми: { $reason }
    .do = Приклад є в довідці до «schema apply».
declared-twice = «{ $name }» оголошено двічі.
    .do = Залиште одне оголошення.
reserved-name = «{ $name }» уже є в кожного запису.
    .do = Виберіть інше ім’я.
unknown-key-field = Заголовок або ключ «{ $collection }» називає «{ $field }», а такого поля в ній немає ({ $known }).
    .do = Назвіть поле цієї колекції.
bad-choice = «{ $value }» не може бути варіантом: від 1 до { $limit } байтів, без «;» і «/», без пробілів по краях.
    .do = Візьміть інше значення; те, що читають люди, задає підпис.
bad-column = «{ $name }» ({ $type }) не може бути стовпцем рядків.
    .do = Стовпці — тексти, числа, суми, дати, моменти, посилання, файли, місця, так/ні; ім’я «line» зайняте.
schema-too-large = Понад { $collections } колекцій або { $fields } полів в одній.
    .do = Приберіть те, що не використовується.
builtin-name = «{ $name }» — вбудована колекція.
    .do = Виберіть інше ім’я або додайте до неї поля через [[extend]].
kind-changed = Колекція «{ $name }» вже зберігається інакше; її вид не змінюється.
    .do = Створіть нову колекцію та перенесіть записи.
type-changed = { $collection }.{ $field } має тип { $type } і не стане { $wanted }: тип поля не змінюється.
    .do = Оголосіть поле з іншим ім’ям.
declaration-left-out = «{ $name }» тут використати не можна, пропущено ({ $code }).
    .do = Виправте оголошення або оновіть цю репліку.
bad-winner = Правило суперечки «{ $winner }» не підходить полю типу { $type }: стани бувають у текстів і списків.
    .do = Для так/ні: «highest» — перемагає так, «lowest» — ні.
