# Texts of the room `net`.
