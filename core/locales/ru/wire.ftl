# Texts of the room `wire`.
