count-records = { $count ->
    [one] { $count } запис
    [few] { $count } записи
   *[many] { $count } записів
}
unknown-field = У колекції «{ $collection }» немає поля «{ $field }».
    .do = Перелік полів покаже «branchline schema show».
