# Texts of the room `sync`.
