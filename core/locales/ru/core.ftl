count-records = { $count ->
    [one] { $count } запись
    [few] { $count } записи
   *[many] { $count } записей
}
unknown-field = В коллекции «{ $collection }» нет поля «{ $field }».
    .do = Список полей покажет «branchline schema show».
replica-closed = Эта реплика закрыта.
    .do = Откройте папку снова.
engine-fault = Branchline отказал внутри этого вызова; от вызова ничего не осталось.
    .do = Попробуйте ещё раз; если повторится, сообщите об этом вместе с журналом.
unknown-currency = «{ $value }» — не валюта.
    .do = Нужен код из трёх букв, например EUR.
unknown-language = «{ $value }» — не язык Branchline.
    .do = Укажите en, ru или uk.
no-runtime = Обмен не может начаться: { $reason }.
    .do = Закройте другие программы или перезапустите машину.
