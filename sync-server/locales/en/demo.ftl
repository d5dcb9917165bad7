# Texts of `branchline demo`.
demo-process = A process of the demo failed: { $detail }
    .do = Run the demo again; if a port is taken, choose another one with --port.
demo-diverged = These replicas do not agree with the one above them: { $replicas }
    .do = This must not happen: please report it with the output above.
demo-stuck = The demo did not get on within { $seconds } s while { $step ->
    [found] head office opened
    [open] an office joined
    [work] the offices worked offline
    [back] the lines came back
    [rep] the field rep joined
    [apart] people worked apart
    [meet] the field rep came back
   *[other] head office settled the conflict
}.
    .do = What the servers said last stands above. Run it again; if it happens twice, please report it with that.
demo-stopped = The demo was ended before its story was.
    .do = Run it again to see the end.
demo-founded = Head office has founded the company: { $records ->
    [one] { $records } shared record
   *[other] { $records } shared records
}. Its page: { $url }
demo-opened = The office { $office } has joined. Its page: { $url }
demo-lines-cut = { $count ->
    [one] The line is cut
   *[other] All { $count } lines are cut
}; the offices go on working.
demo-worked = { $office }, offline: { $accounts } clients, { $contacts } contacts, { $deals } deals, { $activities } activities.
demo-line-back = The line of { $office } is back.
demo-line-slow = The line of { $office } is back, but slow: { $kbit } kbit/s, { $ms } ms there and back.
demo-cut-midway = The line of { $office } is cut in mid-transfer, after { $bytes }; it comes back and goes on where it was.
demo-agree = All replicas agree. Head office now holds { $records } records.
demo-rep = { $name } takes a laptop along. Its page: { $url }
demo-rep-away = { $name } drives off for { $days } days without a line; the office loses its line too.
demo-edit-rep = On the road, { $name } wins “{ $deal }” at 4,800 EUR and notes a visit a day.
demo-edit-office = The office { $office } knows nothing of it and writes “{ $deal }” off.
demo-edit-hub = Head office raises “{ $deal }” to 5,200 EUR.
demo-all-back = { $name } is back, and so is the line of { $office }.
demo-conflict = Conflict in “{ $deal }”, { $field }: { $values }
demo-settled = Head office settles it: “{ $deal }” is won.
demo-look = The workplaces are open. Everybody above signs in with the password { $password }; the rep at the own laptop with this link, within ten minutes: { $link }
    Ctrl-C ends the demo.
col-replica = Replica
col-heads-equal = Heads equal
col-page = Page
