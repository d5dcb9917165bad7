# Texts of the room `crm`.
