"""A process that changes a folder's key there and back, and says so once it has begun, to be killed."""

import sys

import hub  # noqa: F401  (finds the package)
from branchline import Replica

first, second = (bytes([int(n)] * 32) for n in sys.argv[2:4])
replica = Replica.open(sys.argv[1], key=lambda: first)
replica.rekey(lambda: second)
print("rekeying", flush=True)
while True:
    replica.rekey(lambda: first)
    replica.rekey(lambda: second)
