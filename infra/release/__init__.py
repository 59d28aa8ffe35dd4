"""`make release`: what is handed to others. See decision 38.

Rules (pure): `changelog`, `template`, `sbom`. Edges: `archive`, `build`, `__main__`.
"""
