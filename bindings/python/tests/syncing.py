"""A process that syncs a folder and says so once records arrive, to be killed."""

import sys
import time

import hub  # noqa: F401  (finds the package)
from branchline import Replica, SyncPhase


def told(status):
    if status.phase == SyncPhase.FIRST_SYNC:
        print("syncing", flush=True)
        # The one who kills is quicker than what is left.
        time.sleep(60)


Replica.open(sys.argv[1]).run_once(120, told)
sys.exit(1)
