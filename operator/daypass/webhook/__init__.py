"""The admission process: an aiohttp server over the use cases of ``app``."""
