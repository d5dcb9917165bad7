# Texts of the room `schema`.
unknown-collection = There is no collection “{ $collection }”.
    .do = Run “branchline schema show” to see the collections.
