# Texts of the room `store`.
