"""The Branchline replica: one folder with everything that its person may hold, readable and writable without a network.

Every call blocks until it is done and may come from any thread. Every failure is a `ReplicaError` with `what`, `place`,
`to_do`, `retryable` and `code`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from ._engine import branchline as _engine
from ._engine.branchline import *  # noqa: F403
from ._engine.branchline import __all__ as _engine_names
from ._typed import Typed

__all__ = [*_engine_names, "Replica", "Typed", "text", "typed"]

_T = TypeVar("_T", bound=Typed)


def typed(**fields: str) -> dict[str, _engine.Value]:
    """Field values as a person types them, in the forms of the command line: `typed(amount="99.90 USD")`."""
    return {field: _engine.Value.TYPED(text=value) for field, value in fields.items()}


def text(record: _engine.Record, field: str) -> str:
    """What people read in a field of a record; empty where it has no value."""
    return next((found.text for found in record.fields if found.name == field), "")


class _Told(_engine.SyncListener):
    def __init__(self, tell: Callable[[_engine.SyncStatus], None]) -> None:
        self._tell = tell

    def changed(self, status: _engine.SyncStatus) -> None:
        self._tell(status)


class _Moved(_engine.ProgressListener):
    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell = tell

    def moved(self, done: int, total: int) -> None:
        self._tell(done, total)


class _Keys(_engine.KeyProvider):
    def __init__(self, give: Callable[[], bytes]) -> None:
        self._give = give

    def key(self) -> bytes:
        return self._give()


def _keys(give: Callable[[], bytes] | None) -> _engine.KeyProvider | None:
    return _Keys(give) if give else None


class _Pages(_engine.PageListener):
    """Keeps the newest result for a loop of asyncio."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._fresh = asyncio.Event()
        self._newest: _engine.Page | None = None
        self._ended = False

    def changed(self, page: _engine.Page) -> None:
        self._newest = page
        self._loop.call_soon_threadsafe(self._fresh.set)

    def failed(self, problem: _engine.Problem) -> None:
        """The watch goes on; the next result that can be read arrives."""

    def end(self) -> None:
        """From any thread, also once the loop has gone."""
        self._ended = True
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._fresh.set)

    async def next(self) -> _engine.Page | None:
        """The next result; none once the replica is closed."""
        while True:
            await self._fresh.wait()
            if self._ended:
                return None
            self._fresh.clear()
            page, self._newest = self._newest, None
            if page is not None:
                return page


