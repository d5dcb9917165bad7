count-records = { $count ->
    [one] { $count } record
   *[other] { $count } records
}
unknown-field = The collection “{ $collection }” has no field “{ $field }”.
    .do = Run “branchline schema show” to see its fields.
replica-closed = This replica is closed.
    .do = Open the folder again.
engine-fault = Branchline failed inside this call; nothing of it stays.
    .do = Try again; if it happens again, report it with the log.
unknown-currency = “{ $value }” is no currency.
    .do = Use a code of three letters, such as EUR.
unknown-language = “{ $value }” is no language of Branchline.
    .do = Use en, ru or uk.
no-runtime = The exchange cannot begin: { $reason }.
    .do = Close other programs, or restart the machine.
