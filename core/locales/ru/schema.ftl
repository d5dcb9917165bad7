# Texts of the room `schema`.
unknown-collection = Нет коллекции «{ $collection }».
    .do = Список коллекций покажет «branchline schema show».
bad-name = «{ $name }» не годится как имя: строчные латинские буквы, цифры и «_», первой — буква, не длиннее { $limit } символов.
    .do = Возьмите имя вида delivery_date; то, что читают люди, задаёт подпись.
unknown-type = Нет типа поля «{ $type }».
    .do = Есть text, long_text, integer, decimal, money, boolean, date, instant, choice, reference:КОЛЛЕКЦИЯ, set:text, set:choice, set:reference:КОЛЛЕКЦИЯ, lines, counter, attachment, location.
unknown-winner = Нет правила спора «{ $winner }».
    .do = Есть latest, earliest, highest, lowest, ask и state:ЗНАЧЕНИЕ.
too-many-fields = Больше { $limit } полей сразу.
    .do = Разделите запись или файл.
required-field = Записи коллекции «{ $collection }» нужно поле «{ $field }».
    .do = Заполните { $field }.
unknown-column = У строк поля «{ $field }» нет столбца «{ $column }».
    .do = Столбцы покажет «branchline schema show».
wrong-type = { $field }: «{ $value }» не подходит, здесь хранится { $type ->
        [integer] целое число
        [counter] целое число
        [decimal] число
        [money] сумма, например 1054.00 RUB
        [boolean] да или нет
        [date] дата, например 2017-03-01
        [instant] время, например 2017-03-01T09:30:00Z
        [reference] запись
        [set] список через «;»
        [lines] список строк
        [attachment] файл
        [location] место, например 55.75,37.61
       *[other] текст
    }.
    .do = Запишите значение в таком виде.
bad-money = { $field }: в «{ $value }» больше знаков, чем есть у { $currency } ({ $digits }), или сумма слишком велика.
    .do = Округлите сумму или укажите валюту.
unknown-choice = { $field }: «{ $value }» нет в списке ({ $known }).
    .do = { $near ->
            [0] Возьмите значение из списка или дополните список через «branchline schema apply».
           *[other] Может быть, «{ $nearest }»?
        }
choice-not-in-list = { $field }: «{ $value }» нет в списке{ $near ->
        [0] .
       *[other] ; ближе всего «{ $nearest }».
    }
    .do = Исправьте значение или оставьте как есть.
text-too-long = { $field }: текст «{ $value }» длиннее { $limit }.
    .do = Сократите его или приложите файлом.
bad-text = { $field }: в тексте «{ $value }» есть управляющие символы.
    .do = Уберите их; возможно, у файла другая кодировка.
bad-item = { $field }: «{ $value }» не может быть элементом: от 1 до { $limit } байт, без «;», переводов строки и пробелов по краям; ссылка — это id.
    .do = Исправьте элемент.
out-of-range = { $field }: «{ $value }» вне пределов{ $type ->
        [location] : широта от −90 до 90, долгота от −180 до 180
       *[other] : годы от 0 до 9999
    }.
    .do = Исправьте значение.
too-many-items = { $field }: элементов { $count }, это больше { $limit }.
    .do = Разделите запись.
bad-attachment = { $field }: «{ $value }» — не вложение: нужны тип и имя файла без пути.
    .do = Файлы прикладывает «branchline attach».
filter-syntax = Символ { $position } условия: стоит «{ $found }», ожидалось { $expected }.
    .do = Пишите так: stage = "won" and amount > 1000.
filter-field = Символ { $position } условия: в коллекции «{ $collection }» нет поля «{ $field }».
    .do = { $near ->
            [0] Список полей покажет «branchline schema show».
           *[other] Может быть, «{ $nearest }»?
        }
filter-value = Символ { $position } условия: { $field } нельзя сравнить с «{ $value }» (тип поля — { $type }).
    .do = Даты — 2017-03-01 или today-30d, суммы — 1000 или "1000 RUB", тексты — в двойных кавычках.
filter-operator = Символ { $position } условия: { $field } ({ $type }) так не сравнить.
    .do = Ссылки, да/нет и множества сравниваются через = и !=, тексты и множества ещё через ~; «is empty» годится для всех.
filter-too-large = Символ { $position } условия: больше { $terms } сравнений или { $depth } вложенных скобок.
    .do = Разделите условие.
schema-file = Строка { $line } файла схемы: { $reason }
    .do = Пример есть в справке по «schema apply».
declared-twice = «{ $name }» объявлено дважды.
    .do = Оставьте одно объявление.
reserved-name = «{ $name }» уже есть у каждой записи.
    .do = Выберите другое имя.
unknown-key-field = Заголовок или ключ «{ $collection }» называет «{ $field }», а такого поля в ней нет ({ $known }).
    .do = Назовите поле этой коллекции.
bad-choice = «{ $value }» не может быть вариантом: от 1 до { $limit } байт, без «;» и «/», без пробелов по краям.
    .do = Возьмите другое значение; то, что читают люди, задаёт подпись.
bad-column = «{ $name }» ({ $type }) не может быть столбцом строк.
    .do = Столбцы — тексты, числа, суммы, даты, моменты, ссылки, файлы, места, да/нет; имя «line» занято.
schema-too-large = Больше { $collections } коллекций или { $fields } полей в одной.
    .do = Уберите то, что не используется.
builtin-name = «{ $name }» — встроенная коллекция.
    .do = Выберите другое имя или добавьте к ней поля через [[extend]].
kind-changed = Коллекция «{ $name }» уже хранится иначе; её вид не меняется.
    .do = Создайте новую коллекцию и перенесите записи.
type-changed = { $collection }.{ $field } имеет тип { $type } и не станет { $wanted }: тип поля не меняется.
    .do = Объявите поле с другим именем.
declaration-left-out = «{ $name }» здесь использовать нельзя, пропущено ({ $code }).
    .do = Исправьте объявление или обновите эту реплику.
bad-winner = Правило спора «{ $winner }» не подходит полю типа { $type }: состояния бывают у текстов и списков.
    .do = Для да/нет: «highest» — побеждает да, «lowest» — нет.
