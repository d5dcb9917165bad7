count-records = { $count ->
    [one] { $count } запись
    [few] { $count } записи
   *[many] { $count } записей
}
unknown-field = В коллекции «{ $collection }» нет поля «{ $field }».
    .do = Список полей покажет «branchline schema show».
