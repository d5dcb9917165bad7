//! Every bound of the protocol and the store, in one place, units last in the name.
//!
//! A bound that a peer or a file can reach is answered with an error that names it; none is reached by ordinary work.

/// Longest name of a collection or field, in bytes.
pub const NAME_BYTES_MAX: usize = 48;
/// Most fields of one collection.
pub const FIELDS_MAX: usize = 400;
/// Most collections of one workspace.
pub const COLLECTIONS_MAX: usize = 200;
/// Longest plain text value, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Longest long text, in characters.
pub const LONG_TEXT_CHARS_MAX: usize = 100_000;
/// Longest item of a set, in bytes.
pub const SET_ITEM_BYTES_MAX: usize = 256;
/// Most items of a set or lines of a record.
pub const ITEMS_MAX: usize = 2_000;
/// Longest id of a line, in bytes.
pub const LINE_ID_BYTES_MAX: usize = 64;
/// Longest root key of a document, in bytes: a field, a line or item, a field of the line.
pub const ROOT_KEY_BYTES_MAX: usize = 384;
/// Most fields that a deterministic id is derived from.
pub const KEY_FIELDS_MAX: usize = 8;
/// Largest single increment of a counter, so that no sum of them overflows.
pub const COUNTER_STEP_MAX: u64 = 1 << 32;
/// Longest media type of an attachment, in bytes.
pub const ATTACHMENT_MEDIA_BYTES_MAX: usize = 128;
/// Longest file name of an attachment, in bytes.
pub const ATTACHMENT_NAME_BYTES_MAX: usize = 255;
/// Deepest nesting of a filter expression.
pub const FILTER_DEPTH_MAX: usize = 32;
/// Most comparisons and listed values of a filter expression.
pub const FILTER_TERMS_MAX: usize = 1_000;

/// Largest change chunk, in bytes.
pub const CHANGE_BYTES_MAX: usize = 1024 * 1024;
/// Most operations of one change.
pub const CHANGE_OPS_MAX: usize = 100_000;
/// Most dependencies of one change.
pub const CHANGE_DEPS_MAX: usize = 256;
/// Most refused changes that one change brings again.
pub const CITES_MAX: usize = 256;
/// Most bytes of refused changes that an upstream keeps for one downstream until they are settled; what is beyond is
/// kept by the downstream alone.
pub const REVIEW_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Refused transactions that go back to whom they came from before one batch.
pub const RETURNED_MAX: usize = 64;
/// Bytes of refused changes after which a message that gives them back is full.
pub const RETURNED_BYTES_MAX: usize = 1024 * 1024;
/// Longest actor, in bytes.
pub const ACTOR_BYTES_MAX: usize = 64;
/// Most actors that one change names beside its own.
pub const CHANGE_ACTORS_MAX: usize = 1_024;
/// Farthest time of a change from 1970, in milliseconds: what a calendar can show.
pub const CHANGE_TIME_MS_MAX: i64 = 1 << 53;
/// Largest operation counter: far below 2^32, where Automerge fails.
pub const OP_COUNTER_MAX: u64 = 1 << 30;
/// Changes of a push that are committed at least before somebody else's turn to write comes.
pub const TURN_CHANGES_MIN: usize = 64;
/// Turns to write for which a device that floods rests, for each of the others that has waited for it.
pub const REST_TURNS: u64 = 500;
/// The longest rest, in milliseconds: then a device writes, however many others do.
pub const REST_MS_MAX: u64 = 30_000;
/// Nobody rests once nobody has written for this long, in milliseconds.
pub const REST_QUIET_MS: u64 = 100;
/// Newest changes of a record whose bytes stay in the log one by one: the horizon behind which a history is packed.
pub const PLAIN_CHANGES_MIN: usize = 64;
/// Changes of one record that are packed together.
pub const PACK_CHANGES: usize = 256;
/// Most bytes of changes that one pack gives back.
pub const PACK_BYTES_MAX: usize = 1024 * 1024;
/// A record is looked at for packing whenever so many more changes of it have come.
pub const PACK_STEP_CHANGES: usize = 64;
/// Bytes that packing has freed inside the database, at least, before its file is written anew.
pub const RECLAIM_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// Most changes in one transaction, so that a transaction always fits a batch.
pub const TX_CHANGES_MAX: usize = 1_000;
/// Most raw change bytes in one transaction.
pub const TX_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Largest message of the link, in bytes, on the wire: any one transaction fits, however badly it compresses.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes that wait to be sent on one connection before nothing more is read from it: a peer that asks and does not
/// listen. More than two of the largest messages, so that two ends that keep the protocol never wait for each other.
pub const UNSENT_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Size of the WebSocket frames that carry a longer message, in bytes: all that an idle connection's buffers grow to.
pub const FRAGMENT_BYTES: usize = 4 * 1024;
/// Size at which a batch is closed, in compressed bytes.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;
/// Most bytes that a batch may inflate to.
pub const BATCH_INFLATED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most changes in a batch.
pub const BATCH_CHANGES_MAX: usize = 5_000;
/// Most shapes in a batch.
pub const BATCH_SHAPES_MAX: usize = 1_024;

