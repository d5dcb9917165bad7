# Texts of the room `document`.
