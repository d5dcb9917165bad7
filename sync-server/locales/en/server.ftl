# Texts of the command line.
error-heading = Error:
warning = Warning: { $text }
wrong-usage = This call is not understood: { $detail }
    .do = Run the command with --help to see its form and an example.
data-missing = No folder is named.
    .do = Give --data DIR, or set BRANCHLINE_DATA.
not-a-set = += and -= do not fit the field “{ $field }”.
    .do = They add to and take from sets, counters and lines; use FIELD=VALUE for other fields.
counter-step = “{ $value }” is no whole number to move the counter “{ $field }” by.
    .do = Give a whole number, for instance { $field }+=1.
value-file = The file cannot be read: { $detail }
    .do = Check its name, its rights, and that it is UTF-8 text.
value-file-large = The file is larger than { $limit } bytes.
    .do = Attach large files with “branchline attach”.
ambiguous-change = Several changes of this record begin with “{ $change }”.
    .do = Give more of its characters.
user-disable-self = “{ $name }” is the person this replica acts for.
    .do = Let another owner or manager do it from another replica.
verify-damaged = { $count ->
    [one] { $count } stored part is damaged
   *[other] { $count } stored parts are damaged
}: { $first }
    .do = Keep the folder as it is; restore a backup into a new folder, or join again and compare.
verify-differs = { $count ->
    [one] { $count } derived row differs
   *[other] { $count } derived rows differ
} from the log.
    .do = Run “branchline verify --repair”: it writes them anew from the log.
server-task = A piece of the server's work was cut off: { $detail }
    .do = Look at the lines above in the log; restart the server if it happens again.

record-created = Made “{ $label }”, { $id }.
record-edited = Changed “{ $label }”, { $id }.
record-unchanged = Nothing to change in “{ $label }”, { $id }.
record-archived = Archived “{ $label }”, { $id }.
record-unarchived = Brought back “{ $label }”, { $id }.
change-undone = Took the change of “{ $label }” back, { $id }.
conflict-resolved = “{ $label }”: { $field } is now { $value }.
no-conflicts = No open conflicts.
hub-made = “{ $name }” is ready in { $folder }; its owner is { $owner }.
user-added = Added { $name }, { $id }.
user-disabled = { $name } has no access any more.
backup-written = Wrote { $file }: { $records ->
    [one] { $records } record
   *[other] { $records } records
}, { $bytes } bytes.
backup-restored = Restored { $records ->
    [one] { $records } record
   *[other] { $records } records
} into { $folder }.
verify-changes = Changes checked
verify-records = Records folded
verify-heads = Heads that differed
verify-rows = Rows that differed
verify-search = Search rows that differed
verify-sound = Everything agrees with the log.
verify-repaired = What differed was written anew from the log.

label-created = Created
label-updated = Updated
label-archived = Archived
kind-shared = shared
kind-branch = of a branch
col-at = When
col-change = Change
col-choices = Values
col-collection = Collection
col-device = Device
col-excerpt = Text
col-field = Field
col-fields = Fields
col-from = From
col-id = Id
col-kind = Kind
col-label = Label
col-lag = Behind
col-last-seen = Last seen
col-name = Name
col-outbox = Waiting to go up
col-required = Required
col-scopes = Scopes
col-shown = Shown
col-title = Title
col-to = To
col-type = Type
col-user = Who
col-value = Value
col-version = Version
done-created = Made
done-updated = Changed
done-unchanged = As it was
col-done = Result
line-up = The line is up.
line-differs = The upstream was set back: both ends compare what they hold.
line-down = The line is down: { $why } Next try in { $seconds } s.
line-paused = paused by hand
line-state = Line
progress-seed = Bytes of the seed
progress-records = Records
sync-pushed = Changes sent
sync-pulled = Changes received
sync-refused = Changes refused
sync-bytes-up = Bytes sent
sync-bytes-down = Bytes received
sync-round-trips = Round trips
listen-failed = The address cannot be listened on: { $detail }
    .do = Take another one with --listen, or end the process that holds it.