/// Largest file that an import reads, in bytes.
pub const IMPORT_FILE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Most rows of one imported file.
pub const IMPORT_ROWS_MAX: usize = 2_000_000;
/// Most columns of an imported file.
pub const IMPORT_COLUMNS_MAX: usize = 1_000;
/// Longest cell of an imported file, in bytes.
pub const IMPORT_CELL_BYTES_MAX: usize = 1024 * 1024;
/// Most parts of an imported workbook.
pub const IMPORT_SHEET_PARTS_MAX: usize = 10_000;
/// Most bytes that the parts of an imported workbook may unpack to.
pub const IMPORT_SHEET_UNPACKED_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most sheets of a workbook that are searched for the first filled one.
pub const IMPORT_SHEETS_MAX: usize = 256;
/// Most filled cells of an imported sheet.
pub const IMPORT_SHEET_CELLS_MAX: usize = 10_000_000;
/// Most bytes of text in the cells of an imported sheet.
pub const IMPORT_SHEET_TEXT_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Largest import map, in bytes.
pub const IMPORT_MAP_BYTES_MAX: usize = 1024 * 1024;
/// Most refused rows, and most warnings, that an import lists; further ones are only counted.
pub const IMPORT_ISSUES_MAX: usize = 100_000;
/// Most columns (key and type of value) in a batch.
pub const BATCH_COLUMNS_MAX: usize = 4_096;
/// Most operations and predecessors of changes that a batch carries as shapes; most numbers or words of one column.
pub const BATCH_OPS_MAX: usize = 500_000;
/// Most records that a downstream asks for whole in one message: those of one batch.
pub const WANT_RECORDS_MAX: usize = BATCH_CHANGES_MAX;
/// Most dependencies of changes that a batch carries apart from their bytes.
pub const BATCH_DEPS_MAX: usize = 20_000;

/// Longest key of a request that is carried out once, in bytes.
pub const ONCE_KEY_BYTES_MAX: usize = 255;

/// Most scopes that one downstream may hold.
pub const GRANT_SCOPES_MAX: usize = 64;
/// Largest attachment, in bytes.
pub const BLOB_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Largest piece of an attachment, in bytes; on a slow line it is a few seconds of its rate.
pub const BLOB_PIECE_BYTES: usize = 32 * 1024;

/// Largest courier file, in bytes.
pub const COURIER_FILE_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;
/// Piece in which a courier file is encrypted, in bytes before encryption.
pub const COURIER_CHUNK_BYTES: usize = 64 * 1024;
/// Largest item of a courier file, in bytes: one message of the link and what stands around it.
pub const COURIER_ITEM_BYTES_MAX: usize = FRAME_BYTES_MAX + 256 * 1024;
/// Courier files of one sender that may wait for their answer at the same time; older ones are sent anew.
pub const COURIER_OPEN_MAX: usize = 64;
/// Most attachments, in bytes, that one courier file carries; the rest goes with the next one.
pub const COURIER_BLOB_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Largest database that a seed unpacks to, in bytes.
pub const SEED_IMAGE_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Most scopes of a seed.
pub const SEED_SCOPES_MAX: usize = 64;
/// Most refusals in one item of a courier file; more of them go in further items.
pub const COURIER_REFUSALS_MAX: usize = 1_000;
/// Most bytes of one message of the set reconciliation, by which two ends compare what they hold.
pub const COMPARE_ROUND_BYTES_MAX: usize = 64 * 1024;
/// Most rounds of one comparison: enough for four million changes that one end lacks.
pub const COMPARE_ROUNDS_MAX: usize = 4_096;
/// Most comparisons that go on at a replica at a time; others are told to come again.
pub const COMPARISONS_MAX: usize = 8;
/// A link is compared whole again after this long, in milliseconds: a week.
pub const AUDIT_MS: i64 = 7 * 24 * 3_600 * 1_000;
