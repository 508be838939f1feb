"""Rooms of a worker, which may have lived on another one under their name."""

from __future__ import annotations

from streamer.rooms.opening import RoomSpec
from streamer.rooms.registry import RoomRegistry
from streamer.rooms.room import Room


class NamedRooms(RoomRegistry):
    """A registry that can open a room under a name it had elsewhere.

    The film of such a room keeps a name of its own: that of the room's first life may lie in the
    same folder, under the room's.
    """

    async def create_as(self, room_id: str, spec: RoomSpec) -> Room:
        """Open a room under a name.

        Raises:
            SessionLimit, InvalidInput, Exception: as `create` does.
        """
        room = await self.create(spec)
        # Nothing has run in between: its task begins when the event loop turns again.
        del self._rooms[room.id]
        room.id = room_id
        self._rooms[room_id] = room
        return room
