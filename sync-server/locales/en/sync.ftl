# Texts of the sync centre.
web-sync = Sync centre
web-nobody-joined = Nobody has joined this replica yet. Make an invitation below.
web-revoked = Without access any more:
web-own-line = The line upwards
web-line-paused = paused
web-changes-arrived = Changes arrived
web-delivered = Changes delivered
web-last-error = Last error
web-pause = Pause
web-resume = Go on
web-sync-now = Sync now
web-line-done = Done; the page shows how it goes on.
web-is-online = connected
web-is-offline = not connected
web-not-direct = joined elsewhere
web-waits-down = Waits to go down
web-waits-up = Waits to come up
web-bytes-today = Today
web-actions = Message, access
web-message = Message
web-send = Send
web-sent = { $name } finds it among today’s work.
web-revoke = Revoke
web-revoke-sure = I want to end its access for good
web-revoked-done = Its access has ended. What is on it already cannot be called back.
web-invite = Invite
web-invite-kind = What joins
web-invite-name = Name, for a branch its code
web-invite-user = Whose it is: e-mail; a new person if empty
web-invite-hint = The code is good once, for 24 hours. A device holds what its person may see.
web-invited = “{ $name }” may join
web-invited-picture = The code as a picture for the phone’s app
web-invited-how = The phone’s app reads the picture; a computer joins with this line. Good once, until
web-courier = Without any line
web-courier-what = What waits can go as a file, by mail or on a stick; the answer comes back the same way.
web-courier-for = For whom
web-courier-file = A courier file
web-courier-pack = Get a file
web-courier-unpack = Take a file in
web-courier-done = Taken in: { $pulled ->
    [one] { $pulled } change came
   *[other] { $pulled } changes came
}, { $pushed ->
    [one] { $pushed } of ours has arrived
   *[other] { $pushed } of ours have arrived
}.
courier-page = The file did not get through: { $detail }
    .do = Try again; a larger one is taken in by “branchline courier unpack FILE”.
