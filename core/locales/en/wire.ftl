# Texts of the room `wire`.
malformed-message = The other end sent bytes that are no message of this protocol.
    .do = Check that both ends run a released version of Branchline; the local data is safe.
unknown-message-kind = The other end sent a message of the unknown kind { $kind }.
    .do = Update the older of the two ends; the local data is safe.
frame-too-large = The other end sent a frame of { $bytes } bytes; the limit is { $limit }.
    .do = Check that the address is a Branchline server; the local data is safe.
change-malformed = A change is not well formed ({ $part }).
    .do = The sender's software is damaged or foreign; update it, then sync again. Nothing was stored.
change-limit = A change is larger than the protocol allows ({ $part }).
    .do = Split the edit into smaller ones. Nothing was stored.
batch-malformed = The other end sent a batch of changes that cannot be read.
    .do = Update the older of the two ends, then sync again; the local data is safe.
batch-limit = A batch is larger than the protocol allows ({ $part }).
    .do = Update the older of the two ends, then sync again; the local data is safe.
batch-compression = A batch could not be compressed: { $why }.
    .do = Free some memory, then sync again.
