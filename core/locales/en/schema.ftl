# Texts of the room `schema`.
unknown-collection = There is no collection “{ $collection }”.
    .do = Run “branchline schema show” to see the collections.
bad-name = “{ $name }” cannot be a name: small Latin letters, digits and “_”, a letter first, at most { $limit } characters.
    .do = Choose a name such as delivery_date; what people read is its label.
unknown-type = There is no field type “{ $type }”.
    .do = Use text, long_text, integer, decimal, money, boolean, date, instant, choice, reference:COLLECTION, set:text, set:choice, set:reference:COLLECTION, lines, counter, attachment or location.
unknown-winner = There is no conflict rule “{ $winner }”.
    .do = Use latest, earliest, highest, lowest, ask or state:VALUE.
too-many-fields = More than { $limit } fields at once.
    .do = Split the record or the file.
required-field = A record of “{ $collection }” needs “{ $field }”.
    .do = Give { $field } a value.
unknown-column = The lines of “{ $field }” have no column “{ $column }”.
    .do = Run “branchline schema show” to see the columns.
wrong-type = { $field }: “{ $value }” is not what the field holds, which is { $type ->
        [integer] a whole number
        [counter] a whole number
        [decimal] a number
        [money] an amount such as 1054.00 USD
        [boolean] yes or no
        [date] a date such as 2017-03-01
        [instant] a time such as 2017-03-01T09:30:00Z
        [reference] a record
        [set] a list separated by “;”
        [lines] a list of lines
        [attachment] a file
        [location] a place such as 55.75,37.61
       *[other] a text
    }.
    .do = Write the value in that form.
bad-money = { $field }: “{ $value }” has more digits than { $currency } has ({ $digits }) or is too large.
    .do = Round the amount, or name its currency.
unknown-choice = { $field }: “{ $value }” is not in the list ({ $known }).
    .do = { $near ->
            [0] Take a value of the list, or extend the list with “branchline schema apply”.
           *[other] Did you mean “{ $nearest }”?
        }
choice-not-in-list = { $field }: “{ $value }” is not in the list{ $near ->
        [0] .
       *[other] ; the nearest is “{ $nearest }”.
    }
    .do = Correct the value, or leave it as it is.
text-too-long = { $field }: the text “{ $value }” is longer than { $limit }.
    .do = Shorten it, or keep it as an attachment.
bad-text = { $field }: the text “{ $value }” contains control characters.
    .do = Remove them; the file may have another encoding.
bad-item = { $field }: “{ $value }” cannot be an item: 1 to { $limit } bytes, no “;”, no line breaks, no spaces at its ends; a reference is an id.
    .do = Correct the item.
out-of-range = { $field }: “{ $value }” is out of range{ $type ->
        [location] : latitudes are −90 to 90, longitudes −180 to 180
       *[other] : the years are 0 to 9999
    }.
    .do = Correct the value.
too-many-items = { $field }: { $count } items are more than { $limit }.
    .do = Split the record.
bad-attachment = { $field }: “{ $value }” is no attachment: it needs a media type and a file name without a path.
    .do = Attach files with “branchline attach”.
filter-syntax = Character { $position } of the condition: found “{ $found }”, expected { $expected }.
    .do = Write it as in: stage = "won" and amount > 1000.
filter-field = Character { $position } of the condition: the collection “{ $collection }” has no field “{ $field }”.
    .do = { $near ->
            [0] Run “branchline schema show” to see its fields.
           *[other] Did you mean “{ $nearest }”?
        }
filter-value = Character { $position } of the condition: { $field } cannot be compared with “{ $value }” (its type is { $type }).
    .do = Dates are 2017-03-01 or today-30d, amounts 1000 or "1000 USD", texts stand in double quotes.
filter-operator = Character { $position } of the condition: { $field } ({ $type }) cannot be compared that way.
    .do = References, booleans and sets take = and !=, texts and sets also ~; “is empty” works for all.
filter-too-large = Character { $position } of the condition: more than { $terms } comparisons or { $depth } nested parentheses.
    .do = Split the condition.
schema-file = Line { $line } of the schema file: { $reason }
    .do = See the example in the reference of “schema apply”.
declared-twice = “{ $name }” is declared twice.
    .do = Keep one of the two.
reserved-name = Every record has “{ $name }” already.
    .do = Choose another name.
unknown-key-field = “{ $collection }” is titled or named by “{ $field }”, which is none of its fields ({ $known }).
    .do = Name a field of the collection.
bad-choice = “{ $value }” cannot be a choice: 1 to { $limit } bytes, no “;” or “/”, no spaces at its ends.
    .do = Choose another value; what people read is its label.
bad-column = “{ $name }” ({ $type }) cannot be a column of lines.
    .do = Columns are texts, numbers, amounts, days, moments, references, files, places, yes or no; “line” is taken.
schema-too-large = More than { $collections } collections or { $fields } fields of one.
    .do = Remove what is not used.
builtin-name = “{ $name }” is a built-in collection.
    .do = Choose another name, or add fields to it with [[extend]].
kind-changed = The collection “{ $name }” is already held otherwise; its kind never changes.
    .do = Make a new collection and move the records.
type-changed = { $collection }.{ $field } is { $type } and cannot become { $wanted }: the type of a field never changes.
    .do = Declare a field of another name.
declaration-left-out = “{ $name }” cannot be used here and was left out ({ $code }).
    .do = Correct the declaration, or update this replica.
bad-winner = The conflict rule “{ $winner }” does not fit a field of the type { $type }: states are values of texts and choices.
    .do = For yes or no, “highest” lets yes win and “lowest” no.