class Replica:
    """A replica: one folder. Use it as a context manager, or close it when done."""

    def __init__(self, blocking: _engine.BlockingReplica) -> None:
        self.blocking = blocking
        self._watched: set[_Pages] = set()

    @classmethod
    def open(cls, path: str, language: str | None = None, key: Callable[[], bytes] | None = None) -> Replica:
        """Opens the replica in a folder, an encrypted one with what `key` gives: 32 bytes."""
        return cls(_engine.BlockingReplica.open(path, _engine.Config(language=language), _keys(key)))

    @classmethod
    def join(
        cls, path: str, code: str, language: str | None = None, key: Callable[[], bytes] | None = None
    ) -> Replica:
        """Enrols: makes a folder a replica under the upstream that gave this code; encrypted with a `key`."""
        return cls(_engine.BlockingReplica.join(path, code, _engine.Config(language=language), _keys(key)))

    @classmethod
    def found(
        cls,
        path: str,
        name: str,
        owner_email: str | None = None,
        currency: str = "EUR",
        language: str = "en",
        key: Callable[[], bytes] | None = None,
    ) -> Replica:
        """Makes a folder the hub of a new workspace with its owner; encrypted with a `key`."""
        config = _engine.Config()
        return cls(_engine.BlockingReplica.found(path, name, owner_email, currency, language, config, _keys(key)))

    @staticmethod
    def encrypt(path: str, key: Callable[[], bytes]) -> None:
        """Encrypts the plain replica in a folder that nobody has open. Killed meanwhile, it stays whole."""
        _engine.encrypt_folder(path, _engine.Config(), _Keys(key))

    @staticmethod
    def decrypt(path: str, key: Callable[[], bytes]) -> None:
        """Decrypts the encrypted replica in a folder that nobody has open."""
        _engine.decrypt_folder(path, _engine.Config(), _Keys(key))

    def is_encrypted(self) -> bool:
        """Whether the folder is encrypted."""
        return self.blocking.is_encrypted()

    def rekey(self, key: Callable[[], bytes]) -> None:
        """Has another key open the folder from now on. Keep both until this has returned."""
        self.blocking.rekey(_Keys(key))

    def __enter__(self) -> Replica:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes it: watches and exchanges end, calls that run finish. Closing twice is no error."""
        self.blocking.shut()
        for pages in self._watched.copy():
            pages.end()

    def who_am_i(self) -> _engine.Person:
        """The person that it acts for."""
        return self.blocking.who_am_i()

    def scopes(self) -> list[_engine.Scope]:
        """What of the workspace it was granted."""
        return self.blocking.scopes()

    def workspace(self) -> _engine.Workspace:
        """The workspace, and this replica's place in it."""
        return self.blocking.workspace()

    def schema(self) -> list[_engine.CollectionSchema]:
        """The collections with their fields and labels in three languages."""
        return self.blocking.schema()

    def counts(self) -> _engine.Counts:
        """The replica in numbers; reads all that is held."""
        return self.blocking.counts()

    def verify(self, repair: bool = False) -> _engine.Health:
        """Checks the folder against itself, and mends what can be mended if asked to."""
        return self.blocking.verify(repair)

    def create(self, collection: str, values: Mapping[str, _engine.Value]) -> str:
        """Makes a record and gives its id."""
        return self.blocking.create(collection, dict(values))

    def edit(self, collection: str, record: str, edits: Sequence[_engine.Edit]) -> None:
        """Edits a record, named by id, unique prefix of one, `FIELD=VALUE` or natural key."""
        self.blocking.edit(collection, record, list(edits))

    def set(self, collection: str, record: str, values: Mapping[str, _engine.Value]) -> None:
        """Puts these values into the fields of a record."""
        self.edit(collection, record, [_engine.Edit.SET(field=name, value=value) for name, value in values.items()])

    def archive(self, collection: str, record: str) -> None:
        """Archives a record: it leaves lists and search, and keeps its history."""
        self.blocking.archive(collection, record)

    def restore(self, collection: str, record: str) -> None:
        """Brings an archived record back."""
        self.blocking.restore(collection, record)

    def undo(self, collection: str, record: str, change: str) -> None:
        """Takes back one change of a record by a new one."""
        self.blocking.undo(collection, record, change)

    def transact(self, writes: Sequence[_engine.Write]) -> list[str]:
        """Several writes in one transaction; gives the id of each one's record."""
        return self.blocking.transact(list(writes))

    def get(self, collection: str, record: str) -> _engine.Record:
        """One record with its open conflicts and what of it waits to go up."""
        return self.blocking.get(collection, record)

    def list(self, query: _engine.Query) -> _engine.Page:
        """A part of a list."""
        return self.blocking.list(query)

    def save(self, card: Typed) -> str:
        """Writes what was set on a card of `branchline.crm`: to the record that it was read from, or as a new one."""
        record = card.record()
        if record is None:
            return self.create(card.collection_name, card.changes())
        if card.changes():
            self.set(card.collection_name, record.id, card.changes())
        return record.id

    def cards(self, kind: type[_T], query: _engine.Query | None = None) -> Sequence[_T]:
        """A part of a list with typed fields: `replica.cards(crm.Account)`."""
        asked = query or _engine.Query(collection=kind.collection_name)
        return [kind(record) for record in self.list(asked).records]

    def count(self, query: _engine.Query) -> int:
        """How many records a query asks for; its limit does not count."""
        return self.blocking.count(query)

    def search(self, text: str, limit: int = 20) -> Sequence[_engine.Hit]:
        """Records with words that begin like those of the text, in any case."""
        return self.blocking.search(text, limit)

    def history(self, collection: str, record: str) -> Sequence[_engine.Change]:
        """Every change of a record, oldest first."""
        return self.blocking.history(collection, record)

    def convert_lead(self, lead: str) -> _engine.Converted:
        """Turns a lead into an account, a contact and a deal, once."""
        return self.blocking.convert_lead(lead)

    async def watch(self, query: _engine.Query) -> AsyncIterator[_engine.Page]:
        """The result of a query, now and whenever it has changed, until the replica is closed; a slow reader gets the
        newest one."""
        pages = _Pages()
        self._watched.add(pages)
        try:
            watch = await asyncio.to_thread(self.blocking.watch, query, pages)
            try:
                while (page := await pages.next()) is not None:
                    yield page
            finally:
                watch.stop()
        finally:
            self._watched.discard(pages)

    def conflicts(self) -> Sequence[_engine.Conflict]:
        """Every open conflict of every record held."""
        return self.blocking.conflicts()

    def resolve(self, collection: str, record: str, field: str, keep: _engine.Value) -> None:
        """Settles a conflict of a field in favour of one of its values."""
        self.blocking.resolve(collection, record, field, keep)

    def quarantine(self, settled: bool = False) -> Sequence[_engine.RefusedChange]:
        """The changes that the upstream refused; with `settled`, also those that somebody has dealt with."""
        return self.blocking.quarantine(settled)

    def retry(self, id: int | None = None) -> Sequence[_engine.Retried]:
        """Puts refused changes in the way again: the transaction of one, or all that wait."""
        return self.blocking.retry(id)

    def export_quarantine(self, file: str) -> int:
        """Writes everything that was refused to a JSON file and gives the number of changes."""
        return self.blocking.export_quarantine(file)

    def attach(
        self,
        path: str,
        media: str,
        name: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> _engine.Attachment:
        """Takes a file in, for an attachment value of a record."""
        return self.blocking.attach(path, media, name, _Moved(progress) if progress else None)

    def attach_to(
        self,
        collection: str,
        record: str,
        field: str,
        path: str,
        media: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> _engine.Attachment:
        """Takes a file in and puts it into a field of a record."""
        told = _Moved(progress) if progress else None
        return self.blocking.attach_to(collection, record, field, path, media, told)

    def attachment(self, hash: str) -> _engine.AttachmentState:
        """What is known of an attachment here."""
        return self.blocking.attachment(hash)

    def want(self, hash: str) -> None:
        """Asks for an attachment: it comes with the next exchange, or with the one that runs."""
        self.blocking.want(hash)

    def read_attachment(self, hash: str) -> bytes:
        """The bytes of an attachment that is here; for large ones there is `save_attachment`."""
        return self.blocking.read_attachment(hash)

    def save_attachment(self, hash: str, path: str) -> None:
        """Copies an attachment that is here into a new file, which is not encrypted."""
        self.blocking.save_attachment(hash, path)

    def fetch(
        self, hash: str, deadline_seconds: float = 600.0, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Brings an attachment here."""
        self.blocking.fetch(hash, int(deadline_seconds * 1000), _Moved(progress) if progress else None)

    def start_sync(self, told: Callable[[_engine.SyncStatus], None] | None = None) -> _engine.SyncHandle:
        """Keeps the upstream link in the background until the handle is stopped or dropped."""
        return self.blocking.start_sync(_Told(told) if told else None)

    def run_once(
        self, deadline_seconds: float = 60.0, told: Callable[[_engine.SyncStatus], None] | None = None
    ) -> _engine.Exchange:
        """One exchange, until nothing waits at either end, or stopped cleanly at the deadline."""
        return self.blocking.run_once(int(deadline_seconds * 1000), _Told(told) if told else None)

    def interrupt(self) -> None:
        """Ends the exchanges and downloads of other threads as if their deadlines had come."""
        self.blocking.interrupt()

    def set_paused(self, paused: bool) -> None:
        """Cuts the line by hand, or restores it."""
        self.blocking.set_paused(paused)

    def set_hints(self, metered: bool = False, low_battery: bool = False) -> None:
        """Says what the device knows of its line and battery: while one of them is short, attachments wait."""
        self.blocking.set_hints(_engine.Hints(metered=metered, low_battery=low_battery))

    def report(
        self, name: str, by: str | None = None, since: str | None = None, until: str | None = None
    ) -> _engine.Report:
        """A report over everything held here: `funnel`, `pipeline`, `activity`; of some days, the last one included."""
        return self.blocking.report(_engine.ReportRequest(name=name, by=by, _from=since, to=until))

    def report_chart(
        self, name: str, by: str | None = None, since: str | None = None, until: str | None = None
    ) -> str:
        """A report as an SVG chart."""
        return self.blocking.report_chart(_engine.ReportRequest(name=name, by=by, _from=since, to=until))

    def my_day(self, begin_ms: int, end_ms: int) -> _engine.Agenda:
        """The person's day, between two moments in milliseconds since 1970."""
        return self.blocking.my_day(begin_ms, end_ms)
