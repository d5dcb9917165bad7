# Texts of import and export.
import-file-unreadable = The file cannot be read: { $reason }.
    .do = Check the path and the rights of the file.
import-file-max = The file is larger than { $size } MiB.
    .do = Split it, with the heading line in each part, and import the parts one after another.
import-rows-max = The file has more than { $rows } rows.
    .do = Split it, with the heading line in each part, and import the parts one after another.
import-empty = The file has no heading line.
    .do = The first line must name the columns; check that this is the right file.
import-foreign-xls = This is a workbook in the old .xls format.
    .do = Open it in a spreadsheet and save it as .xlsx or as CSV.
import-foreign-archive = This is an archive, not a table.
    .do = Unpack it and import the CSV or XLSX file inside.
import-foreign-document = This is a document or a database, not a table.
    .do = Save the table in it as CSV or XLSX and import that.
import-foreign-markup = This is HTML, XML or JSON, not a table.
    .do = Open it in a spreadsheet and save it as CSV or XLSX.
import-foreign-binary = Line { $line } holds bytes that no text has: this is no CSV file, or it is damaged.
    .do = Check that this is the right file, or export it again as CSV or XLSX.
import-bytes-broken = Line { $line } holds bytes that are no { $encoding } text, although the rest of the file is.
    .do = The file is damaged there: export it again from where it comes from, or mend that line.
import-xlsx-broken = The workbook cannot be read: { $reason }.
    .do = Open it in a spreadsheet, which may mend it, and save it as .xlsx or CSV.
import-xlsx-parts = The workbook has more than { $limit } parts.
    .do = Save the sheet alone, as .xlsx or CSV, and import that.
import-xlsx-unpacked = “{ $part }” brings the workbook to more than { $size } MiB once it is unpacked: it is too large, damaged, or made to harm.
    .do = If it is yours, save the sheet as CSV, split it with the heading line in each part, and import the parts.
import-sheet-size = Up to row { $row } the sheet has more than { $cells } filled cells or { $size } MiB of text.
    .do = Split it, with the heading line in each part, and import the parts one after another.
import-sheet-bounds = Row { $row } of the sheet has a cell beyond column { $columns }, or one that is too long.
    .do = Remove what stands beside the table and import again.
import-row-cut = The file ends inside this row: it was cut.
    .do = Get the whole file and import it again; rows that came in stay as they are.
import-row-width = The row has { $cells } cells, the heading has { $headings }.
    .do = Quote cells that contain the delimiter, or complete the row.
import-cell-rejoined = “{ $text }” contains the delimiter without quotes; it was read as one cell.
    .do = Quote the cell in the file if that is wrong.
import-quote-unclosed = A quoted cell of this row never ends.
    .do = Add the missing quote, or double a quote that belongs to the text.
import-quote-stray = Text follows a closing quote in this row.
    .do = Double quotes that belong to the text: "" inside a quoted cell.
import-cell-max = A cell of this row is too long, or it has too many cells.
    .do = Check the quotes of this row.
import-map-unreadable = The import map cannot be read: { $reason }.
    .do = Check the path; a map is a UTF-8 text file in TOML.
import-map-max = The import map is larger than { $size } MiB.
    .do = Check that this is the map and not the data.
import-map-invalid = The import map is not valid: { $reason }
    .do = Compare it with the page “Import maps” of the manual.
import-collection-missing = Nothing says which collection the file belongs to.
    .do = Name it: --collection account, or “collection” in the map.
import-no-column = No heading fits a field of “{ $collection }”. The headings are: { $headings }.
    .do = Rename headings to fields ({ $fields }), or write an import map.
import-column-unmatched = The column “{ $column }” fits no field and was left out.
    .do = Name its field in an import map if it should come in.
import-heading-twice = The file has the heading “{ $column }” more than once.
    .do = Rename one of the columns.
import-map-collection = The map is for “{ $map }”, the command says “{ $wanted }”.
    .do = Leave --collection out, or take another map.
import-map-column = The map names the column “{ $column }”, which the file lacks. Its headings are: { $headings }.
    .do = { $near ->
            [0] Correct the map, or check that this is the right file.
           *[other] Did you mean “{ $nearest }”?
        }
import-map-field = The map sends “{ $column }” to “{ $field }”, which “{ $collection }” does not have.
    .do = { $near ->
            [0] Run “branchline schema show” to see the fields.
           *[other] Did you mean “{ $nearest }”?
        }
import-map-key = The key of the map names “{ $column }”, which has no [columns.{ $column }] of its own.
    .do = Say to which field that column goes.
import-map-lines = “{ $field }” holds no lines.
    .do = Name a field of type lines, such as “lines” of an opportunity.
import-map-line = The map does not say which columns identify a line.
    .do = Add: line = ["productID"] to [lines].
