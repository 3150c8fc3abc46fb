"""What a column of `paper_sessions` is, and frozen records whose fields are columns. Loads nothing.

A field is declared once, with all that is known of it, such as `trades: int | None = column("integer", default=None)`.
Table, views, exports and pages are made from these declarations, and the type checker sees every name and type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, dataclass_transform

if TYPE_CHECKING:
    from dataclasses import replace as replace  # noqa: PLC0414 - its checks are those that `replace` below needs

    from quantlab.base.values import Scalar

Type = Literal["word", "text", "number", "integer", "key", "flag", "time"]
"""word: text that sorts by bytes on both engines (ids); text; number: a float; integer: 32 bits; key: 64 bits;
flag: true or false; time: ISO 8601 in UTC, of one width."""

_REQUIRED: object = object()


class Column(NamedTuple):
    """A column, by its own declaration.

    Attributes:
        name: Its name, in the table and everywhere else.
        type: What its values are.
        nullable: Whether it may be unknown.
        default: Its value before any event sets it; absent for what every session has from its first event on.
        doc: What it says, a sentence for docs/sql.md; empty where the name says it all.
        is_contract: Whether it stands in contract 5, whose columns come first, in the order of their declaration.
        export: Its place among our columns of the index exports; None for one that they don't show.
        from_folder: Whether a folder from elsewhere may say it; the rest only the ledger knows.
    """

    name: str
    type: Type
    nullable: bool
    default: object
    doc: str
    is_contract: bool
    export: int | None
    from_folder: bool

    @property
    def has_default(self) -> bool:
        """Whether a session may begin without a value for it."""
        return self.default is not _REQUIRED


class _Declared(NamedTuple):
    type: Type
    doc: str
    default: object
    is_contract: bool
    export: int | None
    from_folder: bool


def column(
    holds: Type,
    doc: str = "",
    *,
    default: object = _REQUIRED,
    contract: bool = False,
    export: int | None = None,
    from_folder: bool = True,
) -> Any:
    """Declare a column; see `Column`."""
    return _Declared(holds, doc, default, contract, export, from_folder)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(column,))
class Columns:
    """A frozen record of columns; a class may take over the columns of several others."""

    columns: ClassVar[tuple[Column, ...]] = ()
    _defaults: ClassVar[dict[str, object]] = {}

    def __init_subclass__(cls) -> None:
        """Gather the columns: those of the bases in their order, then the class's own."""
        found = {one.name: one for base in cls.__bases__ if issubclass(base, Columns) for one in base.columns}
        for name, annotation in cls.__annotations__.items():
            declared = cls.__dict__.get(name)
            if isinstance(declared, _Declared):
                found[name] = Column(name, declared.type, str(annotation).endswith("None"), *_rest(declared))
                delattr(cls, name)
        cls.columns = tuple(found.values())
        cls._defaults = {one.name: one.default for one in cls.columns}

    def __init__(self, **values: object) -> None:
        mine = vars(self)
        mine.update(self._defaults)
        mine.update(values)
        if len(mine) != len(self.columns) or _REQUIRED in mine.values():
            raise TypeError(
                f"{type(self).__name__} takes {[one.name for one in self.columns]}, not {[*values]}."
            )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} can't be set to {value!r}: it is frozen.")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"
        )


def _rest(declared: _Declared) -> tuple[Any, ...]:
    return declared.default, declared.doc, declared.is_contract, declared.export, declared.from_folder


if not TYPE_CHECKING:

    def replace(record, /, **changes):  # noqa: ANN001, ANN003, ANN201 - typed above, as the type checker reads it
        """Return the record with some values changed.

        Raises:
            TypeError: there is no such column.
        """
        changed = object.__new__(type(record))
        values = vars(changed)
        values.update(vars(record))
        values.update(changes)
        if len(values) != len(record.columns):
            raise TypeError(f"No such column: {sorted(changes.keys() - vars(record).keys())}.")
        return changed


def differing(before: Columns, after: Columns) -> dict[str, Scalar]:
    """Return the columns that may have another value after than before, with the later value, in their order."""
    earlier = vars(before)
    return {name: value for name, value in vars(after).items() if value is not earlier[name]}
