# Texts of the room `crm`.
duplicate-same = однаково: { $field } «{ $value }»
duplicate-similar = схоже: { $field } «{ $value }»
febrl-file = Це не набір даних Febrl: { $reason }
    .do = Візьміть файл на зразок dataset1.csv із заголовком.
not-merged = Запис { $id } колекції «{ $collection }» ні з чим не злито.
    .do = З чим злито запис, покаже «branchline show».