import-map-value = Column “{ $column }”: { $key } = “{ $value }” cannot be read.
    .do = { $key ->
            [currency] Write three letters, such as USD.
            [scale] Write a number, such as 1000.
           *[other] Write a date format, such as %d.%m.%Y.
        }
import-map-no-reference = Column “{ $column }” has a lookup, but “{ $field }” is no reference.
    .do = Remove the lookup, or name a reference field.
import-map-lookup = Column “{ $column }”: the lookup finds records of “{ $found }”, the field holds records of “{ $target }”.
    .do = Look in “{ $target }”, or take a reference to it.
import-map-take = Column “{ $column }”: a lookup that takes a reference of what it finds cannot create it.
    .do = Write missing = "refuse" or missing = "empty".
import-map-constant = The constant { $field } = “{ $value }” means nothing here.
    .do = Name a record that exists, by its code, e-mail or other natural key; a branch is made with “branchline invite”.
import-dry-run = This was a dry run.
    .do = Run it again without --dry-run.
import-stopped = The import stopped after { $rows } of { $total } rows, which are in: { $reason }
    .do = Mend the cause and run the same command again; it goes on from there.
import-currency = “{ $value }” is no currency.
    .do = Write three letters, such as USD.
import-number-range = “{ $value }” is too large.
    .do = Check the number and the scale of the column.
import-id-malformed = This is no id of a record.
    .do = Leave the cell empty for a new record.
import-reference-unknown = “{ $value }” is no record.
    .do = Correct the cell.
import-reference-empty = { $field } is empty.
    .do = Fill it in the file and import again, or in the record.
import-reference-near = There is no “{ $value }” in “{ $collection }”; “{ $known }” was taken.
    .do = Correct the cell if that is wrong.
import-reference-several = “{ $value }” fits { $count } records of “{ $collection }”.
    .do = Name one by a key that only it has, such as its id or external_id, or merge the duplicates.
import-reference-missing = There is no “{ $value }” in “{ $collection }”{ $near ->
        [0] .
       *[other] ; the nearest is “{ $nearest }”.
    }
    .do = Correct the cell, create the record, or write missing = "create" in the map.
import-reference-made = “{ $value }” was created in “{ $collection }”, where “{ $nearest }” is much alike.
    .do = If both are the same, merge them.
import-key-several = { $count } records have this key; the oldest was taken.
    .do = Merge the duplicates.
import-record-archived = The record is archived and was left as it is.
    .do = Unarchive it, then import again.
import-no-branch = No branch is known for this row: it has none, the map has none, and its owner has no home branch. Further such rows are not listed.
    .do = Add a branch to the map or the file, or a home branch to the owner.
import-parent-missing = There is no “{ $collection }” whose { $field } is “{ $value }”.
    .do = Import the parent records first.
import-parent-several = { $count } records are “{ $value }”.
    .do = Merge the duplicates, then import again.
import-parent-gone = The parent record { $record } has gone.
    .do = Import again.
import-line-empty = The cells that identify the line are empty.
    .do = Fill them.
import-map-key-long = The key of the map has more than { $limit } columns.
    .do = Name the columns that identify a row, and no more.
import-map-key-type = The key of the map names “{ $column }”, whose field cannot identify a record.
    .do = Name a column with one short value: a number, a code, an e-mail, a name.
export-write = The export cannot be written: { $reason }
    .do = Check that the disk has room and the file is not open elsewhere.
export-cell-max = Row { $row } holds a text that is too long for a spreadsheet.
    .do = Export as CSV or JSON.
export-rows-max = A sheet cannot hold so many rows.
    .do = Export as CSV or JSON, or fewer records with --where.
import-map-template = The template { $field } = “{ $template }” cannot be used.
    .do = Write column headings in braces, as in "{"{"}product{"}"} · {"{"}account{"}"}", for a field that is no reference.
import-batch-unknown = No import { $batch } is known here.
    .do = Take the batch that “branchline import --json” printed; a replica undoes only what it holds.
import-name-otherwise = The name is empty; the record goes by its { $field }.
    .do = Fill the name in the file, or in the record.
import-row-empty = The row is empty.
    .do = Remove it from the file, or fill it.
import-required-empty = { $field } is empty, although “{ $collection }” requires it; the row came in without it.
    .do = Fill it in the file and import again, or in the record.
import-required-no-column = The file has no column for { $field }, which “{ $collection }” requires; new records come in without it. Further rows are not listed.
    .do = Add the column to the file or the map, or fill the field in the records.
demo-office-unknown = The made-up company has no office “{ $office }”.
    .do = Its offices are riga, almaty and kyiv.
demo-people-missing = The office “{ $office }” has no sellers here yet.
    .do = Let the company's people arrive first: sync, then try again.
