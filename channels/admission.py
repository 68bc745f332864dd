"""The permits of a channel, fewer than its settings allow while its routes take less than that."""

from channels.routes import Routes
from tocsin.consume.permits import Permits, Stream


class Admission(Permits):
    """Permits that keep what could not be sent soon where it is: in the log, and not in the hands of a handler."""

    def __init__(self, total: int, routes: Routes) -> None:
        super().__init__(total)
        self._routes = routes

    def take(self, stream: Stream) -> bool:
        """Take a permit if this traffic may have one now, and the routes have room for one more delivery."""
        has_room = self._routes.has_room(self.in_flight)
        self.limit(self._routes.room)
        if not (has_room and super().take(stream)):
            return False
        self._routes.started()
        return True

    def give(self, stream: Stream) -> None:
        """Give a permit back, and let those who wait have it."""
        self._routes.left()
        super().give(stream)
