count-records = { $count ->
    [one] { $count } record
   *[other] { $count } records
}
unknown-field = The collection “{ $collection }” has no field “{ $field }”.
    .do = Run “branchline schema show” to see its fields.
