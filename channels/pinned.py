"""A delivery is rendered with the template version that it was accepted with, whatever is on disk by now."""

from loguru import logger

from tocsin.delivery import TemplateRef
from tocsin.errors import TemplateError
from tocsin.store.template_versions import TemplateVersions
from tocsin.templates.catalogue import Catalogue


class PinnedTemplates:
    """Brings versions back into the catalogue that only the store has."""

    def __init__(self, catalogue: Catalogue, versions: TemplateVersions) -> None:
        self._catalogue = catalogue
        self._versions = versions

    async def fetch(self, ref: TemplateRef) -> None:
        """Make sure that the catalogue has this version, if it can be had at all. Raises StoreUnavailable."""
        if self._catalogue.get(ref.name, ref.version) is not None:
            return
        files = await self._versions.load(ref.name, ref.version)
        if files is None:
            return
        try:
            self._catalogue.add(ref.name, files)
        except TemplateError as error:
            # It compiled when it was accepted: a newer Tocsin has become stricter. The carrier refuses the delivery.
            logger.error("template_version_broken", template=ref.name, version=ref.version, error=str(error))
