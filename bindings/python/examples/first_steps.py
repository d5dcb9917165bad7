"""Enrols, syncs, writes a deal, delivers it. usage: first_steps.py FOLDER CODE"""

import sys

from branchline import Query, Replica, ReplicaError, text, typed

folder, code = sys.argv[1:]
try:
    with Replica.join(folder, code) as replica:
        replica.run_once(60, lambda status: print(status.phase.name, status.done, "of", status.total))
        print("acting for", replica.who_am_i().name)
        for account in replica.list(Query(collection="account")).records:
            print(account.title, text(account, "city"))
        deal = replica.create("opportunity", typed(name="First order", account="name=Alpha", amount="99.90 EUR"))
        print(replica.get("opportunity", deal).state)
        done = replica.run_once(60)
        print("delivered" if done.outbox == 0 else "waits", text(replica.get("opportunity", deal), "amount"))
except ReplicaError as error:
    sys.exit(f"{error.what} {error.to_do}")
