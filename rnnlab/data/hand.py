"""Your hand: the drawings that one visitor teaches with, their own and those that everybody shares."""

from __future__ import annotations

from dataclasses import dataclass

from rnnlab.data.labelled_drawings import LabelledDrawing, LabelledDrawings, label_of


@dataclass(frozen=True)
class Removed:
    """A drawing that was removed and can be brought back.

    Attributes:
        drawings: The set that it was in.
        id: Its name within the set.
        picture: It as a PNG file.
    """

    drawings: LabelledDrawings
    id: str
    picture: bytes

    @property
    def label(self) -> int:
        """The digit that it shows."""
        return label_of(self.id)

    def restore(self) -> None:
        """Bring it back.

        Raises:
            LabelledDrawingError: It cannot be saved.
        """
        self.drawings.restore(self.id, self.picture)


@dataclass(frozen=True)
class Hand:
    """The drawings from which a network learns a visitor's hand.

    Attributes:
        own: The visitor's own drawings.
        shared: The drawings that everybody learns from, too.
        is_shared: Whether new drawings are for everybody, and everybody may remove the shared ones.
    """

    own: LabelledDrawings
    shared: LabelledDrawings
    is_shared: bool = False

    @property
    def changeable(self) -> tuple[LabelledDrawings, ...]:
        """The sets from which the visitor may remove drawings, that of new drawings first."""
        return (self.shared, self.own) if self.is_shared else (self.own,)

    @property
    def fixed(self) -> tuple[LabelledDrawings, ...]:
        """The sets from which the visitor learns and removes nothing."""
        return () if self.is_shared else (self.shared,)

    def counts(self) -> tuple[int, int]:
        """Return how many drawings the visitor may remove, and how many others there are to learn from."""
        return sum(each.count() for each in self.changeable), sum(each.count() for each in self.fixed)

    def add(self, picture: bytes, label: int) -> LabelledDrawing:
        """Save a drawing.

        Args:
            picture: The canvas as a PNG file.
            label: The digit that it shows.

        Raises:
            LabelledDrawingError: The picture cannot be read or saved, or the set is full.
        """
        return self.changeable[0].add(picture, label)

    def remove(self, drawing_id: str) -> Removed | None:
        """Remove a drawing, unless it is one of those that the visitor may not remove.

        Returns:
            What brings it back; `None` if it was not there.
        """
        for drawings in self.changeable:
            picture = drawings.remove(drawing_id)
            if picture is not None:
                return Removed(drawings, drawing_id, picture)
        return None
