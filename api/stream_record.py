"""What a live stream leaves in the log: a row for each segment, and one for the whole."""

from uuid import UUID, uuid4

from api.errors import ApiError
from api.models import Branch
from api.recording_row import recording_row
from api.request_id import current_request_id
from api.rows import Part
from api.schemas import ModelInfo, SubResult
from api.service import Found, Service
from api.stream_audio import Cut
from api.timeline_answers import mean_of
from api.trial import Track


class Record:
    """The answered segments of one stream."""

    def __init__(self, service: Service, text_weight: float) -> None:
        self._service = service
        self._weight = text_weight
        self._id = uuid4()
        self._found: list[tuple[float, dict[str, float]]] = []
        self._models: dict[Branch, ModelInfo] = {}
        self._tracks: set[Track] = set()
        self._until_s = 0.0
        self._stored = False

    @property
    def segments(self) -> int:
        """How many are in the log."""
        return len(self._found)

    @property
    def id(self) -> UUID | None:
        """The stream's row; without a segment there is none."""
        return self._id if self._found else None

    @property
    def overall(self) -> SubResult | None:
        """What the segments come to, each as heavy as it is long."""
        return mean_of(self._found) if self._found else None

    async def keep(self, cut: Cut, found: Found) -> None:
        """Return when a segment's row is durable; UnavailableError where the log takes none."""
        entry = (cut.end_s - cut.start_s, found.answer.all_scores)
        # Before it is stored: a row that is on its way is written, even if the client leaves now.
        self._found.append(entry)
        self._models |= found.answer.models
        self._tracks.add(found.answer.track)
        self._until_s = cut.end_s
        try:
            await self._service.keep(found, Part(str(self._id), cut.start_s, cut.end_s))
        except ApiError:
            self._found.remove(entry)
            raise

    async def store(self, duration_s: float, latency_ms: float) -> None:
        """Return when the stream's row is durable; UnavailableError as `keep`."""
        await self._store(duration_s, latency_ms, complete=True)

    async def store_what_is_there(self) -> None:
        """The same for a stream that ended early."""
        await self._store(self._until_s, 0.0, complete=False)

    async def _store(self, end_s: float, latency_ms: float, *, complete: bool) -> None:
        if (overall := self.overall) is None or self._stored:
            return
        self._stored = True
        row = recording_row(
            self._id, overall, self._models, end_s=end_s, latency_ms=latency_ms,
            text_weight=self._weight, request_id=current_request_id(), tracks=self._tracks,
            complete=complete,
        )  # fmt: skip
        await self._service.log.write(row)
