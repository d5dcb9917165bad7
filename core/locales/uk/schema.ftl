# Texts of the room `schema`.
unknown-collection = Немає колекції «{ $collection }».
    .do = Перелік колекцій покаже «branchline schema show».
