"""One run's report: as data (`Report`), as Markdown, and as a page with plots."""
