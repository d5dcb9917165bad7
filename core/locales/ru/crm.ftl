# Texts of the room `crm`.
duplicate-same = одинаково: { $field } «{ $value }»
duplicate-similar = похоже: { $field } «{ $value }»
febrl-file = Это не набор данных Febrl: { $reason }
    .do = Возьмите файл вида dataset1.csv с заголовком.
not-merged = Запись { $id } коллекции «{ $collection }» ни с чем не слита.
    .do = С чем слита запись, покажет «branchline show».
