# Texts of the room `document`.
change-damaged = A stored change of record { $record } is damaged or lacks what it follows.
    .do = Run “branchline verify”; the damaged database is left as it is. Restore a backup if it cannot be repaired.
change-hash-differs = A change does not hash to what was announced.
    .do = The sender's software or its line is damaged; sync again. Nothing was stored.
change-unsupported = A change does something that this version does not know.
    .do = Update this replica, then sync again. Nothing was stored.
change-key = A change writes to “{ $key }”, which is no place in a record of this collection.
    .do = Update the older of the two replicas, then sync again. Nothing was stored.
change-type = A change puts a value into “{ $field }” that is not of its type.
    .do = Update the older of the two replicas, then sync again. Nothing was stored.
change-predecessors = A change of “{ $field }” does not replace what its author saw.
    .do = The sender's software is damaged or foreign; update it. Nothing was stored.
change-order = The { $part ->
        [sequence] number
        [counter] operation counter
       *[time] time
    } of a change does not follow from the changes before it.
    .do = The sender's software is damaged or foreign; update it. Nothing was stored.
change-missing = { $count ->
        [one] A change that this one follows is
       *[other] { $count } changes that this one follows are
    } not here.
    .do = Nothing: the record is asked for whole.
change-fork = Actor { $actor } wrote two different changes number { $seq }: its replica was copied or restored.
    .do = Nothing is lost: this change is kept in quarantine. Do not run two copies of one folder.
change-derived-id = The id of a record is not the one of the key that it names.
    .do = The sender's software is damaged or foreign; update it. Nothing was stored.
change-unloadable = A change would make its record unreadable.
    .do = The sender's software is damaged or foreign; update it. Nothing was stored.
value-does-not-fit = { $field }: the value is not one that the field can hold.
    .do = Run “branchline schema show” to see what it holds.
edit-does-not-suit = { $field }: this kind of edit does not suit the field.
    .do = Sets are added to and taken from, counters are incremented, other fields are set.
bad-line-id = { $field }: “{ $line }” cannot name a line.
    .do = Use letters, digits, “-” and “_”.
long-text-too-long = { $field }: the text is longer than { $limit } characters.
    .do = Shorten it, or keep it as an attachment.
too-many-parts = { $field }: more than { $limit } items or lines.
    .do = Split the record.
counter-step-too-large = { $field }: one step may change a counter by { $limit } at most.
    .do = Count in smaller steps.
empty-record = A record needs at least one value.
    .do = Give it one.
key-field-empty = A record with a key needs a value in “{ $field }”.
    .do = Give { $field } a value.
too-many-key-fields = A key has one to { $limit } fields.
    .do = Choose fewer fields for the key.
derived-id-differs = { $record } is not the id of the key that the record was given.
    .do = Derive the id from the key, or draw one and name no key.
text-edit-failed = The text could not be edited.
    .do = Report this with the text before and after; nothing was stored.
unknown-change = The record has no change { $change }.
    .do = See its changes with “branchline show … --history”.
nothing-to-undo = Everything that change { $change } did has been changed again since.
    .do = See the changes with “branchline show … --history” and edit the field.