progress-rows = Rows
import-batch = Batch
import-rows = Rows
import-created = Created
import-updated = Updated
import-unchanged = Unchanged
import-looked-up = Made by look-ups
import-refused = Refused
import-dry = Nothing was written: this was a dry run.
import-warnings = { $count ->
    [one] { $count } cell to look at
   *[other] { $count } cells to look at
}
import-archived = Archived again
import-restored = Fields set back
import-kept = Kept, since somebody changed them
and-more = … and { $count } more; --json lists them all.
export-written = Wrote { $file }: { $count ->
    [one] { $count } record
   *[other] { $count } records
}.
file-not-written = The file cannot be written: { $detail }
    .do = Check the folder, its rights and the free space.
col-row = Row
col-column = Column
col-reason = Reason
col-nearest = Nearest known
never = never
complete-through = { $branch }: complete through { $at }
invited = { $name } can join with this code once, until { $at }.
device-granted = { $name } now acts as { $role } on { $scopes }.
device-revoked = { $name } has no access any more.
state-revoked = revoked
col-role = Role
col-state = State
col-score = Score
records-merged = Both are “{ $label }” now, { $id }.
record-unmerged = “{ $label }” stands on its own again, { $id }.
lead-converted = Account “{ $account }”, contact “{ $contact }”, deal “{ $opportunity }”.
attached = Attached { $name }, { $bytes } bytes: { $hash }
fetched = { $file }: { $bytes } bytes.
not-an-attachment = The field “{ $field }” holds no file.
    .do = “branchline schema show COLLECTION” lists the fields of the type attachment.
tls-unusable = The certificate or key cannot be used ({ $detail }).
    .do = Give a PEM chain and its own key, or neither: then the replica makes its own.
nothing-refused = Nothing was refused that waits.
marked-archived = It was edited while it was being archived, and is back. Archive it again, or bring it back.
state-waiting = waits
state-accepted = accepted
state-declined = declined
state-retried = tried again
state-replayed = written again
state-carried = brought back
col-transaction = Transaction
refused-exported = Wrote { $file }: { $count ->
    [one] { $count } refused change
   *[other] { $count } refused changes
}.
courier-packed = Wrote { $file } for { $name }. What it holds waits until its answer has come back.
courier-changes = Changes
courier-receipts = Receipts
courier-attachments = Attachments
courier-bytes = Bytes
courier-joining = Wrote { $file }: this folder’s enrolment. Unpack it at the upstream, pack the answer there for this replica and unpack that here.
seed-written = Wrote { $file }: { $records ->
        [one] { $records } record
       *[other] { $records } records
    }, { $bytes } bytes. It is not encrypted: keep it like a backup.
verify-fetching = { $count } damaged parts are fetched anew from the upstream with the next sync.
    .do = Run “branchline sync”, then “branchline verify” again.
verify-attachments = { $count } attachments are missing or not what their names say.
    .do = Restore a backup, or have somebody attach them again; where there is an upstream, “branchline verify --repair” fetches them.
verify-attachments-checked = Attachments checked
fetched-encrypted = Here, encrypted like the folder: { $bytes } bytes. Copy it out with --out FILE.
key-file-unreadable = The key file cannot be read: { $detail }
    .do = Check its path and who owns it.
key-file-open = Everybody on this machine can read the key file.
    .do = Take that away: chmod 600 on the file.
encryption-needs-key = No key was given.
    .do = Name its file with --key-file or BRANCHLINE_KEY_FILE. A new key: “openssl rand -hex 32 > FILE”, then “chmod 600 FILE”.
encryption-is-on = { $folder } is encrypted. Without the key nobody can read it: keep a copy of the key elsewhere. What was on this disk before may be found there until it is overwritten.
encryption-is-off = { $folder } is not encrypted any more.
encryption-rekeyed = The new key opens { $folder }, the old one does not. Backups made before need the old one.
