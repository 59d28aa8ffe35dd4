"""The documentation as a site: MkDocs in an environment of its own reads `docs/` by the guide's own rules."""
