# Texts of the room `schema`.
unknown-collection = Нет коллекции «{ $collection }».
    .do = Список коллекций покажет «branchline schema show».
