# Texts of the room `replica`.
