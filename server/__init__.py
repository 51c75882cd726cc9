"""The composition root: settings, HTTP, storage, metrics. Imports everything below it and is imported by nothing."""
