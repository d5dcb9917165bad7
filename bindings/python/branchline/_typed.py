"""What the classes of `branchline.crm` stand on: a record of a built-in collection with typed fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import ClassVar, Generic, Self, TypeVar, overload

from ._engine.branchline import Attachment, Item, Line, Record, Value

T = TypeVar("T")


class Typed:
    """A record with typed fields: read from a `Record`, or new.

    A field that was set here reads as it was set, and is written by `Replica.save`; None leaves it empty. The workspace's
    own fields are in the record itself.
    """

    collection_name: ClassVar[str]

    def __init__(self, record: Record | None = None) -> None:
        self._source = record
        self._written: dict[str, Value] = {}

    def record(self) -> Record | None:
        """The record that this was read from."""
        return self._source

    def changes(self) -> Mapping[str, Value]:
        """The fields that were set here."""
        return dict(self._written)

    def _value(self, field: str) -> Value | None:
        if field in self._written:
            return self._written[field]
        held = self._source.fields if self._source else []
        return next((found.value for found in held if found.name == field), None)


class Property(Generic[T]):
    """A field of a record."""

    def __init__(self, field: str, read: Callable[[Value], T | None], write: Callable[[T], Value]) -> None:
        self._field, self._read, self._write = field, read, write

    @overload
    def __get__(self, of: None, owner: type[Typed]) -> Self: ...

    @overload
    def __get__(self, of: Typed, owner: type[Typed]) -> T | None: ...

    def __get__(self, of: Typed | None, owner: type[Typed]) -> Self | T | None:
        if of is None:
            return self
        value = of._value(self._field)
        return None if value is None else self._read(value)

    def __set__(self, of: Typed, value: T | None) -> None:
        of._written[self._field] = Value.EMPTY() if value is None else self._write(value)


def text(field: str) -> Property[str]:
    return Property(field, lambda v: v.text if isinstance(v, Value.TEXT) else None, lambda of: Value.TEXT(text=of))


def integer(field: str) -> Property[int]:
    return Property(
        field, lambda v: v.number if isinstance(v, Value.INTEGER) else None, lambda of: Value.INTEGER(number=of)
    )


def decimal(field: str) -> Property[Decimal]:
    return Property(
        field,
        lambda v: Decimal(v.number) if isinstance(v, Value.DECIMAL) else None,
        lambda of: Value.DECIMAL(number=f"{of:f}"),
    )


def money(field: str) -> Property[Value.MONEY]:
    return Property(field, lambda v: v if isinstance(v, Value.MONEY) else None, lambda of: of)


def boolean(field: str) -> Property[bool]:
    return Property(field, lambda v: v.yes if isinstance(v, Value.BOOLEAN) else None, lambda of: Value.BOOLEAN(yes=of))


def date(field: str) -> Property[str]:
    return Property(field, lambda v: v.day if isinstance(v, Value.DATE) else None, lambda of: Value.DATE(day=of))


def instant(field: str) -> Property[int]:
    return Property(field, lambda v: v.ms if isinstance(v, Value.INSTANT) else None, lambda of: Value.INSTANT(ms=of))


def reference(field: str) -> Property[str]:
    return Property(
        field, lambda v: v.id if isinstance(v, Value.REFERENCE) else None, lambda of: Value.REFERENCE(id=of)
    )


def items(field: str) -> Property[list[str]]:
    return Property(
        field,
        lambda v: [item.value for item in v.items] if isinstance(v, Value.SET) else None,
        lambda of: Value.SET(items=[Item(value=item) for item in of]),
    )


def lines(field: str) -> Property[list[Line]]:
    return Property(
        field, lambda v: list(v.lines) if isinstance(v, Value.LINES) else None, lambda of: Value.LINES(lines=of)
    )


def attachment(field: str) -> Property[Attachment]:
    return Property(
        field, lambda v: v.file if isinstance(v, Value.ATTACHMENT) else None, lambda of: Value.ATTACHMENT(file=of)
    )


def location(field: str) -> Property[Value.LOCATION]:
    return Property(field, lambda v: v if isinstance(v, Value.LOCATION) else None, lambda of: of)
