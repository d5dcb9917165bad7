# Texts of the room `access`.
