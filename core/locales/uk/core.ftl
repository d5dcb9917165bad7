count-records = { $count ->
    [one] { $count } запис
    [few] { $count } записи
   *[many] { $count } записів
}
unknown-field = У колекції «{ $collection }» немає поля «{ $field }».
    .do = Перелік полів покаже «branchline schema show».
replica-closed = Цю репліку закрито.
    .do = Відкрийте теку знову.
engine-fault = Branchline відмовив усередині цього виклику; від виклику нічого не лишилося.
    .do = Спробуйте ще раз; якщо повториться, повідомте разом із журналом.
unknown-currency = «{ $value }» — не валюта.
    .do = Потрібен код із трьох літер, наприклад EUR.
unknown-language = «{ $value }» — не мова Branchline.
    .do = Вкажіть en, ru або uk.
no-runtime = Обмін не може початися: { $reason }.
    .do = Закрийте інші програми або перезапустіть машину.
