# Texts of the room `crm`.
duplicate-same = same { $field } “{ $value }”
duplicate-similar = similar { $field } “{ $value }”
febrl-file = This is no Febrl data set: { $reason }
    .do = Take a file such as dataset1.csv with its heading.
not-merged = The record { $id } of “{ $collection }” is not merged into any.
    .do = “branchline show” tells what a record was merged into.
